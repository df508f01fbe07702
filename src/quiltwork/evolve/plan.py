"""What to do next: a pure function of the state. Every choice draws from a generator keyed by (seed, step, purpose)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from quiltwork.evolve.config import SearchConfig
from quiltwork.evolve.draws import draw
from quiltwork.evolve.entries import Planned
from quiltwork.evolve.proposers import kind_of
from quiltwork.evolve.state import State

Dimensions = Callable[[str], int]
"""How many constants the program with this blob id has for `tune`: a function of its content alone."""

NEW_STRUCTURES = ("mutate", "cross", "compose", "llm", "agent")
"""Kinds of proposers whose children may be of a form that nobody has tuned."""

RECENT = 256
"""Committed steps among which a new structure is looked for, and a failure to learn from."""

NOT_THE_PROGRAM = ("duplicate", "similar", "worker", "threshold")
"""Verdicts from which a model learns nothing about the program that was refused."""

TUNE_NEW, TUNE_AGAIN = 0.5, 0.25
"""Chance that a campaign takes up a new structure where there is one, and that it takes up again what was tuned before."""


def plan(state: State, arms: Sequence[str], dimensions: Dimensions) -> Planned:
    """Plan the step `state.planned`. `arms` are the proposers that the problem and the user allow (at least one)."""
    assert state.started is not None
    assert state.config is not None
    step, search = state.planned, state.config.search
    if step == 0:
        return Planned(step=0, arm="seed", island=0)
    island = step % len(state.islands)
    rng = draw(state.started.seed, step, "plan")
    if state.config.noisy and rng.random() < search.reevaluate:
        return _again(state, step, island, rng)
    parents = _parents(state, island, rng, 1 + search.inspirations)
    tuning = _tuning(state, step, island, parents[0], dimensions, rng) if "tune" in arms else None
    alone = set(parents) == {parents[0]}
    able = [arm for arm in arms if (tuning or arm != "tune") and not (alone and arm.endswith(":cross"))] or ["tune"]
    arm = _choose_arm(state, able, rng)
    if arm == "tune":
        return tuning or _open_campaign(state, step, island, parents[0], dimensions)
    planned = Planned(
        step=step,
        arm=arm,
        island=island,
        parents=(parents[0],),
        inspirations=tuple(dict.fromkeys(p for p in parents[1:] if p != parents[0])),
        start=_start(state, parents[0]),
        incumbent=_incumbent(state, parents[0]),
    )
    return _asking(state, planned, rng) if kind_of(arm) in ("llm", "agent") else planned


def _asking(state: State, planned: Planned, rng: np.random.Generator) -> Planned:
    """What a model or an agent is told and shown; now and then a model is asked for a new instruction instead."""
    assert state.config is not None
    llm = state.config.llm
    ranking = state.ranked_instructions()
    if kind_of(planned.arm) == "llm" and rng.random() < llm.meta_share:
        model = planned.arm.split(":")[1]
        return Planned(step=planned.step, arm=f"meta:{model}", island=planned.island, ranking=ranking)
    if planned.arm.endswith(":complete"):
        return planned  # a continued function is told nothing, so no instruction is to be credited with it
    chosen = int(state.credit.choose([str(number) for number in ranking], rng, explore=state.config.search.explore))
    return msgspec.structs.replace(planned, instruction=chosen, failures=_failures(state, planned.island, llm.failures))


def _failures(state: State, island: int, count: int) -> tuple[int, ...]:
    """The last programs of an island that were refused for what they are."""
    found: list[int] = []
    for number in range(state.committed - 1, max(0, state.committed - RECENT) - 1, -1):
        if len(found) == count:
            break
        member = state.members[number]
        refused = member.fitness is None and member.program is not None and member.verdict not in NOT_THE_PROGRAM
        if refused and member.island == island and member.arm != "again":
            found.append(number)
    return tuple(found)


def _choose_arm(state: State, arms: Sequence[str], rng: np.random.Generator) -> str:
    """The quilt's bandit, or for the baselines one arm at uniform: they are to show what selection adds."""
    assert state.config is not None
    search: SearchConfig = state.config.search
    if search.kind != "quilt":
        return arms[int(rng.integers(len(arms)))]
    return state.bandit.choose(arms, rng, explore=search.explore)


