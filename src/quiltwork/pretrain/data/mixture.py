"""Whose turn it is: the order in which a mixture draws from its sources, at any place, without a state.

The order is one period, repeated. In it the sources take turns as in Tijdeman's chairman assignment (Discrete Mathematics 32,
1980): after every single draw, every source has had its share to within one. A period's counts are the shares exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from quiltwork.pretrain.data.tokens import DataError

LONGEST_PERIOD = 1 << 14
"""Shares that need a longer one are rounded to 1/16,384 of the whole; the period is computed when a mixture is opened."""


@dataclass(frozen=True)
class Schedule:
    """Draw -> source, and how many of that source's draws came before."""

    parts: tuple[int, ...]
    """How often each source comes in a period: its share is that of their sum."""
    order: NDArray[np.int64]
    """[period]: the source of each draw of a period."""
    rank: NDArray[np.int64]
    """[period]: the draws from the same source before it, in the period."""

    @property
    def period(self) -> int:
        """Draws after which the order begins again."""
        return len(self.order)

    def locate(self, draws: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give each draw's source, and its number among that source's draws, from 0."""
        rounds, place = np.divmod(draws, self.period)
        source = self.order[place]
        return source, rounds * np.array(self.parts, dtype=np.int64)[source] + self.rank[place]

    def counts(self, draws: int) -> tuple[int, ...]:
        """Say how many of the first `draws` each source has."""
        rounds, place = divmod(draws, self.period)
        begun = np.bincount(self.order[:place], minlength=len(self.parts))
        return tuple(rounds * part + int(extra) for part, extra in zip(self.parts, begun, strict=True))


def schedule(weights: Sequence[float]) -> Schedule:
    """Lay out a mixture by weights, all positive, which are taken as they are written: 0.1 is one tenth.

    Raises DataError if a source's share is rounded to nothing.
    """
    parts = _parts([Fraction(str(weight)) for weight in weights])
    period, sources = sum(parts), len(parts)
    if sources == 1:
        return Schedule((1,), np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64))
    part = np.array(parts, dtype=np.int64)
    slack = 2 * sources - 2
    had = np.zeros(sources, dtype=np.int64)
    order, rank = np.empty(period, dtype=np.int64), np.empty(period, dtype=np.int64)
    for draw in range(period):
        # Behind its share after this draw by `owed` / (slack * period); a source may be drawn once that is 1 / slack.
        owed = slack * (part * (draw + 1) - period * had)
        deadline = ((slack - 1) * period - owed) / part  # of those, the one that would first be too late
        chosen = int(np.argmin(np.where(owed >= period, deadline, np.inf)))
        order[draw], rank[draw] = chosen, had[chosen]
        had[chosen] += 1
    return Schedule(parts, order, rank)


def _parts(weights: Sequence[Fraction]) -> tuple[int, ...]:
    """Whole numbers in the proportion of the weights, with a sum of at most LONGEST_PERIOD: exact where that is possible."""
    denominator = math.lcm(*(weight.denominator for weight in weights))
    whole = [int(weight * denominator) for weight in weights]
    divisor = math.gcd(*whole)
    exact = [number // divisor for number in whole]
    if sum(exact) <= LONGEST_PERIOD:
        return tuple(exact)
    quotas = [Fraction(number * LONGEST_PERIOD, sum(exact)) for number in exact]
    parts = [math.floor(quota) for quota in quotas]
    largest = sorted(range(len(parts)), key=lambda source: (parts[source] - quotas[source], source))
    for source in largest[: LONGEST_PERIOD - sum(parts)]:
        parts[source] += 1
    if 0 in parts:
        raise DataError(
            f"the weight of source {parts.index(0)} (of {len(parts)}, from 0) is less than 1/{LONGEST_PERIOD:,} of the "
            "whole; leave the source out, or give it more"
        )
    divisor = math.gcd(*parts)
    return tuple(part // divisor for part in parts)
