"""The fold: what is known of a run, from its entries alone.

Results reach the log in whatever order workers finish; `_drain` commits steps in their own order, and only while the next
step to plan has been planned. So every plan is made from the same state, whatever the number of workers, their speed, or
how often the run was interrupted.

The state is owned by whoever folds: `apply` changes it in place and gives it back, since copying 100,000 programs per
entry would serve nobody. An entry that does not fit is a recorded no-op with a reason.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import blake3

from quiltwork.evolve.archives import Archive, Elite, make_archive
from quiltwork.evolve.bandit import Bandit
from quiltwork.evolve.budget import Budget, parse_budget
from quiltwork.evolve.campaign import Campaign
from quiltwork.evolve.config import ProblemConfig
from quiltwork.evolve.entries import (
    Certified,
    Evaluated,
    HeldOut,
    Planned,
    Proposed,
    Refused,
    Resumed,
    Started,
    Stopped,
)
from quiltwork.evolve.islands import Island, migrate, restart_stagnant
from quiltwork.evolve.member import Improvement, Member, Pending
from quiltwork.log import Body, Entry, decode

GAIN_OF_A_NEW_BEST = 1.0
"""What a new best of the run is worth to its proposer, beside the ranks that it climbed."""

GAIN_POWER = 3
"""A rank gained near the top is worth more than one gained near the bottom: a rank r counts as r cubed."""

ISSUES_KEPT = 1_000
"""Entries that did not fit are counted for ever; the reasons of the first ones are kept."""


@dataclass(slots=True)
class State:
    """All that is known of one run. Read it freely; only `apply` changes it."""

    started: Started | None = None
    config: ProblemConfig | None = None
    budget: Budget = field(default_factory=lambda: Budget(0.0, "evals"))
    islands: list[Island] = field(default_factory=list)
    bandit: Bandit = field(default_factory=lambda: Bandit(1.0))
    members: dict[int, Member] = field(default_factory=dict)
    pending: dict[int, Pending] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    campaigns: dict[int, Campaign] = field(default_factory=dict)
    tuned: set[int] = field(default_factory=set)
    best: int | None = None
    improvements: list[Improvement] = field(default_factory=list)
    refusals: dict[str, int] = field(default_factory=dict)
    committed: int = 0
    planned: int = 0
    evaluations: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0
    last_time: int = 0
    driven: bool = False
    stop_reason: str = ""
    held_out: dict[int, dict[str, float]] = field(default_factory=dict)
    certified: dict[int, Certified] = field(default_factory=dict)
    digest: bytes = bytes(32)
    issues: list[tuple[int, str]] = field(default_factory=list)
    issue_count: int = 0

    def wants_plan(self) -> bool:
        """Whether the next step is to be planned now: there is room in the pipeline and in the budget."""
        if self.config is None or len(self.pending) >= self.config.pipeline:
            return False
        if self.planned == 0:
            return True
        if self.committed == 0 or self.members[0].fitness is None:
            return False
        if self.budget.unit == "evals":
            return self.evaluations + len(self.pending) < self.budget.amount
        spent = self.cpu_s if self.budget.unit == "cpu-s" else self.wall_s
        return spent < self.budget.amount

    def finished(self) -> bool:
        """Whether nothing is left to do within the budget."""
        return self.planned > 0 and not self.pending and not self.wants_plan()

    def spent(self) -> float:
        """What has been spent of the budget, in its unit."""
        return {"evals": float(self.evaluations), "cpu-s": self.cpu_s, "wall-s": self.wall_s}[self.budget.unit]

    def fitness_of(self, metrics: dict[str, float]) -> tuple[float, ...]:
        """The metrics that decide, in the problem's order, larger for better."""
        assert self.config is not None
        return tuple(metrics[m.name] if m.direction == "maximize" else -metrics[m.name] for m in self.config.metrics)


def apply(state: State, entry: Entry) -> State:
    """Fold one entry of the log into the state."""
    return apply_body(state, decode(entry), entry.seq, entry.time)


def apply_body(state: State, body: object, seq: int, time: int) -> State:
    """Fold a decoded body; `time` is the entry's, in nanoseconds since 1970."""
    if state.driven and not isinstance(body, Resumed | Started) and time > state.last_time:
        state.wall_s += (time - state.last_time) / 1e9
    state.last_time = time
    issue = _dispatch(state, body)
    if issue:
        state.issue_count += 1
        if len(state.issues) < ISSUES_KEPT:
            state.issues.append((seq, issue))
    return state


