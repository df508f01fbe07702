"""The one conversation between a run and whoever changes programs: `propose(brief) -> Proposal`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from quiltwork.evolve.problem import Problem
from quiltwork.evolve.program import Program
from quiltwork.evolve.score import Data


@dataclass(frozen=True, slots=True)
class Specimen:
    """A program that has been evaluated, as a proposer sees it. `fitness` is larger for better, whatever the direction."""

    program: Program
    fitness: tuple[float, ...]
    metrics: Mapping[str, float]
    artifacts: Mapping[str, str]
    construction: Data = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One finished step of a tuning campaign: the point that was tried and the fitness it had (None: it failed)."""

    point: tuple[float, ...]
    fitness: float | None


@dataclass(frozen=True, slots=True)
class Brief:
    """All that a proposer may know of the run. The same brief always gives the same proposal.

    `start` is the construction to improve (the best one at hand), `history` the campaign's finished turns in order, `turn`
    the number of this one (history holds at least those of all earlier generations), `rng` the step's own generator.
    """

    problem: Problem
    parent: Specimen
    inspirations: Sequence[Specimen]
    rng: np.random.Generator
    start: Data = None
    history: Sequence[Turn] = ()
    turn: int = 0
    campaign_seed: int = 0


@dataclass(frozen=True, slots=True)
class Proposal:
    """A child. `note` says in a few words what was done; `construction`, where given, is judged in place of the program's own."""

    program: Program
    note: str
    construction: Data = None
    point: tuple[float, ...] = ()


class NothingToPropose(Exception):
    """This proposer cannot do anything with this brief (no constants to tune, say). The step ends without a cost."""


class Proposer(Protocol):
    """One kind of proposer. `heavy` ones run in a worker process, light ones in the driver."""

    name: str
    heavy: bool

    def applies_to(self, problem: Problem) -> bool:
        """Whether the problem has what this proposer needs."""
        ...

    def propose(self, brief: Brief) -> Proposal:
        """Make one child of `brief.parent`, or raise `NothingToPropose`."""
        ...
