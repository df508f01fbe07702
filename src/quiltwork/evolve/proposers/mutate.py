"""Mutation: one typed edit of the syntax tree, sometimes several, spliced into the text that stands."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from quiltwork.evolve.novelty import normal_hash
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.program import Program, within_blocks
from quiltwork.evolve.proposers import expressions, statements
from quiltwork.evolve.proposers.base import Brief, NothingToPropose, Proposal
from quiltwork.evolve.proposers.desk import Desk
from quiltwork.evolve.proposers.region import Edit, edited, pick_region, put_back, regions

ATTEMPTS = 24
"""Edits that may come to nothing before a step ends without a child."""

MORE = 0.3
"""Chance of another edit after each, so that some children are several edits away."""

SIZE_LIMIT = 200_000
"""Characters of one piece beyond which it may only become shorter."""

TypedEdit = Callable[[Desk], list[Edit] | None]

EDITS: tuple[tuple[float, str, TypedEdit], ...] = (
    (3.0, "number", expressions.perturb_number),
    (2.0, "operator", expressions.swap_operator),
    (3.0, "substitute", expressions.substitute),
    (3.0, "grow", expressions.grow),
    (1.5, "term", expressions.add_term),
    (1.5, "wrap", expressions.wrap),
    (3.0, "shrink", expressions.shrink),
    (0.5, "range", expressions.change_range),
    (0.7, "condition", expressions.change_condition),
    (0.7, "delete", statements.delete),
    (0.3, "duplicate", statements.duplicate),
    (0.4, "exchange", statements.exchange),
    (0.6, "guard", statements.guard),
    (0.6, "update", statements.update),
)
"""Weight, name and function of every edit. What grows and what shrinks a program weigh about the same."""

_UPTO = np.cumsum([weight for weight, _, _ in EDITS])


class Mutate:
    """Typed random edits inside the blocks of the parent's Python files."""

    name = "mutate"
    heavy = False

    def applies_to(self, problem: Problem) -> bool:
        """Whether some Python of the problem's program may change."""
        return bool(regions(problem.program))

    def propose(self, brief: Brief) -> Proposal:
        """Edit the parent; raises `NothingToPropose` when no edit came to anything new."""
        parent = brief.parent.program
        if not regions(parent):
            raise NothingToPropose("no Python inside the blocks")
        for _ in range(ATTEMPTS):
            found = mutant(parent, brief.rng)
            if found is not None and is_new(found[0], parent):
                return Proposal(found[0], f"mutate: {found[1]}")
        raise NothingToPropose(f"no edit came to anything new in {ATTEMPTS} attempts")


def mutant(program: Program, rng: np.random.Generator) -> tuple[Program, str] | None:
    """Make one edit, or several that do not touch each other: the program, if it parses, and the names of the edits."""
    region = pick_region(program, rng)
    if region is None:
        return None
    desk = Desk(program, region, rng)
    edits: list[Edit] = []
    names: list[str] = []
    while not names or rng.random() < MORE:
        name, more = _edit(desk)
        if not more or any(_touch(one, other) for one in edits for other in more):
            break
        edits += more
        names.append(name)
    if not edits:
        return None
    text = edited(region, edits)
    if len(text) > max(SIZE_LIMIT, len(region.text)):
        return None
    changed = put_back(program, region, text)
    return None if changed is None else (changed, ", ".join(names))


def _edit(desk: Desk) -> tuple[str, list[Edit] | None]:
    _, name, edit = EDITS[int(np.searchsorted(_UPTO, desk.rng.random() * _UPTO[-1], side="right"))]
    return name, edit(desk)


def _touch(one: Edit, other: Edit) -> bool:
    return one.start <= other.end and other.start <= one.end


def is_new(child: Program, parent: Program) -> bool:
    """Whether a child may be proposed: it differs in more than its writing, and only inside the blocks."""
    return normal_hash(child) != normal_hash(parent) and within_blocks(parent, child)
