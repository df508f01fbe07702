"""The beacon: reveals that nobody can choose, and what one who withholds can do."""

from __future__ import annotations

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.pretrain.beacon import MAX_LENGTH, Onion, check, next_seed

SECRET = bytes(range(32))
HASHES = st.binary(min_size=32, max_size=32)


@given(HASHES, st.integers(1, 200))
def test_each_reveal_is_the_preimage_of_the_one_before(secret: bytes, length: int) -> None:
    onion, previous = Onion(secret, length), Onion(secret, length).anchor
    for number in range(1, length + 1):
        reveal = onion.reveal(number)
        assert check(previous, reveal)
        previous = reveal


@given(st.integers(1, 150), st.data())
def test_a_chain_may_be_asked_in_any_order(length: int, data: st.DataObject) -> None:
    in_order = Onion(SECRET, length)
    expected = {number: in_order.reveal(number) for number in range(1, length + 1)}
    onion = Onion(SECRET, length)
    for number in data.draw(st.permutations(range(1, length + 1))):
        assert onion.reveal(number) == expected[number]


def test_the_chain_is_the_same_on_every_machine() -> None:
    link = blake3(SECRET, derive_key_context="quiltwork.pretrain/1 beacon secret").digest()
    chain = [link]
    for _ in range(5):
        chain.append(blake3(chain[-1], derive_key_context="quiltwork.pretrain/1 beacon link").digest())
    onion = Onion(SECRET, 5)
    assert onion.anchor == chain[5]
    assert [onion.reveal(number) for number in (1, 2, 3, 4, 5)] == chain[4::-1]
    assert onion.anchor.hex()[:16] == "75783c5ac39cd10f"


@given(HASHES)
def test_nothing_else_can_be_revealed(forged: bytes) -> None:
    onion = Onion(SECRET, 3)
    assert not check(onion.anchor, forged)
    assert not check(onion.anchor, onion.reveal(2)), "a reveal may not be skipped"
    assert not check(onion.reveal(1), onion.reveal(1)), "nor repeated"
    assert not check(onion.anchor, onion.reveal(1) + b"\0")


@pytest.mark.parametrize("number", [0, -1, 4])
def test_outside_of_the_chain_is_nothing(number: int) -> None:
    with pytest.raises(IndexError, match="of 3"):
        Onion(SECRET, 3).reveal(number)


def test_what_cannot_be_a_chain_is_an_error() -> None:
    for length in (0, -1, MAX_LENGTH + 1):
        with pytest.raises(ValueError, match="reveals"):
            Onion(SECRET, length)
    with pytest.raises(ValueError, match="bytes"):
        Onion(b"short", 3)


def test_a_long_chain_is_kept_in_the_root_of_its_length() -> None:
    onion = Onion(SECRET, 10_000)
    for number in range(1, 10_001):
        onion.reveal(number)
        assert len(onion._kept) + len(onion._segment) <= 201


def test_a_secret_never_prints_itself() -> None:
    assert SECRET.hex() not in repr(Onion(SECRET, 3))
    assert Onion(SECRET, 3).reveal(3) != SECRET


@given(HASHES, st.lists(HASHES, unique=True, min_size=1, max_size=6))
def test_every_reveal_and_their_order_make_the_seed(previous: bytes, reveals: list[bytes]) -> None:
    seeds = {next_seed(previous, reveals), next_seed(previous, reveals[:-1]), next_seed(reveals[0], reveals)}
    assert len(seeds) == 3 - (previous == reveals[0])
    if len(reveals) > 1:
        assert next_seed(previous, reveals[::-1]) not in seeds


def test_a_seed_is_the_same_on_every_machine() -> None:
    seed = next_seed(bytes(32), [SECRET, bytes(32)])
    assert seed == blake3(bytes(32) + SECRET + bytes(32), derive_key_context="quiltwork.pretrain/1 round seed").digest()


def test_without_reveals_the_seed_still_changes() -> None:
    assert next_seed(bytes(32), []) not in (bytes(32), next_seed(SECRET, []))


def test_parts_of_another_length_are_refused() -> None:
    for parts in ([b"short"], [bytes(64)]):
        with pytest.raises(ValueError, match="32 bytes"):
            next_seed(bytes(32), parts)
    with pytest.raises(ValueError, match="32 bytes"):
        next_seed(b"", [])


def test_who_reveals_last_has_one_choice_and_doubles_its_luck_at_most() -> None:
    """An event of probability 1/16 that the last of three wants: 1/16 when it always reveals, up to 2/16 if it chooses."""
    rounds = 4_000
    chains = [Onion(bytes([number]) * 32, rounds) for number in range(3)]

    def wanted(seed: bytes) -> bool:
        return seed[0] < 16

    plain = withheld = 0
    seed = bytes(32)
    for number in range(1, rounds + 1):
        reveals = [chain.reveal(number) for chain in chains]
        with_it, without = next_seed(seed, reveals), next_seed(seed, reveals[:2])
        plain += wanted(with_it)
        withheld += wanted(with_it) or wanted(without)
        seed = with_it
    # exactly 1/16 = 0.0625 and 1 - (15/16)^2 = 0.121; the seeds are fixed, so this cannot flicker
    assert plain / rounds == pytest.approx(1 / 16, abs=0.012)
    assert withheld / rounds == pytest.approx(1 - (15 / 16) ** 2, abs=0.016)
