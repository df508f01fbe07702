"""Which units a member trains in a round: in proportion to its speed, chosen by the round's seed and by nobody else.

A unit is a fixed number of sequences with a number of its own, from 0 on. Units that came to nothing are given again before
fresh ones, so that each is trained exactly once.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from quiltwork.pretrain.deadlines import median
from quiltwork.pretrain.selection import permutation

M = TypeVar("M", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Assignment(Generic[M]):
    """One round's work. `units` has every member, some with nothing; `taken` of the lost units and `fresh` new ones."""

    units: dict[M, tuple[int, ...]]
    taken: int
    fresh: int


def assign(
    speeds: Mapping[M, int], units: int, *, lost: Sequence[int], next_unit: int, most: int, seed: bytes
) -> Assignment[M]:
    """Give `units` units to members, each at most `most`: lost ones in their order, then fresh ones from `next_unit` on.

    `speeds` has the members in an order that all folds share, with speeds in any common unit; members whose speed is 0 are
    thought as fast as the median of the others. If all together may not have so many, they are given what they may. Which
    units a member gets is drawn from the 32-byte `seed`. Every member's units are in rising order.
    """
    shares = apportion(filled(speeds.values()), units, most)
    given = sum(shares)
    taken = min(len(lost), given)
    pool = [*lost[:taken], *range(next_unit, next_unit + given - taken)]
    order = permutation(given, seed, "units").tolist()
    result, start = {}, 0
    for member, share in zip(speeds, shares, strict=True):
        result[member] = tuple(sorted(pool[place] for place in order[start : start + share]))
        start += share
    return Assignment(result, taken, given - taken)


def filled(speeds: Iterable[int]) -> list[int]:
    """Replace speeds that nobody knows (0 or less) by the median of the known ones, or by 1 where none is known."""
    values = list(speeds)
    known = [speed for speed in values if speed > 0]
    usual = max(median(known), 1) if known else 1
    return [speed if speed > 0 else usual for speed in values]


def apportion(weights: Sequence[int], total: int, most: int) -> list[int]:
    """Divide `total` by the method of largest remainders (Hamilton's), nobody above `most`. Weights are positive.

    Shares differ from exact proportion by less than 1, where nobody reaches `most`; who would exceed it gets `most`, and the
    rest is divided among the others by the same rule. The shares add up to `total`, or to `most` each if that is less. Of
    equal remainders the earlier member's counts more.
    """
    shares = [0] * len(weights)
    left = min(max(total, 0), max(most, 0) * len(weights))
    sharing = set(range(len(weights)))
    while left:
        weight = sum(weights[member] for member in sharing)
        full = {member for member in sharing if left * weights[member] >= most * weight}
        if not full:
            break
        for member in full:
            shares[member] = most
        left -= most * len(full)
        sharing -= full
    if left:
        for member in sharing:
            shares[member] = left * weights[member] // weight
        by_remainder = sorted(sharing, key=lambda member: (-(left * weights[member] % weight), member))
        for member in by_remainder[: left - sum(shares[member] for member in sharing)]:
            shares[member] += 1
    return shares