def _dispatch(state: State, body: object) -> str:
    """Apply one body; returns why it was not applied, or nothing."""
    match body:
        case Started():
            return _start(state, body)
        case _ if state.started is None:
            return "the run has not started"
        case Planned():
            return _plan(state, body)
        case Proposed():
            return _propose(state, body)
        case Evaluated() | Refused():
            return _conclude(state, body)
        case Resumed():
            state.budget, state.driven, state.stop_reason = parse_budget(body.budget), True, ""
        case Stopped():
            state.cpu_s += body.host_cpu_s + body.ended_cpu_s
            state.driven, state.stop_reason = False, body.reason
        case HeldOut():
            state.held_out[body.step] = body.metrics
        case Certified():
            state.certified[body.step] = body
        case Body():
            return f"{type(body).__name__} is not an entry of evolve"
        case _:
            return f"unreadable entry: {body}"
    return ""


def _start(state: State, body: Started) -> str:
    if state.started is not None:
        return "the run has started already"
    config = ProblemConfig.model_validate_json(body.config)
    state.started, state.config, state.budget, state.driven = body, config, parse_budget(body.budget), True
    count = config.search.islands if config.search.kind == "quilt" else 1
    state.islands = [Island(new_archive(state, index)) for index in range(count)]
    state.bandit = Bandit(config.search.discount)
    return ""


def new_archive(state: State, index: int) -> Archive:
    """An empty archive for island `index`."""
    assert state.config is not None
    assert state.started is not None
    return make_archive(state.config, state.started.seed)


def _plan(state: State, body: Planned) -> str:
    if body.step != state.planned:
        return f"step {body.step} was planned when step {state.planned} was next"
    if not 0 <= body.island < len(state.islands):
        return f"step {body.step} was planned for island {body.island} of {len(state.islands)}"
    missing = [parent for parent in (*body.parents, *body.inspirations) if parent not in state.members]
    if missing:
        return f"step {body.step} was planned from steps that are not known: {missing}"
    if body.campaign is not None:
        if body.campaign == body.step and body.parents and body.dimensions > 0:
            state.tuned.add(body.parents[0])
            state.campaigns[body.step] = Campaign(body.step, body.island, body.parents[0], body.dimensions)
        if body.campaign not in state.campaigns:
            return f"step {body.step} was planned for campaign {body.campaign}, which is not open"
        state.campaigns[body.campaign].asked += 1
    state.planned += 1
    state.cpu_s += body.host_cpu_s
    state.pending[body.step] = Pending(body)
    _drain(state)
    return ""


def _propose(state: State, body: Proposed) -> str:
    pending = state.pending.get(body.step)
    if pending is None:
        return f"step {body.step} is not pending, yet a program was proposed for it"
    if pending.proposed is not None:
        return f"step {body.step} has a proposal already"
    pending.proposed = body
    state.cpu_s += body.cost.cpu_s
    return ""


def _conclude(state: State, body: Evaluated | Refused) -> str:
    pending = state.pending.get(body.step)
    if pending is None:
        return f"step {body.step} is not pending, yet a verdict came"
    if pending.outcome is not None:
        return f"step {body.step} has a verdict already"
    if isinstance(body, Evaluated) and pending.proposed is None:
        return f"step {body.step} was evaluated before a program was proposed for it"
    pending.outcome = body
    state.cpu_s += body.cost.cpu_s
    _drain(state)
    return ""


def _drain(state: State) -> None:
    while not state.wants_plan():
        pending = state.pending.get(state.committed)
        if pending is None or pending.outcome is None:
            return
        del state.pending[state.committed]
        _commit(state, pending)
        state.committed += 1
        _tend_islands(state)


def _commit(state: State, pending: Pending) -> None:
    """A step becomes history: it is judged new or a duplicate, placed, and its proposer is paid."""
    planned, proposed, outcome = pending.planned, pending.proposed, pending.outcome
    assert outcome is not None
    member = Member(
        planned.step,
        planned.arm,
        planned.island,
        planned.parents,
        verdict="",
        start=planned.start,
        cpu_s=outcome.cost.cpu_s,
    )
    if proposed is not None:
        member.program, member.note = proposed.program, proposed.note
        member.cpu_s += proposed.cost.cpu_s
    twin = state.seen.get(proposed.normal) if proposed is not None and planned.arm != "again" else None
    if isinstance(outcome, Refused) or twin is not None:
        member.verdict = "duplicate" if twin is not None else outcome.reason if isinstance(outcome, Refused) else ""
        member.detail = f"the same program as step {twin}" if twin is not None else outcome.detail
    else:
        assert proposed is not None
        state.evaluations += 1
        member.verdict, member.detail, member.artifacts = outcome.verdict, outcome.detail, outcome.artifacts
        if planned.arm != "again":
            state.seen[proposed.normal] = planned.step
        if outcome.verdict == "ok" and not _accept(state, member, proposed, outcome):
            member.verdict = "malformed"
    if member.fitness is None:
        state.refusals[member.verdict] = state.refusals.get(member.verdict, 0) + 1
    state.members[planned.step] = member
    gain, improved = _settle(state, member)
    if planned.arm not in ("seed", "again"):
        cost = max(member.cpu_s, 1e-4) if state.budget.unit != "evals" else 1.0
        state.bandit.pay(planned.arm, gain=gain, cost=cost, cpu_s=member.cpu_s, improved=improved)
    if planned.campaign is not None:
        reference = state.members[twin].fitness if twin is not None else member.fitness
        _advance_campaign(state, planned, proposed, reference)
    state.digest = blake3.blake3(state.digest + member.history_line()).digest()


