"""Tuning: the constants of one program searched over a campaign of many steps, by CMA-ES or TPE.

A campaign's turns come in generations. The points of a generation are a pure function of the campaign's seed, the program
and the turns of all generations before it, so they can be found again from the log alone.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from quiltwork.evolve.draws import draw
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.program import Program
from quiltwork.evolve.proposers.base import Brief, NothingToPropose, Proposal, Turn
from quiltwork.evolve.proposers.constants import Constant, constants, with_constants
from quiltwork.evolve.proposers.region import regions
from quiltwork.evolve.proposers.searches import CmaSearch, Point, Search, TpeSearch, costs_of, popsize

__all__ = ["Tune", "campaign_length", "constants", "decode", "method", "popsize", "with_constants"]

SCALE = 0.3
"""A step of one in the search space moves a constant by about this share of itself."""

ZERO_SCALE = 0.03
"""What it moves a constant that is 0.0: such a term is often new, and small if it is to be anything."""

REACH = 30.0
"""Coordinates are cut here: sinh(30) is 5e12 times the scale."""

LARGEST = 1e300
"""Constants stay finite, whatever a search asks for."""

REMEMBERED = 32
"""Campaigns whose optimiser is kept between turns: an island has one at a time."""


def campaign_length(dimensions: int) -> int:
    """Return the turns of a campaign: 30 generations and four more per dimension, 100 at most. Few campaigns last as long."""
    return popsize(dimensions) * min(30 + 4 * dimensions, 100)


def method(program: Program) -> Literal["cmaes", "tpe"]:
    """Say what tunes a program: CMA-ES from two real constants on, TPE for one or for whole numbers."""
    return "cmaes" if sum(not each.whole for each in constants(program)) >= 2 else "tpe"


def decode(places: Sequence[Constant], point: Point, *, whole_too: bool = True) -> tuple[float, ...]:
    """Turn a point of the search space into constants: c + s sinh(z), with s in proportion to c.

    Near 0 this is a small share of the constant, far out it runs through orders of magnitude, and it passes zero, so a
    wrong sign is no trap. Whole numbers are rounded, keep their sign, and stay above 1 where they were.
    """
    values = []
    for place, z in zip(places, point, strict=True):
        if place.whole and not whole_too:
            values.append(place.value)
            continue
        scale = SCALE * abs(place.value)
        scale = max(scale, 1.0) if place.whole else scale or ZERO_SCALE
        value = place.value + scale * math.sinh(max(-REACH, min(REACH, z)))
        value = max(-LARGEST, min(LARGEST, value))
        values.append(_whole(place.value, value) if place.whole else value)
    return tuple(values)


def _whole(old: float, new: float) -> float:
    lowest = min(abs(old), 2.0)
    size = max(lowest, min(float(round(math.copysign(1.0, old) * new)), 10.0 * abs(old) + 10.0))
    return math.copysign(size, old)


class Tune:
    """The constants of the parent, one point of its campaign at a time."""

    name = "tune"
    heavy = False

    def applies_to(self, problem: Problem) -> bool:
        """Whether some Python of the problem's program may change: constants may come with later programs."""
        return bool(regions(problem.program))

    def propose(self, brief: Brief) -> Proposal:
        """Write the point of turn `brief.turn`; raises `NothingToPropose` for a program without constants.

        A point may by rounding be the parent itself; the campaign goes on all the same.
        """
        program = brief.parent.program
        places = constants(program)
        if not places:
            raise NothingToPropose("no constant inside the blocks")
        generation, index = divmod(brief.turn, popsize(len(places)))
        point = _points(program, brief.campaign_seed, generation, brief.history)[index]
        values = decode(places, point, whole_too=_moves_whole_numbers(places, brief.campaign_seed))
        note = f"tune: {method(program)}, {len(places)} constants, generation {generation}"
        return Proposal(with_constants(program, values), note, point=point)


def _moves_whole_numbers(places: Sequence[Constant], seed: int) -> bool:
    """Half of the campaigns leave them alone where there are others: a count that must not change fails every turn."""
    return all(place.whole for place in places) or bool(draw(seed, 0, "whole numbers").random() < 0.5)


@dataclass(slots=True)
class _Memory:
    """An optimiser that was asked for a generation after it was told all turns before it."""

    search: Search
    told: tuple[tuple[Point, float | None], ...]
    generation: int
    points: tuple[Point, ...]


_memories: OrderedDict[tuple[str, int], _Memory] = OrderedDict()


def forget() -> None:
    """Drop all optimisers that are kept; they are rebuilt from the histories, to the same points."""
    _memories.clear()


def _points(program: Program, seed: int, generation: int, history: Sequence[Turn]) -> tuple[Point, ...]:
    size = popsize(len(constants(program)))
    if len(history) < generation * size:
        raise ValueError(f"generation {generation} needs {generation * size} finished turns, there are {len(history)}")
    told = tuple((turn.point, turn.fitness) for turn in history[: generation * size])
    memory = _memories.pop((program.id, seed), None)
    if memory is None or memory.generation > generation or told[: len(memory.told)] != memory.told:
        memory = _begin(program, seed)
    while memory.generation < generation:
        turns = told[memory.generation * size : (memory.generation + 1) * size]
        memory.search.tell([point for point, _ in turns], costs_of([fitness for _, fitness in turns]))
        memory.generation += 1
        memory.points = memory.search.ask(memory.generation)
    memory.told = told
    _memories[program.id, seed] = memory
    if len(_memories) > REMEMBERED:
        _memories.popitem(last=False)
    return memory.points


def _begin(program: Program, seed: int) -> _Memory:
    dimensions = len(constants(program))
    search: Search = CmaSearch(dimensions, seed) if method(program) == "cmaes" else TpeSearch(dimensions, seed)
    return _Memory(search, (), 0, search.ask(0))