def _parents(state: State, island: int, rng: np.random.Generator, count: int) -> list[int]:
    """Parent and inspirations of a step, as the kind of search has it."""
    assert state.config is not None
    match state.config.search.kind:
        case "best_of_n":
            return [0] * count
        case "one_plus_one":
            return [state.best or 0] * count
        case "random":
            found: list[int] = []
            while len(found) < count:
                member = state.members[int(rng.integers(state.committed))]
                if member.fitness is not None and member.arm != "again":
                    found.append(member.step)
            return found
        case "quilt":
            elites = state.islands[island].draw(rng, count, greed=state.config.search.greed)
            return [elite.step for elite in elites]


def _again(state: State, step: int, island: int, rng: np.random.Generator) -> Planned:
    elite = state.islands[island].draw(rng, 1, greed=state.config.search.greed if state.config else 0.0)[0].step
    return Planned(step=step, arm="again", island=island, parents=(elite,), start=state.members[elite].start)


def _tuning(
    state: State, step: int, island: int, elite: int, dimensions: Dimensions, rng: np.random.Generator
) -> Planned | None:
    """The island's campaign goes on, or a new one opens; None while it waits for a generation, or with nothing to tune."""
    open_here = [campaign for campaign in state.campaigns.values() if campaign.island == island]
    for campaign in open_here:
        if campaign.ready:
            return Planned(
                step=step,
                arm="tune",
                island=island,
                parents=(campaign.parent,),
                campaign=campaign.opened,
                turn=campaign.asked,
                dimensions=campaign.dimensions,
                start=_start(state, campaign.parent),
                incumbent=_incumbent(state, campaign.parent),
            )
    parent = None if open_here else _worth_tuning(state, island, elite, rng)
    if parent is None or dimensions(state.members[parent].program or "") == 0:
        return None
    return _open_campaign(state, step, island, parent, dimensions)


def _worth_tuning(state: State, island: int, elite: int, rng: np.random.Generator) -> int | None:
    """Whose constants to tune: half the time the best new structure, since it must be tuned before it can beat what was.

    Else the elite that was drawn, but seldom one that has been tuned already.
    """
    untuned = [
        member
        for number in range(max(0, state.committed - RECENT), state.committed)
        if (member := state.members[number]).fitness is not None
        and member.island == island
        and kind_of(member.arm) in NEW_STRUCTURES
        and number not in state.tuned
    ]
    if untuned and rng.random() < TUNE_NEW:
        return max(untuned, key=lambda member: (member.fitness or (), -member.step)).step
    again = elite in state.tuned or state.members[elite].arm == "tune"
    return None if again and rng.random() > TUNE_AGAIN else elite


def _open_campaign(state: State, step: int, island: int, parent: int, dimensions: Dimensions) -> Planned:
    count = dimensions(state.members[parent].program or "")
    return Planned(
        step=step,
        arm="tune",
        island=island,
        parents=(parent,),
        campaign=step if count else None,
        dimensions=count,
        start=_start(state, parent),
        incumbent=_incumbent(state, parent),
    )


def _start(state: State, parent: int) -> str | None:
    """The construction that a child starts from: its parent's."""
    assert state.config is not None
    carried = state.config.construction is not None and state.config.construction.carried
    return state.members[parent].construction if carried else None


def _incumbent(state: State, parent: int) -> float | None:
    """What a noisy child races against: its parent's fitness as it stands now."""
    assert state.config is not None
    fitness = state.members[parent].fitness
    return fitness[0] if state.config.noisy and fitness is not None else None
