"""An order of 0..size-1 in which each place is computed by itself: swap-or-not (Hoang, Morris and Rogaway, CRYPTO 2012).

In each round a number may swap places with its mirror image about a random point; both compute the same coin, so no two end
at the same place. It works on any size, in constant memory, on many numbers at once.
"""

from __future__ import annotations

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

ROUNDS = 90
"""As many as Ethereum's shuffle and Psyche's have: after 6 log2(size) rounds little is left of the order."""

MOST = 2**62
"""Sums of two numbers stay below 2^63."""


def permuted(numbers: NDArray[np.int64], size: int, key: bytes) -> NDArray[np.int64]:
    """Give the places of these numbers, all from 0 to size - 1, in the order that `key` draws."""
    assert 0 < size <= MOST
    assert numbers.size == 0 or 0 <= numbers.min() <= numbers.max() < size
    drawn = np.frombuffer(blake3(key).digest(length=16 * ROUNDS), dtype="<u8").reshape(ROUNDS, 2)
    pivots = (drawn[:, 0] % np.uint64(size)).astype(np.int64)
    places = numbers.astype(np.int64)
    for pivot, coin_key in zip(pivots, drawn[:, 1], strict=True):
        mirrored = (pivot - places) % size
        swapped = _coins(np.maximum(places, mirrored).astype(np.uint64) ^ coin_key)
        places = np.where(swapped, mirrored, places)
    return places


def _coins(x: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """One bit of each number, mixed by the finaliser of SplitMix64 (Steele, Lea and Flood, 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    coins: NDArray[np.bool_] = (x ^ (x >> np.uint64(31))) & np.uint64(1) == 1
    return coins
