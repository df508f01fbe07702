"""A step becomes history: it is judged new or known, placed in the archives, and its proposer is paid."""

from __future__ import annotations

import math

import blake3

from quiltwork.evolve.archives import Archive, Elite, make_archive
from quiltwork.evolve.entries import Evaluated, Instructed, Planned, Proposed, Refused
from quiltwork.evolve.facts import State
from quiltwork.evolve.islands import migrate, restart_stagnant
from quiltwork.evolve.member import Improvement, Instruction, Member, Pending

GAIN_OF_A_NEW_BEST = 1.0
"""What a new best of the run is worth to its proposer, beside the ranks that it climbed."""

GAIN_POWER = 3
"""A rank gained near the top is worth more than one gained near the bottom: a rank r counts as r cubed."""

LEAST_COST = {"evals": 1.0, "cpu-s": 1e-4, "wall-s": 1e-4, "tokens": 100.0, "usd": 1e-4}
"""What a step costs its proposer at least, in each currency: nothing is free, or it would never stop."""

UNPAID = ("seed", "again", "meta")
"""Arms that the bandit does not choose."""


def commit(state: State, pending: Pending) -> None:
    """Make the next step history."""
    planned, proposed = pending.planned, pending.proposed
    member = Member(
        planned.step,
        planned.arm,
        planned.island,
        planned.parents,
        verdict="",
        start=planned.start,
        instruction=planned.instruction,
        tokens=pending.tokens,
        usd=pending.usd,
        waited_s=pending.waited_s,
    )
    if proposed is not None:
        member.program, member.note, member.cpu_s = proposed.program, proposed.note, proposed.cost.cpu_s
        member.embedding = proposed.embedding
    twin = state.seen.get(proposed.normal) if proposed is not None and planned.arm != "again" else None
    _judge(state, member, pending, twin)
    state.members[planned.step] = member
    gain, improved = _settle(state, member)
    _pay(state, member, pending, gain=gain, improved=improved)
    if planned.campaign is not None:
        reference = state.members[twin].fitness if twin is not None else member.fitness
        _advance_campaign(state, planned, proposed, reference)
    state.digest = blake3.blake3(state.digest + member.history_line()).digest()


def _judge(state: State, member: Member, pending: Pending, twin: int | None) -> None:
    """Give a member its verdict, and its score where it has one."""
    proposed, outcome = pending.proposed, pending.outcome
    assert outcome is not None
    if isinstance(outcome, Instructed):
        member.verdict, member.note = "instruction", outcome.text
        state.instructions.append(Instruction(outcome.text, outcome.parent, member.step))
        return
    member.cpu_s += outcome.cost.cpu_s
    if twin is not None:
        member.verdict, member.detail = "duplicate", f"the same program as step {twin}"
    elif isinstance(outcome, Refused):
        member.verdict, member.detail = outcome.reason, outcome.detail
    else:
        assert proposed is not None
        state.evaluations += 1
        member.verdict, member.detail, member.artifacts = outcome.verdict, outcome.detail, outcome.artifacts
        if member.arm != "again":
            state.seen[proposed.normal] = member.step
        if outcome.verdict == "ok" and not _accept(state, member, proposed, outcome):
            member.verdict = "malformed"
    if member.fitness is None:
        state.refusals[member.verdict] = state.refusals.get(member.verdict, 0) + 1


def _pay(state: State, member: Member, pending: Pending, *, gain: float, improved: bool) -> None:
    """Credit the proposer, and the instruction that a model was given, in the currency of the budget."""
    asked = state.asked.get(member.arm)
    if asked is not None:
        asked.steps += 1
        asked.applied += pending.proposed is not None
        asked.repaired += pending.repaired and pending.proposed is not None
    if member.arm.partition(":")[0] in UNPAID:
        return
    cost = cost_of(member, state.budget.unit)
    state.bandit.pay(member.arm, gain=gain, cost=cost, cpu_s=member.cpu_s, improved=improved)
    if member.instruction is not None:
        state.credit.pay(str(member.instruction), gain=gain, cost=cost, cpu_s=0.0, improved=improved)


def cost_of(member: Member, unit: str) -> float:
    """What a step cost, in a currency. A second that was waited for a model counts as a second of work."""
    match unit:
        case "tokens":
            cost = float(member.tokens)
        case "usd":
            cost = member.usd
        case "evals":
            cost = 1.0
        case _:
            cost = member.cpu_s + member.waited_s
    return max(cost, LEAST_COST[unit])


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
        elder.first = elder.first or elder.metrics
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


def new_archive(state: State, index: int) -> Archive:
    """An empty archive for island `index`."""
    assert state.config is not None
    assert state.started is not None
    return make_archive(state.config, state.started.seed)


def tend_islands(state: State) -> None:
    """Now and then: stagnant islands begin anew, and elites migrate round the ring."""
    assert state.config is not None
    search, now = state.config.search, state.committed
    if search.kind != "quilt" or len(state.islands) == 1:
        return
    if now % search.migrate_every == 0:
        restart_stagnant(state.islands, lambda index: new_archive(state, index), after=search.restart_after, now=now)
        migrate(state.islands, now=now)
