"""What a grid and a CVT archive share: one elite per cell, and the order of all of them kept while they change."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence

from quiltwork.evolve.archives.base import Elite

Rank = tuple[tuple[float, ...], int]


def rank_key(elite: Elite) -> Rank:
    """Give what the order goes by: the better fitness first (compared metric by metric), then the smaller step."""
    return tuple(-value for value in elite.fitness), elite.step


def is_finite(elite: Elite) -> bool:
    """Tell whether an elite can be compared and placed. What cannot is never kept: a fold over any log is total."""
    return all(map(math.isfinite, elite.fitness)) and all(map(math.isfinite, elite.descriptors))


class CellArchive(ABC):
    """One elite per cell (MAP-Elites: Mouret and Clune, arXiv 1504.04909). Subclasses say which cell is whose.

    Adding and removing search the kept order in O(log n) and shift it by one memory move.
    """

    def __init__(self) -> None:
        self._by_cell: dict[int, Elite] = {}
        self._cell_of: dict[int, int] = {}
        self._ranked: list[Elite] = []

    @abstractmethod
    def cell(self, descriptors: Sequence[float]) -> int:
        """Give the flat index of the cell that descriptors fall into. Values outside the ranges are clipped.

        Raises `ValueError` when there are more or fewer of them than ranges.
        """

    def add(self, elite: Elite) -> bool:
        """Offer an elite; true when it now is in the archive. The incumbent of a cell stays on a tie.

        An elite whose step is in the archive already replaces that one first, even where it is worse: it is a newer
        measurement of the same program.
        """
        self.remove(elite.step)
        if not is_finite(elite):
            return False
        cell = self.cell(elite.descriptors)
        incumbent = self._by_cell.get(cell)
        if incumbent is not None:
            if elite.fitness <= incumbent.fitness:
                return False
            self.remove(incumbent.step)
        self._by_cell[cell] = elite
        self._cell_of[elite.step] = cell
        insort(self._ranked, elite, key=rank_key)
        return True

    def remove(self, step: int) -> None:
        """Take a step's elite out; nothing happens when it is not there."""
        cell = self._cell_of.pop(step, None)
        if cell is not None:
            gone = self._by_cell.pop(cell)
            del self._ranked[bisect_left(self._ranked, rank_key(gone), key=rank_key)]

    def __contains__(self, step: int) -> bool:
        return step in self._cell_of

    def __len__(self) -> int:
        return len(self._ranked)

    def __iter__(self) -> Iterator[Elite]:
        return iter(self._ranked)

    def ranked(self) -> Sequence[Elite]:
        """Give all elites, best first; ties by the smaller step. O(1): it is the kept order itself, to be read only."""
        return self._ranked


def scaled(value: float, low: float, high: float) -> float:
    """Tell where a value lies in its range, 0 to 1; values outside are clipped."""
    return min(1.0, max(0.0, (value - low) / (high - low)))


def check_ranges(ranges: Sequence[tuple[float, float]]) -> None:
    """Raise `ValueError` unless there is a range, and each is finite and ordered."""
    if not ranges:
        raise ValueError("an archive of cells needs at least one descriptor's range")
    for low, high in ranges:
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"a descriptor's range must be finite and ordered, got ({low}, {high})")
