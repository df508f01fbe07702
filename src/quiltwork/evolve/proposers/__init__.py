"""Who changes programs: one protocol (`base.py`), many kinds.

    mutate    typed edits on the syntax tree, spliced into the text
    cross     expressions and functions of other programs put into this one
    tune      the constants of a program searched by CMA-ES or TPE, over many steps
    compose   building blocks that the problem allows, spliced into the program's functions
    polish    the carried construction improved by numerical optimisation
    llm       a language model asked in one of several formats
    agent     an external coding agent that edits a copy of the program

A kind is found by name and imported when it is first used. A new one is a class with the members of `base.Proposer` or
`base.Converser` and a line here; one that keeps a processor busy for long says `heavy = True`.

An *arm* is what the bandit chooses: the name of a kind, for models with what it is made with: `llm:MODEL:FORMAT`,
`agent:NAME`.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from quiltwork.errors import UserError

if TYPE_CHECKING:
    from quiltwork.evolve.problem import Problem
    from quiltwork.evolve.proposers.base import Converser, Proposer

KINDS = {
    "mutate": "quiltwork.evolve.proposers.mutate:Mutate",
    "cross": "quiltwork.evolve.proposers.cross:Cross",
    "tune": "quiltwork.evolve.proposers.tune:Tune",
    "compose": "quiltwork.evolve.proposers.compose:Compose",
    "polish": "quiltwork.evolve.proposers.polish:Polish",
    "llm": "quiltwork.evolve.proposers.llm:Llm",
    "agent": "quiltwork.evolve.proposers.agent:Agent",
}
"""Name -> "module:Class"."""

NAMES = tuple(KINDS)


def kind_of(arm: str) -> str:
    """The kind of proposer that an arm is of."""
    return arm.partition(":")[0]


CONVERSERS = ("llm", "agent")
"""Kinds that ask others: their members are those of `base.Converser`."""


def proposer(arm: str) -> Proposer:
    """Return the proposer of an arm that asks nobody; raises `UserError` for a kind that is not in `NAMES`."""
    found: Proposer = _made(arm)
    return found


def converser(arm: str) -> Converser:
    """Return the proposer of an arm that asks a model or an agent."""
    found: Converser = _made(arm)
    return found


@cache
def _made(arm: str) -> Any:
    name, *made_with = arm.split(":")
    if name not in KINDS:
        raise UserError(f"there is no proposer {name!r}; there are {', '.join(NAMES)}")
    module, _, kind = KINDS[name].partition(":")
    return getattr(importlib.import_module(module), kind)(*made_with)


def arms_for(problem: Problem, wanted: Sequence[str]) -> tuple[str, ...]:
    """The arms of the wanted kinds that can work on a problem, in the order of the kinds."""
    config = problem.config
    arms: list[str] = []
    for kind in wanted:
        match kind:
            case "llm":
                arms += [f"llm:{model.name}:{how}" for model in config.models for how in model.asked_in]
            case "agent":
                arms += [f"agent:{agent.name}" for agent in config.agents]
            case _:
                arms.append(kind)
    return tuple(arm for arm in arms if _made(arm).applies_to(problem))
