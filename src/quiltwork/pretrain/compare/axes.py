"""Logarithmic axes: from values to pixels, and where the marks are. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from quiltwork.text.numbers import duration, number, size

Mark = tuple[float, str]
"""A value of an axis, and how it is written there."""

TIMES_S = (1e-3, 1e-2, 0.1, 1.0, 10.0, 60.0, 600.0, 3_600.0, 36_000.0, 86_400.0, 864_000.0, 8_640_000.0, 86_400_000.0)
ROUND = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Axis:
    """Values from `low` to `high`, above 0, onto pixels from `begin` to `end`, which may be less."""

    low: float
    high: float
    begin: float
    end: float
    marks: tuple[Mark, ...] = ()

    def __call__(self, value: float) -> float:
        """Give a value's pixel; what lies outside is at the nearer end."""
        part = math.log(min(max(value, self.low), self.high) / self.low) / math.log(self.high / self.low)
        return self.begin + part * (self.end - self.begin)


def byte_axis(values: Sequence[float], begin: float, end: float, most: int) -> Axis:
    """Make an axis for numbers of bytes, with at most so many marks, at powers of ten."""
    low, high = _range(values)
    powers = [10.0**power for power in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]
    return Axis(low, high, begin, end, tuple((value, _short(size(value))) for value in _thinned(powers, most)))


def time_axis(values: Sequence[float], begin: float, end: float, most: int) -> Axis:
    """Make an axis for seconds, with at most so many marks, at times that people count in."""
    low, high = _range(values)
    times = [time for time in TIMES_S if low <= time <= high]
    return Axis(low, high, begin, end, tuple((time, _short(duration(time))) for time in _thinned(times, most)))


def loss_axis(values: Sequence[float], begin: float, end: float, most: int) -> Axis:
    """Make an axis for losses, with at most so many marks, at round numbers."""
    low, high = _range(values, air=0.06)
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(factor * power for factor in ROUND if (high - low) / (factor * power) <= most)
    steps = range(math.ceil(low / step), math.floor(high / step) + 1)
    return Axis(low, high, begin, end, tuple((place * step, number(place * step, 6)) for place in steps))


def _range(values: Sequence[float], air: float = 0.0) -> tuple[float, float]:
    """The range of values above 0, wide enough to divide by, with some air in parts of its length."""
    above = [value for value in values if value > 0 and math.isfinite(value)] or [1.0]
    low, high = min(above), max(above)
    if high / low < 1.01:
        low, high = low / 1.1, high * 1.1
    room = (high / low) ** air
    return low / room, high * room


def _thinned(values: Sequence[float], most: int) -> list[float]:
    """Every second, third, ... of them, counted from the last, so that at most so many are left."""
    every = max(1, math.ceil(len(values) / most))
    return list(values[::-every])[::-1]


def _short(text: str) -> str:
    """A round value without its empty decimals and parts: 1.0 MB is 1 MB, 1 h 00 min is 1 h."""
    words = text.replace(".0 ", " ").split(" ")
    return " ".join(words[:2]) if len(words) == 4 and not int(words[2]) else " ".join(words)
