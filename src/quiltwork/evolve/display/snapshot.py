"""What a screen shows of a run at one moment: plain data, taken from the state, that nothing changes afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from quiltwork.evolve.proposers import CONVERSERS, kind_of

if TYPE_CHECKING:
    from quiltwork.evolve.problem import Problem
    from quiltwork.evolve.state import State

ASKING = (*CONVERSERS, "meta")
"""Kinds of arms that wait for replies."""

EVENTS_KEPT = 12
"""Last improvements that a snapshot carries: more than any terminal has room for."""


@dataclass(frozen=True, slots=True)
class KnownView:
    """A value of the first metric that somebody has reached, with where it is written."""

    who: str
    value: float
    source: str = ""


@dataclass(frozen=True, slots=True)
class BestView:
    """The run's best program. `certified` is the exact value as a rational, where it was proved."""

    step: int
    value: float
    note: str
    arm: str
    metrics: Mapping[str, float]
    held_out: Mapping[str, float] | None = None
    certified: str | None = None


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The best value from here on, with what had been spent when it was reached."""

    evaluations: int
    cpu_s: float
    value: float


@dataclass(frozen=True, slots=True)
class ArmView:
    """A proposer. `share` is its part of the steps, `credit` its part of all expected gain per cost (both 0 to 1).

    `gains` counts the times it made the run's best better.
    """

    name: str
    steps: int
    share: float
    credit: float
    gains: int
    cpu_s: float


@dataclass(frozen=True, slots=True)
class AskedView:
    """What was asked of models on behalf of an arm, a meta-prompt or a judge.

    Of the `steps` that had a reply, `applied` made a program of it, `repaired` of them at the second attempt.
    """

    name: str
    replies: int
    tokens: int
    usd: float
    wall_s: float
    steps: int
    applied: int
    repaired: int


@dataclass(frozen=True, slots=True)
class IslandView:
    """An island: elites kept, of how many cells (0: its archive has none), its best, steps since that got better."""

    index: int
    size: int
    cells: int
    best: float | None
    stagnant_for: int
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class BudgetView:
    """What may be spent and has been, in `unit`: evals, cpu-s, wall-s, tokens or usd; of several limits the nearest."""

    unit: str
    total: float
    spent: float


@dataclass(frozen=True, slots=True)
class EventView:
    """The run's best got better."""

    step: int
    value: float
    arm: str
    note: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment of a run. `curve` and `events` are oldest first; `known` has the reference first, the record last.

    `steps` are committed ones, `evaluations` those of them that ran the evaluator, `refusals` counts the programs that
    were refused, by reason, duplicates included. `stop_reason` is empty while the run is driven.
    """

    problem: str
    metric: str
    maximize: bool
    seed: int
    budget: BudgetView
    steps: int = 0
    evaluations: int = 0
    refusals: Mapping[str, int] = field(default_factory=dict)
    known: tuple[KnownView, ...] = ()
    best: BestView | None = None
    curve: tuple[CurvePoint, ...] = ()
    arms: tuple[ArmView, ...] = ()
    asked: tuple[AskedView, ...] = ()
    instructed: int = 0
    """Steps that ended with a new instruction in place of a program."""
    waiting: int = 0
    """Steps that wait for a reply."""
    islands: tuple[IslandView, ...] = ()
    events: tuple[EventView, ...] = ()
    wall_s: float = 0.0
    cpu_s: float = 0.0
    tokens: int = 0
    usd: float = 0.0
    stop_reason: str = ""
    heard: str = ""
    """What a model's server last did otherwise than expected."""

    @property
    def valid(self) -> int:
        """Steps whose program has a score."""
        return max(0, self.steps - self.instructed - sum(self.refusals.values()))

    @property
    def duplicates(self) -> int:
        """Steps whose program had been seen before."""
        return self.refusals.get("duplicate", 0)