def _accept(state: State, member: Member, proposed: Proposed, outcome: Evaluated) -> bool:
    """Take a score over; false where it lacks what the problem asks for, or is not finite: a log may hold anything."""
    assert state.config is not None
    measured = {"program.nodes": float(proposed.nodes), "program.lines": float(proposed.lines), **outcome.descriptors}
    metrics = [outcome.metrics.get(metric.name, math.nan) for metric in state.config.metrics]
    descriptors = tuple(measured.get(descriptor.name, math.nan) for descriptor in state.config.descriptors)
    if not all(map(math.isfinite, (*metrics, *descriptors))):
        return False
    member.fitness = state.fitness_of(outcome.metrics)
    member.metrics = outcome.metrics
    member.descriptors = descriptors
    member.construction = outcome.construction
    member.samples = outcome.repeats
    return True


def _settle(state: State, member: Member) -> tuple[float, bool]:
    """Put a member where it belongs; returns the rank that it gained over its parent, and whether it is the run's best."""
    if member.arm == "again":
        _merge_again(state, member)
        return 0.0, False
    if member.fitness is None:
        return 0.0, False
    island = state.islands[member.island]
    parent = state.members[member.parents[0]].fitness if member.parents else None
    before = island.rank(parent) if parent is not None else 0.0
    after = island.rank(member.fitness)
    elite = Elite(member.step, member.fitness, member.descriptors)
    kept = [
        target.offer(elite, now=state.committed) for target in (state.islands if member.arm == "seed" else [island])
    ]
    # Only what the archive keeps is a gain: else many near-copies of one improvement would be paid as often.
    gain = max(0.0, after**GAIN_POWER - before**GAIN_POWER) if member.parents and kept[0] else 0.0
    improved = _crown(state, member)
    return gain + GAIN_OF_A_NEW_BEST * improved, improved


def _crown(state: State, member: Member) -> bool:
    assert member.fitness is not None
    champion = state.members[state.best].fitness if state.best is not None else None
    if champion is not None and member.fitness <= champion:
        return False
    state.best = member.step
    assert state.config is not None
    value = member.metrics[state.config.metrics[0].name]
    state.improvements.append(Improvement(member.step, state.evaluations, state.cpu_s, value))
    return True


def _merge_again(state: State, again: Member) -> None:
    """An elite of a noisy problem was run once more: its metrics become the mean of all its runs, wherever it lives."""
    elder = state.members[again.parents[0]]
    if elder.fitness is None:
        return
    if again.fitness is None:
        elder.fitness, elder.verdict, elder.detail = None, again.verdict, f"failed when run again: {again.detail}"
    else:
        total = elder.samples + again.samples
        elder.metrics = {
            name: (value * elder.samples + again.metrics.get(name, value) * again.samples) / total
            for name, value in elder.metrics.items()
        }
        elder.samples = total
        elder.fitness = state.fitness_of(elder.metrics)
    for island in state.islands:
        if elder.step in island.archive:
            island.archive.remove(elder.step)
            if elder.fitness is not None:
                island.archive.add(Elite(elder.step, elder.fitness, elder.descriptors))
    bests = [best for island in state.islands if (best := island.best) is not None]
    state.best = max(bests, key=lambda elite: (elite.fitness, -elite.step)).step if bests else None


def _advance_campaign(
    state: State, planned: Planned, proposed: Proposed | None, fitness: tuple[float, ...] | None
) -> None:
    assert planned.campaign is not None
    campaign = state.campaigns.get(planned.campaign)
    if campaign is None:
        return
    if proposed is not None:
        campaign.tell(proposed.point, fitness[0] if fitness is not None else None)
    if proposed is None or campaign.finished:
        del state.campaigns[planned.campaign]


def _tend_islands(state: State) -> None:
    assert state.config is not None
    search, now = state.config.search, state.committed
    if search.kind != "quilt" or len(state.islands) == 1:
        return
    if now % search.migrate_every == 0:
        restart_stagnant(state.islands, lambda index: new_archive(state, index), after=search.restart_after, now=now)
        migrate(state.islands, now=now)
