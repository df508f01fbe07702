from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.pretrain.data.tokenizers import ByteTokenizer, FileTokenizer, write_tokens
from quiltwork.pretrain.data.tokens import HEADER, ArrayFile, DataError, LocalFile, TokenWriter


def write(path: Path, tokens: list[int], vocabulary: int = 256) -> Path:
    with TokenWriter(path, vocabulary) as writer:
        writer.write(tokens)
    return path


@settings(max_examples=25, deadline=None)
@given(
    vocabulary=st.sampled_from([1, 2, 256, 257, 65_536, 65_537, 2**32]),
    parts=st.lists(st.lists(st.integers(0, 2**32 - 1), max_size=20), max_size=4),
)
def test_tokens_come_back_from_a_file_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, vocabulary: int, parts: list[list[int]]
) -> None:
    path = tmp_path_factory.mktemp("tokens") / "a.bin"
    parts = [[token % vocabulary for token in part] for part in parts]
    with TokenWriter(path, vocabulary) as writer:
        for part in parts:
            writer.write(part)
    file, tokens = LocalFile(path), [token for part in parts for token in part]
    assert file.layout.vocabulary == vocabulary
    assert file.layout.width == (1 if vocabulary <= 256 else 2 if vocabulary <= 65_536 else 4)
    assert path.stat().st_size == HEADER.size + len(tokens) * file.layout.width
    assert file.read(0, len(tokens)).tolist() == tokens
    assert file.read(1, 3).tolist() == tokens[1:3]


def test_every_byte_of_a_file_is_as_the_documentation_says(tmp_path: Path) -> None:
    assert write(tmp_path / "a.bin", [1, 2, 770], 50_000).read_bytes() == (
        b"quiltwork.tokens" + b"\1\0" + b"\2\0" + b"\x50\xc3\0\0" + b"\3\0\0\0\0\0\0\0" + b"\1\0\2\0\2\3"
    )


def test_a_file_without_a_header_is_read_if_its_type_is_told(tmp_path: Path) -> None:
    path = tmp_path / "raw.bin"
    path.write_bytes(np.array([5, 60_000], dtype="<u2").tobytes())
    assert LocalFile(path, "uint16").read(0, 2).tolist() == [5, 60_000]
    assert LocalFile(path, "uint16").layout.vocabulary == 65_536
    assert LocalFile(path, "uint16", 60_001).layout.vocabulary == 60_001
    with pytest.raises(DataError, match=r"raw.bin has no header.*dtype = 'uint16'"):
        LocalFile(path)
    path.write_bytes(b"123")
    with pytest.raises(DataError, match=r"3 bytes are no whole number of tokens of dtype uint16"):
        LocalFile(path, "uint16")


def test_files_that_are_not_what_they_should_be_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.bin", [1, 2, 3])
    whole = path.read_bytes()
    with pytest.raises(DataError, match=r"a.bin holds tokens of 1 bytes; dtype says uint16"):
        LocalFile(path, "uint16")
    path.write_bytes(whole[:-1])
    with pytest.raises(DataError, match=r"should have 35 bytes for 3 tokens and has 34; it was cut off"):
        LocalFile(path)
    path.write_bytes(whole[:16] + b"\2" + whole[17:])
    with pytest.raises(DataError, match="of version 2 with 1 bytes a token"):
        LocalFile(path)
    with pytest.raises(DataError, match=r"none.bin cannot be read: No such file"):
        LocalFile(tmp_path / "none.bin")


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    def interrupted() -> None:
        with TokenWriter(tmp_path / "a.bin", 256) as writer:
            writer.write([1, 2])
            assert not (tmp_path / "a.bin").exists()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with pytest.raises(DataError, match=r"tokens from 3 to 256 do not fit a vocabulary of 256"):
        write(tmp_path / "a.bin", [3, 256])
    with pytest.raises(DataError, match="cannot be written: No such file"):
        write(tmp_path / "missing" / "a.bin", [3])
    with pytest.raises(ValueError, match="vocabulary of 0"):
        TokenWriter(tmp_path / "a.bin", 0)
    assert list(tmp_path.iterdir()) == []


def test_text_becomes_its_bytes_with_a_zero_after_each_document(tmp_path: Path) -> None:
    assert write_tokens(tmp_path / "a.bin", ["né", "", "b"], ByteTokenizer()) == 7
    assert LocalFile(tmp_path / "a.bin").read(0, 7).tobytes() == "né\0\0b\0".encode()


def test_a_hugging_face_tokenizer_is_used_as_it_was_saved(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0, "b": 1, "[UNK]": 7}, unk_token="[UNK]"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    words.add_special_tokens(["<end>"])
    words.save(str(tmp_path / "tokenizer.json"))
    ours = FileTokenizer(tmp_path / "tokenizer.json", "<end>")
    end = words.token_to_id("<end>")
    assert ours.vocabulary == max(7, end) + 1  # ids may have gaps
    write_tokens(tmp_path / "a.bin", ["a b a", "c"], ours)
    assert LocalFile(tmp_path / "a.bin").read(0, 6).tolist() == [0, 1, 0, end, 7, end]


def test_a_tokenizer_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    with pytest.raises(DataError, match=r"none.json cannot be read: No such file"):
        FileTokenizer(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(DataError, match=r"bad.json is not a tokenizer.json"):
        FileTokenizer(tmp_path / "bad.json")


def test_tokens_in_memory_are_a_file_too() -> None:
    file = ArrayFile("x", np.array([1, 2, 3], dtype=np.uint8), 256)
    assert file.layout.count == 3
    assert file.read(1, 3).tolist() == [2, 3]