def snapshot(state: State, problem: Problem, heard: str = "") -> Snapshot:
    """Take a snapshot. Containers are copied before they are walked: the fold may go on in another thread."""
    assert state.started is not None
    metric = problem.config.metrics[0]
    return Snapshot(
        problem=problem.config.name,
        metric=metric.name,
        maximize=metric.direction == "maximize",
        seed=state.started.seed,
        budget=_nearest_limit(state),
        steps=state.committed,
        evaluations=state.evaluations,
        refusals=state.refusals.copy(),
        known=tuple(KnownView(known.who, known.value, known.source) for known in problem.known),
        best=_best(state, metric.name),
        curve=tuple(CurvePoint(i.evaluations, i.cpu_s, i.value) for i in state.improvements.copy()),
        arms=_arms(state),
        asked=_asked(state),
        instructed=sum(instruction.step is not None for instruction in state.instructions.copy()),
        waiting=sum(
            pending.proposed is None and pending.outcome is None and kind_of(pending.planned.arm) in ASKING
            for pending in list(state.pending.values())
        ),
        islands=_islands(state, metric.direction == "maximize"),
        events=_events(state),
        wall_s=state.wall_s,
        cpu_s=state.cpu_s,
        tokens=state.tokens,
        usd=state.usd,
        stop_reason=state.stop_reason,
        heard=heard,
    )


def _nearest_limit(state: State) -> BudgetView:
    views = [BudgetView(limit.unit, limit.amount, state.spent_in(limit.unit)) for limit in state.budget.limits]
    return max(views, key=lambda view: view.spent / view.total if view.total else 0.0)


def _asked(state: State) -> tuple[AskedView, ...]:
    views = [
        AskedView(
            name=name,
            replies=asked.replies,
            tokens=asked.prompt_tokens + asked.completion_tokens,
            usd=asked.usd,
            wall_s=asked.wall_s,
            steps=asked.steps,
            applied=asked.applied,
            repaired=asked.repaired,
        )
        for name, asked in state.asked.copy().items()
    ]
    return tuple(sorted(views, key=lambda view: (-view.replies, view.name)))


def _best(state: State, metric: str) -> BestView | None:
    member = state.members.get(state.best) if state.best is not None else None
    if member is None:
        return None
    certified = state.certified.get(member.step)
    return BestView(
        step=member.step,
        value=member.metrics[metric],
        note=member.note,
        arm=member.arm,
        metrics=dict(member.metrics),
        held_out=state.held_out.get(member.step),
        certified=certified.value if certified is not None else None,
    )


def _arms(state: State) -> tuple[ArmView, ...]:
    arms = state.bandit.arms.copy()
    steps = sum(arm.steps for arm in arms.values()) or 1
    rates = {name: state.bandit.rate(name) for name in arms}
    total = sum(rates.values()) or 1.0
    views = [
        ArmView(name, arm.steps, arm.steps / steps, rates[name] / total, arm.improvements, arm.cpu_s)
        for name, arm in arms.items()
    ]
    return tuple(sorted(views, key=lambda view: (-view.credit, view.name)))


def _islands(state: State, maximize: bool) -> tuple[IslandView, ...]:
    views = []
    for index, island in enumerate(list(state.islands)):
        best = island.best
        views.append(
            IslandView(
                index=index,
                size=len(island.archive),
                cells=getattr(island.archive, "cells", 0),
                best=None if best is None else best.fitness[0] if maximize else -best.fitness[0],
                stagnant_for=max(0, state.committed - island.improved_at),
                restarts=island.restarts,
            )
        )
    return tuple(views)


def _events(state: State) -> tuple[EventView, ...]:
    events = []
    for improvement in state.improvements[-EVENTS_KEPT:]:
        member = state.members.get(improvement.step)
        arm, note = (member.arm, member.note) if member is not None else ("", "")
        events.append(EventView(improvement.step, improvement.value, arm, note))
    return tuple(events)
