"""How long a round waits, and how fast a member is: from times that are in the log, in whole nanoseconds.

All arithmetic is that of whole numbers, so that every fold of the log finds the same. Nobody guesses a time-out: a round
waits until the median arrival plus k times the median absolute deviation (MAD; Hampel, "The influence curve and its role in
robust estimation", 1974), which half of the members would have to be late together to move.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LEAST_SAMPLE = 4
"""Arrivals below which nothing is concluded and a round waits as long as it may."""

SPREAD = 8
"""A deadline allows for a MAD of at least 1/8 of the median: where all arrive at the same instant, the MAD is 0, and the next
round would throw away half of the work."""

SPEED_SCALE = 1_000_000
"""Speeds are in millionths of a unit per second, so that one unit in a day is still 11."""

FASTEST = 10**15
"""A billion units a second: what a clock that stood still would make of a member."""

RECENT = 3
"""Measurements of which the median is taken: the least of which one may be wrong."""

SMOOTHING = 4
"""A new measurement moves the estimate by a quarter: half of a lasting change is seen after 3 rounds, 90 % after 9."""

HOPE = 8
"""A member that was given nothing is thought faster by an eighth each round: double after 6, until it is tried again."""


def median(values: Iterable[int]) -> int:
    """The middle value, or the mean of the two middle ones, rounded down. Raises ValueError if there are none."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("there is no median of nothing")
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) // 2


def deadline(offsets: Sequence[int], *, mads: float, floor: int, ceiling: int, least: int = LEAST_SAMPLE) -> int:
    """Say how long a round waits after it opened: median + mads x MAD of earlier arrivals, within floor and ceiling.

    `offsets` are the arrivals of late members, too, each counted from the opening of its own round: without them the slow
    would vanish from the sample, the deadline would shrink, and others would become the slow. Fewer than `least` offsets
    give the ceiling. All times in nanoseconds; the result is at least 1 and never above the ceiling.
    """
    if len(offsets) < max(least, 1):
        return ceiling
    middle = median(offsets)
    deviation = median(abs(offset - middle) for offset in offsets)
    waits = middle + round(mads * max(deviation, middle // SPREAD))
    return max(min(max(waits, floor), ceiling), 1)


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a member works, in millionths of a unit per second; `estimate` 0: nobody knows yet.

    The estimate is an exponential average of medians of the last three measurements. So a single measurement that is wrong
    by any factor moves it not at all, once there were two others.
    """

    estimate: int = 0
    recent: tuple[int, ...] = ()

    def measured(self, units: int, elapsed: int) -> Speed:
        """See what a member did: so many units in so many nanoseconds. Nothing done, or in no time, tells nothing."""
        if units <= 0 or elapsed <= 0:
            return self
        rate = min(max(units * SPEED_SCALE * 10**9 // elapsed, 1), FASTEST)
        recent = (*self.recent, rate)[-RECENT:]
        seen = sorted(recent)[(len(recent) - 1) // 2]  # of two the slower: to be given too little costs less
        if self.estimate == 0:
            return Speed(seen, recent)
        return Speed(self.estimate + _quarter(seen - self.estimate), recent)

    def rested(self) -> Speed:
        """Let a round pass in which the member was given nothing.

        Without this, a machine that was busy once, and was given nothing since, would never again be measured.
        """
        if self.estimate == 0:
            return self
        return Speed(min(self.estimate + max(self.estimate // HOPE, 1), FASTEST), self.recent)


def _quarter(change: int) -> int:
    """A quarter, rounded away from zero, so that the estimate reaches what is measured again and again."""
    return -(-change // SMOOTHING) if change > 0 else change // SMOOTHING
