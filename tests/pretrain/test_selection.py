"""Selection: against a plain transcription of the published algorithms, and by the properties of a permutation."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.pretrain.selection import (
    MAX_SHUFFLED,
    Role,
    fisher_yates,
    permutation,
    salted,
    select,
    shuffled_index,
    shuffled_indices,
    witness_quorum,
)

SEEDS = st.binary(min_size=32, max_size=32)
NUMBERS = st.integers(0, 2**64 - 1)


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def published_shuffle(index: int, count: int, seed: bytes) -> int:
    """Ethereum's consensus specification, phase 0, `compute_shuffled_index`, word by word."""
    for current_round in range(90):
        pivot = int.from_bytes(digest(seed + bytes([current_round]))[0:8], "little") % count
        flip = (pivot + count - index) % count
        position = max(index, flip)
        source = digest(seed + bytes([current_round]) + (position // 256).to_bytes(4, "little"))
        byte = source[(position % 256) // 8]
        bit = (byte >> (position % 8)) % 2
        index = flip if bit else index
    return index


def published_lcg_shuffle(items: list[int], seed: int) -> list[int]:
    """Psyche's `LCG` and `deterministic_shuffle`, word by word."""
    items = list(items)
    for i in reversed(range(1, len(items))):
        seed = (seed * 6364136223846793005 + 1442695040888963407) % 2**64
        j = seed % (i + 1)
        items[i], items[j] = items[j], items[i]
    return items


@pytest.mark.parametrize(
    ("first_byte", "shuffled"),
    [(1, [0, 7, 8, 6, 3, 9, 4, 5, 2, 1]), (2, [0, 5, 2, 1, 6, 8, 7, 3, 4, 9])],
)
def test_the_shuffle_gives_the_vectors_that_an_ethereum_client_publishes(first_byte: int, shuffled: list[int]) -> None:
    """Prysm's `TestShuffleList_OK`: a list holds at place `shuffled_index(i)` what was at place i."""
    seed = bytes([first_byte, 128, 12]) + bytes(29)
    assert [shuffled[shuffled_index(i, 10, seed)] for i in range(10)] == list(range(10))


@given(SEEDS, st.integers(1, 600), st.data())
def test_one_index_goes_where_the_specification_sends_it(seed: bytes, count: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, count - 1))
    assert shuffled_index(index, count, seed) == published_shuffle(index, count, seed)


@given(SEEDS, st.integers(0, 60))
def test_the_whole_list_is_what_single_indices_are(seed: bytes, count: int) -> None:
    assert shuffled_indices(count, seed).tolist() == [shuffled_index(i, count, seed) for i in range(count)]


@pytest.mark.parametrize("count", [255, 256, 257, 512, 513])
def test_the_whole_list_is_right_where_one_hash_ends_and_another_begins(count: int) -> None:
    seed = digest(b"edges")
    assert shuffled_indices(count, seed).tolist() == [published_shuffle(i, count, seed) for i in range(count)]


@given(SEEDS, st.integers(0, 3_000))
def test_the_shuffle_is_a_permutation(seed: bytes, count: int) -> None:
    assert sorted(shuffled_indices(count, seed).tolist()) == list(range(count))


def test_an_index_outside_the_list_is_an_error() -> None:
    for index, count in ((0, 0), (5, 5), (-1, 5)):
        with pytest.raises(ValueError, match="outside"):
            shuffled_index(index, count, bytes(32))
    with pytest.raises(ValueError, match="at once"):
        shuffled_indices(MAX_SHUFFLED + 1, bytes(32))


@given(NUMBERS, st.integers(0, 200))
def test_the_data_shuffle_is_psyches(seed: int, count: int) -> None:
    assert fisher_yates(range(count), seed) == published_lcg_shuffle(list(range(count)), seed)


def test_the_data_shuffle_is_frozen() -> None:
    assert fisher_yates([1, 2, 3, 4, 5], 42) == published_lcg_shuffle([1, 2, 3, 4, 5], 42) == LCG_42


LCG_42 = [2, 5, 3, 1, 4]


@given(SEEDS, st.integers(0, 500))
def test_a_drawn_order_is_a_permutation_and_every_purpose_has_its_own(seed: bytes, count: int) -> None:
    order = permutation(count, seed, "data").tolist()
    assert sorted(order) == list(range(count))
    if count > 30:  # two orders of 31 are equal once in 10^33
        assert order != permutation(count, seed, "audit").tolist()


def test_a_drawn_order_is_the_same_on_every_machine() -> None:
    assert permutation(8, bytes(range(32)), "data").tolist() == DRAWN_ORDER


DRAWN_ORDER = [5, 0, 1, 2, 4, 3, 6, 7]


def test_every_order_of_three_is_drawn_equally_often() -> None:
    drawn = Counter(tuple(permutation(3, digest(bytes([n % 256, n // 256])), "fair").tolist()) for n in range(6_000))
    assert len(drawn) == 6
    # chi-squared with 5 degrees of freedom; the seeds are fixed, so this cannot flicker
    assert sum((seen - 1_000) ** 2 / 1_000 for seen in drawn.values()) < 15.1


def published_role(seed: int, index: int, total: int, tie_breakers: int, percent: int) -> Role:
    """Psyche's `CommitteeSelection::get_committee`."""
    key = digest(digest(seed.to_bytes(8, "little")) + b"committee")
    position = published_shuffle(index, total, key)
    verifiers = (total - tie_breakers) * percent // 100
    if position < tie_breakers:
        return Role.TIE_BREAKER
    return Role.VERIFIER if position < tie_breakers + verifiers else Role.TRAINER


def published_witness(seed: int, index: int, total: int, witness_nodes: int) -> bool:
    """Psyche's `CommitteeSelection::get_witness`."""
    key = digest(digest(seed.to_bytes(8, "little")) + b"witness")
    return published_shuffle(index, total, key) < (witness_nodes or 32)


@pytest.mark.parametrize(
    ("seed", "total", "tie_breakers", "percent", "witnesses"),
    [(12345, 100, 10, 30, 20), (0, 40, 0, 0, 0), (2**64 - 1, 7, 1, 50, 3), (99, 1, 0, 0, 1)],
)
def test_offices_are_those_of_psyche(seed: int, total: int, tie_breakers: int, percent: int, witnesses: int) -> None:
    drawn = select(seed, total, tie_breakers=tie_breakers, verification_percent=percent, witness_nodes=witnesses)
    assert list(drawn.roles) == [published_role(seed, i, total, tie_breakers, percent) for i in range(total)]
    assert set(drawn.witnesses) == {i for i in range(total) if published_witness(seed, i, total, witnesses)}


def test_offices_of_a_known_seed_are_frozen() -> None:
    drawn = select(12345, 10, tie_breakers=1, verification_percent=30, witness_nodes=4)
    assert drawn.holders(Role.TIE_BREAKER) == FROZEN_BREAKERS
    assert drawn.holders(Role.VERIFIER) == FROZEN_VERIFIERS
    assert drawn.witnesses == FROZEN_WITNESSES


FROZEN_BREAKERS = (5,)
FROZEN_VERIFIERS = (0, 2)
FROZEN_WITNESSES = (6, 5, 3, 7)


@given(SEEDS, st.integers(0, 120), st.integers(0, 130), st.integers(0, 100), st.integers(0, 130))
def test_there_are_as_many_of_each_office_as_asked_for(
    seed: bytes, members: int, tie_breakers: int, percent: int, witnesses: int
) -> None:
    drawn = select(seed, members, tie_breakers=tie_breakers, verification_percent=percent, witness_nodes=witnesses)
    breaking = min(tie_breakers, members)
    assert len(drawn.roles) == members
    assert len(drawn.holders(Role.TIE_BREAKER)) == breaking
    assert len(drawn.holders(Role.VERIFIER)) == (members - breaking) * percent // 100
    assert len(drawn.witnesses) == len(set(drawn.witnesses)) == min(witnesses or 32, members)
    assert all(0 <= witness < members for witness in drawn.witnesses)


def test_what_cannot_be_selected_is_an_error() -> None:
    for seed in (-1, 2**64, b"short", bytes(33)):
        with pytest.raises(ValueError, match="seed"):
            select(seed, 4)
    for asked in ({"tie_breakers": -1}, {"verification_percent": 101}, {"witness_nodes": -1}):
        with pytest.raises(ValueError, match="or more"):
            select(0, 4, **asked)


def test_a_number_and_its_bytes_are_different_seeds() -> None:
    assert salted(7, "witness") != salted((7).to_bytes(32, "little"), "witness")


@pytest.mark.parametrize(
    ("witnesses", "quorum"), [(0, 1), (1, 1), (2, 2), (3, 2), (4, 2), (5, 3), (6, 4), (7, 4), (9, 6), (32, 21)]
)
def test_the_quorum_is_two_thirds_of_the_witnesses(witnesses: int, quorum: int) -> None:
    assert witness_quorum(witnesses) == quorum


def test_selecting_among_256_costs_far_less_than_following_each() -> None:
    def seconds(work: Callable[[], object]) -> float:
        start = time.process_time()
        work()
        return time.process_time() - start

    key = digest(b"speed")
    whole = min(seconds(lambda: select(key, 256)) for _ in range(5))
    each = min(seconds(lambda: [shuffled_index(i, 256, key) for i in range(64)]) for _ in range(2))
    assert whole < each, "two whole shuffles of 256 cost more than 64 indices on their own"
