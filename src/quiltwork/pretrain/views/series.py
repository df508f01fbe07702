"""Rounds by the thousand as few points: neighbours are put together, two and two, whenever there are too many."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass

MOST_SPANS = 3_000
"""Points of a curve: more than a screen has pixels to tell them apart."""


@dataclass(slots=True)
class Span:
    """Some rounds in a row, `first` to `last`, together. Times in nanoseconds since 1970, sizes in bytes."""

    first: int
    last: int
    ended: int
    """When the last of them closed."""
    nanoseconds: int
    """From the opening to the close of each, added up."""
    units: int
    """That were accepted."""
    returned: int
    """Units that were lost, and given to others."""
    members: int
    """Of the round with the fewest."""
    sent: int
    """Payloads that the whole run had committed by the end."""
    tokens: int
    """That the whole run had trained by the end."""
    weighted_loss: float
    """The losses, each times the units that have it."""
    weight: int
    seen: int
    """How many entries the log had when this was last changed."""

    @property
    def loss(self) -> float | None:
        """The mean of the rounds' losses, nats per token, by their units. None where nobody said a number."""
        return self.weighted_loss / self.weight if self.weight else None

    def with_next(self, other: Span) -> Span:
        """Put the rounds of another span, which follows, to these."""
        return Span(
            first=self.first,
            last=other.last,
            ended=other.ended,
            nanoseconds=self.nanoseconds + other.nanoseconds,
            units=self.units + other.units,
            returned=self.returned + other.returned,
            members=min(self.members, other.members),
            sent=other.sent,
            tokens=other.tokens,
            weighted_loss=self.weighted_loss + other.weighted_loss,
            weight=self.weight + other.weight,
            seen=max(self.seen, other.seen),
        )


class Series:
    """Spans of `stride` rounds each, at most `most`; the last may have fewer yet."""

    def __init__(self, most: int = MOST_SPANS) -> None:
        self.spans: list[Span] = []
        self.stride = 1
        self.changed = 0
        """How many entries the log had when old spans last changed: whoever knows the curve from before needs all of it."""
        self._most = most
        self._in_last = 0

    def add(self, round: Span) -> None:
        """Take the next round."""
        if self.spans and self._in_last < self.stride:
            self.spans[-1] = self.spans[-1].with_next(round)
            self._in_last += 1
            return
        if len(self.spans) >= self._most:
            self._widen(round.seen)
            self.add(round)
            return
        self.spans.append(round)
        self._in_last = 1

    def _widen(self, seen: int) -> None:
        pairs = zip(self.spans[::2], self.spans[1::2], strict=False)
        odd = self.spans[-1:] if len(self.spans) % 2 else []
        self._in_last = self.stride if odd else 2 * self.stride
        self.spans = [one.with_next(other) for one, other in pairs] + odd
        self.stride *= 2
        self.changed = seen

    def correct(self, round: int, weighted_loss: float, weight: int, seen: int) -> None:
        """Change the loss of a round that was added, and its weight, by so much."""
        place = bisect_right(self.spans, round, key=lambda span: span.first) - 1
        if place >= 0 and round <= self.spans[place].last:
            self.spans[place].weighted_loss += weighted_loss
            self.spans[place].weight += weight
            self.changed = seen

    def since(self, entries: int) -> list[Span]:
        """Spans that changed since the log had so many entries; all of them where old ones changed since."""
        if entries < self.changed:
            return list(self.spans)
        first = len(self.spans)
        while first and self.spans[first - 1].seen > entries:
            first -= 1
        return self.spans[first:]

    def thinned(self, most: int) -> list[Span]:
        """At most so many of the spans, evenly, the first and the last among them."""
        count = len(self.spans)
        if count <= most:
            return list(self.spans)
        return [self.spans[round(place * (count - 1) / (most - 1))] for place in range(most)]


def weighted_median(values: list[tuple[float, int]]) -> float | None:
    """The middle of numbers that count as often as their weights say, or the mean of the two middle ones; None of none.

    The loss of a round is that of the middle unit, not the mean: whoever makes its own loss up does not move the curve.
    """
    total, below = sum(weight for _, weight in values), 0
    ordered = sorted(values)
    for place, (value, weight) in enumerate(ordered):
        below += weight
        if 2 * below > total:
            return value
        if 2 * below == total:
            return (value + next(other for other, count in ordered[place + 1 :] if count)) / 2 if total else None
    return None


def finite(value: float) -> float | None:
    """A number that a member said, unless it is none."""
    return value if math.isfinite(value) else None
