"""Rounds by the thousand as few points: neighbours are put together, two and two, whenever there are too many."""

from __future__ import annotations

import math
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
        """The mean loss over the accepted units, nats per token. None where nobody said a number."""
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
        self.widened = 0
        """How many entries the log had when the stride last grew: whoever knows the curve from before needs all of it."""
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
        self.widened = seen

    def since(self, entries: int) -> list[Span]:
        """Spans that changed since the log had so many entries; all of them where they were put together since."""
        if entries <= self.widened:
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


def finite(value: float) -> float | None:
    """A number that a member said, unless it is none."""
    return value if math.isfinite(value) else None
