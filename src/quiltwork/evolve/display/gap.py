"""A scale on which the last digits can be seen: the gap to the best value, in powers of ten.

Near a record a curve over plain values is a flat line, since 2.6358 and 2.6359 are one pixel. Here a value's height is
the logarithm of what it lacks to the target, the best of all values shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

LINEAR_BELOW_DECADES = 1.0
"""With gaps of one order of magnitude or less a plain scale tells more."""

MOST_DECADES = 12
"""Gaps smaller than the largest one by more than this are rounding, and share the top with the target."""

ROOM_AT_THE_TOP_DECADES = 0.6
"""The target itself has no gap: it stands this far above the smallest one."""


@dataclass(frozen=True, slots=True)
class GapScale:
    """Maps values to 0 (worst shown) .. 1 (the target). `smallest` and `largest` are gaps; 0 when all are the same."""

    maximize: bool
    target: float
    smallest: float
    largest: float
    logarithmic: bool

    @classmethod
    def over(cls, values: Iterable[float], *, maximize: bool) -> GapScale:
        """Fit a scale to the values that it is to show. Values that are not finite are left out."""
        finite = [value for value in values if math.isfinite(value)]
        if not finite:
            return cls(maximize, 0.0, 0.0, 0.0, logarithmic=False)
        target = max(finite) if maximize else min(finite)
        gaps = sorted(gap for value in finite if math.isfinite(gap := abs(target - value)) and gap > 0.0)
        if not gaps:
            return cls(maximize, target, 0.0, 0.0, logarithmic=False)
        least = max(gaps[0], gaps[-1] * 10.0**-MOST_DECADES)
        logarithmic = least > 0.0 and gaps[-1] / least > 10.0**LINEAR_BELOW_DECADES
        return cls(maximize, target, least, gaps[-1], logarithmic=logarithmic)

    def gap(self, value: float) -> float:
        """Say what a value lacks to the target, 0 or more."""
        return max(0.0, self.target - value if self.maximize else value - self.target)

    def __call__(self, value: float) -> float:
        """Give the height of a value, 0 to 1; below the scale, or not a number, is 0."""
        if not math.isfinite(value):
            return 0.0
        return self.height_of_gap(self.gap(value))

    def height_of_gap(self, gap: float) -> float:
        """Give the height of a gap, 0 to 1."""
        if self.largest <= 0.0:
            return 1.0 if gap <= 0.0 else 0.0
        if not self.logarithmic:
            return min(1.0, max(0.0, 1.0 - gap / self.largest))
        floor = math.log10(self.smallest) - ROOM_AT_THE_TOP_DECADES
        if gap <= 0.0:
            return 1.0
        top = math.log10(self.largest)
        return min(1.0, max(0.0, (top - max(floor, math.log10(gap))) / (top - floor)))

    def decades(self) -> list[float]:
        """Give the powers of ten among the gaps shown, largest first; nothing on a plain scale."""
        if not self.logarithmic:
            return []
        first, last = math.ceil(math.log10(self.smallest)), math.floor(math.log10(self.largest))
        return [10.0**power for power in range(last, first - 1, -1)]

    def at_gap(self, gap: float) -> float:
        """Give the value that lacks `gap` to the target."""
        return self.target - gap if self.maximize else self.target + gap
