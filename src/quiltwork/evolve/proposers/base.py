"""The one conversation between a run and whoever changes programs: `propose(brief) -> Proposal`."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from quiltwork.evolve.problem import Problem
from quiltwork.evolve.program import Program
from quiltwork.evolve.score import Data
from quiltwork.models import Request


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
class Failure:
    """A program that was refused not long ago: why (`verdict` and `detail`), and what its proposer said of it."""

    program: Program
    verdict: str
    detail: str
    note: str


@dataclass(frozen=True, slots=True)
class Brief:
    """All that a proposer may know of the run. The same brief always gives the same proposal.

    `start` is the construction to improve (the best one at hand), `history` the campaign's finished turns in order, `turn`
    the number of this one (history holds at least those of all earlier generations), `rng` the step's own generator.
    `instruction` is what a language model is told to do, `failures` what it is shown of programs that were refused.
    """

    problem: Problem
    parent: Specimen
    inspirations: Sequence[Specimen]
    rng: np.random.Generator
    start: Data = None
    history: Sequence[Turn] = ()
    turn: int = 0
    campaign_seed: int = 0
    instruction: str = ""
    failures: Sequence[Failure] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """A child. `note` says in a few words what was done; `construction`, where given, is judged in place of the program's own."""

    program: Program
    note: str
    construction: Data = None
    point: tuple[float, ...] = ()


class NothingToPropose(Exception):
    """This proposer cannot do anything with this brief (no constants to tune, say). The step ends without a cost."""


class NotApplicable(Exception):
    """A model answered, and its answer makes no program: the text says why. The step ends, its cost counted."""


@dataclass(frozen=True, slots=True)
class Errand:
    """Work for an external agent: `files` are the copy that it edits, `context` what lies beside them to read.

    `agent` is the name in the problem's configuration, `task` is what it is told. The driver answers with an `AgentWork`.
    """

    agent: str
    files: Mapping[str, str]
    context: Mapping[str, str]
    task: str


@dataclass(frozen=True, slots=True)
class AgentWork:
    """What an agent left behind: its copy of the files, the end of what it printed, and how it ended ("" for well)."""

    files: Mapping[str, str]
    output: str
    failure: str = ""


Conversation = Generator["Request | Errand", Any, "Proposal"]
"""Yields a `Request` and is sent a `Reply`, or yields an `Errand` and is sent an `AgentWork`; returns the child.

It does no input or output itself: whoever drives it may send recorded answers, and gets the same child.
"""


class Converser(Protocol):
    """A proposer that asks others. Raises `NothingToPropose` before it asked, `NotApplicable` after."""

    name: str

    def applies_to(self, problem: Problem) -> bool:
        """Whether the problem has what this proposer needs."""
        ...

    def converse(self, brief: Brief) -> Conversation:
        """Make one child of `brief.parent` in conversation with a model or an agent."""
        ...


class Proposer(Protocol):
    """One kind of proposer that asks nobody. `heavy` ones run in a worker process, light ones in the driver."""

    name: str
    heavy: bool

    def applies_to(self, problem: Problem) -> bool:
        """Whether the problem has what this proposer needs."""
        ...

    def propose(self, brief: Brief) -> Proposal:
        """Make one child of `brief.parent`, or raise `NothingToPropose`."""
        ...
