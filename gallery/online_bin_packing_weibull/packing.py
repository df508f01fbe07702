"""Packing online by a table of priorities, many instances at once, and the instances themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CAPACITY = 100
SHAPE, SCALE = 3.0, 45.0
"""Of the Weibull distribution."""

Instances = NDArray[np.int64]
"""One row per instance, items in the order in which they arrive."""


def fresh(count: int, seed: int, items: int = 5_000) -> Instances:
    """Sizes from the Weibull distribution of shape 3 and scale 45, cut down to whole numbers from 1 to 100 (numpy's PCG64)."""
    sizes = SCALE * np.random.default_rng(seed).weibull(SHAPE, (count, items))
    return np.clip(np.floor(sizes), 1, CAPACITY).astype(np.int64)


def lower_bounds(instances: Instances) -> NDArray[np.int64]:
    """The L1 bound of each instance: total size over capacity, rounded up."""
    return -(-instances.sum(axis=1) // CAPACITY)


def pack(table: NDArray[np.float64], instances: Instances) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pack every instance by a table of finite priorities [item - 1, remaining capacity].

    Returns the bins used (count,), and how many bins have each capacity left at the end (count, 101).

    Each item goes to a bin of the capacity with the highest priority among those that it fits in and one empty bin, and to the
    fullest among equals. Bins of equal capacity are the same to all that follows, so only their number is kept. The table is
    all that decides, so nobody can look ahead.
    """
    levels = np.arange(CAPACITY + 1)
    priorities = np.where(levels >= np.arange(1, CAPACITY + 1)[:, None], table, -np.inf)
    every = np.arange(len(instances))
    open_bins = np.zeros((len(instances), CAPACITY + 1), dtype=np.int64)
    used = np.zeros(len(instances), dtype=np.int64)
    open_bins[:, CAPACITY] = 1
    for item in instances.T:
        chosen = np.where(open_bins > 0, priorities.take(item - 1, axis=0), -np.inf).argmax(axis=1)
        opened = chosen == CAPACITY
        used += opened
        open_bins[every, chosen] -= ~opened
        open_bins[every, chosen - item] += 1
    open_bins[:, CAPACITY] = 0
    return used, open_bins
