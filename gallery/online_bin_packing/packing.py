"""Packing online by a table of priorities, many instances at once, and the instances themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CAPACITY, SMALLEST, LARGEST = 150, 20, 100
CROWD = 6
"""A policy sees whether 0, 1, ... up to this many open bins have the capacity that its choice would leave; no further."""

SHAPE = (LARGEST - SMALLEST + 1, CROWD + 1, CAPACITY + 1)
"""Of a table of priorities: item - SMALLEST, crowd, remaining capacity before the item goes in."""

Instances = NDArray[np.int64]
"""One row per instance, items in the order in which they arrive."""


def or3() -> Instances:
    """The 20 instances `u500` of the OR-Library (binpack3.txt; Falkenauer 1994), 500 items each.

    They need no data file: all 10,000 sizes are 20 + rand() % 81 with the linear congruential generator of Borland's C
    compilers, in one stream from its default seed 1. The tests compare them with the published sizes.
    """
    sizes, state = [], 1
    for _ in range(20 * 500):
        state = (state * 22_695_477 + 1) % 2**32
        sizes.append(SMALLEST + (state >> 16) % 2**15 % (LARGEST - SMALLEST + 1))
    return np.array(sizes, dtype=np.int64).reshape(20, 500)


def fresh(count: int, seed: int) -> Instances:
    """Instances of the same kind, 500 items drawn uniformly from 20..100, from numpy's PCG64: none of OR3's stream."""
    return np.random.default_rng(seed).integers(SMALLEST, LARGEST + 1, size=(count, 500))


def lower_bounds(instances: Instances) -> NDArray[np.int64]:
    """The L1 bound of each instance: total size over capacity, rounded up."""
    return -(-instances.sum(axis=1) // CAPACITY)


def pack(table: NDArray[np.float64], instances: Instances) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pack every instance by a table of finite priorities; returns the bins used and the capacities left, per instance.

    Each item goes to the bin of the highest priority among those that it fits in and one empty bin; the bin that was
    opened first wins a tie, as in FunSearch's skeleton. The table is all that decides, so nobody can look ahead.
    """
    count, items = instances.shape
    levels = CAPACITY + 1
    priorities = np.where(np.arange(levels) >= np.arange(SMALLEST, LARGEST + 1)[:, None, None], table, -np.inf).ravel()
    remaining = np.full((count, items + 1), CAPACITY)
    # crowds[i, CAPACITY + r] is `levels` times the number (up to CROWD) of bins of instance i with r left; the left half
    # stays empty and stands for capacities below zero, so that one shifted window serves every item.
    crowds = np.zeros((count, 2 * levels), dtype=np.int64)
    numbers = np.zeros((count, levels), dtype=np.int64)
    used = np.zeros(count, dtype=np.int64)
    every = np.arange(count)
    shifts = every[:, None] * 2 * levels + CAPACITY + np.arange(levels)
    rows = every * levels
    for item in instances.T:
        window = crowds.take(shifts - item[:, None])
        window += np.arange(levels)
        window += ((item - SMALLEST) * (SHAPE[1] * levels))[:, None]
        by_level = priorities.take(window)
        chosen = by_level.take(remaining[:, : used.max() + 1] + rows[:, None]).argmax(axis=1)
        before = remaining[every, chosen]
        after = before - item
        remaining[every, chosen] = after
        opened = chosen == used
        used += opened
        numbers[every, before] -= ~opened
        numbers[every, after] += 1
        for level in (before, after):
            crowds[every, CAPACITY + level] = np.minimum(numbers[every, level], CROWD) * levels
    return used, remaining
