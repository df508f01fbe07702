"""From points to curves over bytes and over time, and to what is said of them. Pure: no torch, no files.

Time is reckoned by the planner (`pretrain.plan`): a round takes as long as was measured on one core of this machine, and then
the exchange of updates of the size that was counted, among members with equal links. Where updates are applied a round late,
the longer of the two counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from quiltwork.pretrain.compare.comparison import Link
from quiltwork.pretrain.compare.contestants import Contestant
from quiltwork.pretrain.footprint import Footprint
from quiltwork.pretrain.plan import Job, Site, plan

SHORTEST_S = 1e-9
"""A clock of the processor may not have moved in a round."""


class Point(NamedTuple):
    """What was seen after so many steps, in so many rounds."""

    step: int
    rounds: int
    loss: float
    """Nats per token of what is held out."""
    sent: int
    """Bytes that a member has sent: its own updates, each once."""
    compute_s: float
    """Seconds of one core, of a member."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One contestant's way, as far as it has come. `points` begin before the first step."""

    contestant: Contestant
    points: tuple[Point, ...]
    diverged: str = ""

    @property
    def last(self) -> Point:
        """Its end."""
        return self.points[-1]

    @property
    def sound(self) -> tuple[Point, ...]:
        """The points that have a loss at all."""
        return tuple(point for point in self.points if math.isfinite(point.loss))


@dataclass(frozen=True, slots=True)
class Summary:
    """A line of the table. None: there is nothing to say."""

    curve: Curve
    loss: float
    gap: float | None
    """To dense AdamW's loss, as a part of it."""
    sent: int
    fewer: float
    """How many times more fp32 gradients would be, sent in each step."""
    step_s: float
    """Of one core, of a member, for each step."""
    seconds: float
    """Of all steps over the link."""
    reach_sent: float | None
    """Bytes until the loss that all reach."""
    reach_s: float | None
    """Seconds until it."""


def seconds(point: Point, contestant: Contestant, members: int, link: Link) -> float:
    """Say how long it takes to come to a point with such links."""
    if not point.rounds:
        return 0.0
    compute_s = max(point.compute_s / point.rounds, SHORTEST_S)
    payload = Footprint(round(point.sent / point.rounds), 0, 0, 0, 0, 0, 0)
    # A unit of one operation for each member, on machines that take `compute_s` for it.
    job = Job(
        parameters=0,
        flops_per_token=1.0,
        footprint=payload,
        sequence_length=1,
        sequences=members,
        unit_sequences=1,
        tokens=1,
        hidden=contestant.late,
    )
    site = Site("each", flops=1 / compute_s, up_mbit=link.mbit, down_mbit=link.mbit, delay_s=link.delay_ms / 1e3)
    return plan(job, [site] * members).round_s * point.rounds


def common_loss(curves: Sequence[Curve]) -> float | None:
    """Give the lowest loss that all reach which have not diverged; None if there is none below where they began."""
    lowest = [min(point.loss for point in curve.sound) for curve in curves if not curve.diverged]
    return max(lowest) if lowest and max(lowest) < max(curve.points[0].loss for curve in curves) else None


def reached(points: Sequence[Point], across: Callable[[Point], float], loss: float) -> float | None:
    """Say how far `across` a loss is reached first, on the straight line between two points."""
    for before, after in pairwise(points):
        if after.loss <= loss < before.loss:
            part = (before.loss - loss) / (before.loss - after.loss)
            return across(before) + part * (across(after) - across(before))
    return None


def summaries(curves: Sequence[Curve], *, dense_bytes: int, members: int, link: Link) -> list[Summary]:
    """Say of every contestant what came of it, in their order. `dense_bytes` are those of fp32 gradients."""
    goal = common_loss(curves)
    dense = next((curve.last.loss for curve in curves if curve.contestant.name == "adamw" and not curve.diverged), None)
    return [_summary(curve, goal, dense, dense_bytes, members, link) for curve in curves]


def _summary(
    curve: Curve, goal: float | None, dense: float | None, dense_bytes: int, members: int, link: Link
) -> Summary:
    last, contestant = curve.last, curve.contestant
    return Summary(
        curve=curve,
        loss=last.loss,
        gap=None if dense is None or not math.isfinite(last.loss) else last.loss / dense - 1,
        sent=last.sent,
        fewer=dense_bytes * last.step / last.sent if last.sent else math.inf,
        step_s=last.compute_s / last.step if last.step else 0.0,
        seconds=seconds(last, contestant, members, link),
        reach_sent=None if goal is None else reached(curve.sound, lambda point: point.sent, goal),
        reach_s=None
        if goal is None
        else reached(curve.sound, lambda point: seconds(point, contestant, members, link), goal),
    )
