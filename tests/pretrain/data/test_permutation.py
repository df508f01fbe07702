from __future__ import annotations

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.pretrain.data.permutation import permuted


@settings(max_examples=25, deadline=None)
@given(size=st.integers(1, 3_000), key=st.binary(max_size=8))
def test_every_place_is_taken_once(size: int, key: bytes) -> None:
    assert sorted(permuted(np.arange(size), size, key).tolist()) == list(range(size))


@settings(max_examples=25, deadline=None)
@given(size=st.integers(1, 2**62), key=st.binary(max_size=8), data=st.data())
def test_a_place_is_the_same_alone_and_among_others(size: int, key: bytes, data: st.DataObject) -> None:
    numbers = np.array(data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=8)), dtype=np.int64)
    together = permuted(numbers, size, key)
    assert all(0 <= place < size for place in together.tolist())
    assert [int(permuted(numbers[i : i + 1], size, key)[0]) for i in range(len(numbers))] == together.tolist()


@pytest.mark.parametrize("size", [2, 3, 4])
def test_all_orders_are_equally_likely(size: int) -> None:
    tries = 400
    seen = Counter(tuple(permuted(np.arange(size), size, f"key {n}".encode()).tolist()) for n in range(tries))
    orders = list(permutations(range(size)))
    expected = tries / len(orders)
    chi_square = sum((seen[order] - expected) ** 2 / expected for order in orders)
    assert chi_square < len(orders) - 1 + 5 * np.sqrt(2 * (len(orders) - 1))


def test_in_a_long_order_neighbours_go_far_apart_and_nobody_stays() -> None:
    size = 100_000
    places = permuted(np.arange(size), size, b"a key")
    steps = np.abs(np.diff(places))
    assert abs(steps.mean() / size - 1 / 3) < 0.01  # of two random places
    assert (places == np.arange(size)).sum() < 10
    assert abs(np.corrcoef(places, np.arange(size))[0, 1]) < 0.02


def swap_or_not(number: int, size: int, key: bytes) -> int:
    """The same with whole numbers of Python's, one at a time."""
    mask, stream = 2**64 - 1, blake3(key).digest(length=16 * 90)
    for round in range(90):
        pivot, coin = (int.from_bytes(stream[at : at + 8], "little") for at in (16 * round, 16 * round + 8))
        mirrored = (pivot % size - number) % size
        x = max(number, mirrored) ^ coin
        x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & mask
        x = ((x ^ x >> 27) * 0x94D049BB133111EB) & mask
        number = mirrored if (x ^ x >> 31) & 1 else number
    return number


@pytest.mark.parametrize("size", [1, 10, 1_000_003, 2**62])
def test_the_order_is_that_of_the_published_algorithm(size: int) -> None:
    numbers = np.array([size * part // 7 for part in range(7)] + [size - 1], dtype=np.int64)
    expected = [swap_or_not(number, size, b"a key") for number in numbers.tolist()]
    assert permuted(numbers, size, b"a key").tolist() == expected


def test_the_order_never_changes() -> None:
    assert permuted(np.arange(10), 10, b"quiltwork").tolist() == [9, 0, 6, 1, 8, 3, 2, 5, 4, 7]
