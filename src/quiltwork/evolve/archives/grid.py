"""A MAP-Elites grid: every descriptor's range cut into equal bins, one elite per cell."""

from __future__ import annotations

import math
from collections.abc import Sequence

from quiltwork.evolve.archives.cells import CellArchive, check_ranges, scaled

EDGE = 1e-9
"""Bins by which a value is lifted before it is rounded down: 0.29 of 100 bins belongs to bin 29, not to 28.999999."""


class GridArchive(CellArchive):
    """A grid over `(low, high, bins)` per descriptor. A bin holds its lower edge, the last one its upper edge too.

    Cells are numbered row by row, the last descriptor running fastest (as `numpy.ravel_multi_index` does).
    """

    def __init__(self, ranges: Sequence[tuple[float, float, int]]) -> None:
        super().__init__()
        check_ranges([(low, high) for low, high, _ in ranges])
        if any(bins < 1 for _, _, bins in ranges):
            raise ValueError(f"every descriptor needs at least one bin, got {[bins for _, _, bins in ranges]}")
        self.ranges = tuple(ranges)
        self.cells = math.prod(bins for _, _, bins in ranges)

    def cell(self, descriptors: Sequence[float]) -> int:
        """Give the flat index of the cell that descriptors fall into. Values outside the ranges are clipped."""
        flat = 0
        for value, (low, high, bins) in zip(descriptors, self.ranges, strict=True):
            flat = flat * bins + min(bins - 1, int(scaled(value, low, high) * bins + EDGE))
        return flat
