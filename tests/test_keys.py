from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.keys import Identity, KeyFileError, default_identity, short, verify

ALICE = Identity.from_seed(b"a" * 32)
BOB = Identity.from_seed(b"b" * 32)


@given(st.binary())
def test_what_is_signed_verifies_for_its_author_alone(message: bytes) -> None:
    signature = ALICE.sign(message)
    assert verify(ALICE.author, message, signature)
    assert not verify(BOB.author, message, signature)
    assert not verify(ALICE.author, message + b"!", signature)


@given(st.integers(0, 511))
def test_a_flipped_bit_of_a_signature_is_found(bit: int) -> None:
    signature = bytearray(ALICE.sign(b"message"))
    signature[bit // 8] ^= 1 << bit % 8
    assert not verify(ALICE.author, b"message", bytes(signature))


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_what_is_no_key_or_no_signature_does_not_verify(author: bytes, signature: bytes) -> None:
    assert not verify(author, b"message", signature)


def test_signing_agrees_with_rfc_8032() -> None:
    """The first test vector of section 7.1."""
    identity = Identity.from_seed(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
    assert identity.author.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert identity.sign(b"").hex().startswith("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155")


def test_an_identity_is_made_once_and_kept_private(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "identity.key"
    identity = Identity.load_or_create(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert Identity.load_or_create(path).author == identity.author
    assert os.listdir(path.parent) == ["identity.key"]


def test_those_who_make_an_identity_at_once_get_the_same(tmp_path: Path) -> None:
    ready = threading.Barrier(8)
    authors = []

    def make() -> None:
        ready.wait()
        authors.append(Identity.load_or_create(tmp_path / "identity.key").author)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(authors) == 8
    assert len(set(authors)) == 1


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "identity.key"
    Identity.load_or_create(path)
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match=r"mode 0644.*chmod 600"):
        Identity.load_or_create(path)


@pytest.mark.parametrize("content", [b"", b"not a key", b"ab" * 31, b"\xff\xfe" * 40])
def test_a_file_that_is_no_key_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "identity.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="is not a key file"):
        Identity.load_or_create(path)
    assert path.read_bytes() == content


def test_a_place_where_no_file_can_be_is_said_clearly(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeyFileError, match="Cannot use the key file"):
        Identity.load_or_create(tmp_path / "file" / "identity.key")


def test_the_users_identity_lives_in_quiltworks_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUILTWORK_HOME", str(tmp_path / "home"))
    identity = default_identity()
    assert Identity.load_or_create(tmp_path / "home" / "identity.key").author == identity.author


def test_without_a_home_of_its_own_it_lives_among_the_users_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("QUILTWORK_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    default_identity()
    assert (tmp_path / ".config" / "quiltwork" / "identity.key").exists()


def test_an_identity_never_prints_its_secret() -> None:
    seed = bytes(range(32))
    assert repr(Identity.from_seed(seed)) == f"Identity({short(Identity.from_seed(seed).author)})"
    assert seed.hex() not in repr(Identity.from_seed(seed))
