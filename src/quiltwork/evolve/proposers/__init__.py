"""Who changes programs: one protocol (`base.py`), many kinds.

    mutate    typed edits on the syntax tree, spliced into the text
    cross     expressions and functions of other programs put into this one
    tune      the constants of a program searched by CMA-ES or TPE, over many steps
    compose   building blocks that the problem allows, spliced into the program's functions
    polish    the carried construction improved by numerical optimisation

A kind is found by name and imported when it is first used. A new one (`llm` and `agent` are to come) is a class with the
members of `base.Proposer` and a line here; one that waits for a network or a processor for long says `heavy = True`.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING

from quiltwork.errors import UserError

if TYPE_CHECKING:
    from quiltwork.evolve.proposers.base import Proposer

KINDS = {
    "mutate": "quiltwork.evolve.proposers.mutate:Mutate",
    "cross": "quiltwork.evolve.proposers.cross:Cross",
    "tune": "quiltwork.evolve.proposers.tune:Tune",
    "compose": "quiltwork.evolve.proposers.compose:Compose",
    "polish": "quiltwork.evolve.proposers.polish:Polish",
}
"""Name -> "module:Class"."""

NAMES = tuple(KINDS)


@cache
def proposer(name: str) -> Proposer:
    """Return the proposer of a name, the same object at every call; raises `UserError` for a name that is not in `NAMES`."""
    if name not in KINDS:
        raise UserError(f"there is no proposer {name!r}; there are {', '.join(NAMES)}")
    module, _, kind = KINDS[name].partition(":")
    found: Proposer = getattr(importlib.import_module(module), kind)()
    return found
