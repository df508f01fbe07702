"""Composition: building blocks that the problem allows, spliced into the program's functions.

It is a search over a library of known methods, put together by the problem's author, and no more than that.
"""

from __future__ import annotations

from quiltwork.evolve.problem import Problem
from quiltwork.evolve.program import Program
from quiltwork.evolve.proposers.base import Brief, NothingToPropose, Proposal
from quiltwork.evolve.proposers.mutate import is_new
from quiltwork.evolve.proposers.splices import find_slot, splice

ATTEMPTS = 12
"""Choices that may come to nothing before a step ends without a child."""

MORE = 0.35
"""Chance of another slot after each, so that blocks that need each other can come together."""


class Compose:
    """Other building blocks for one or more of the program's functions."""

    name = "compose"
    heavy = False

    def applies_to(self, problem: Problem) -> bool:
        """Whether the problem has building blocks for a function that its program has inside a block."""
        return any(find_slot(problem.program, slot) for slot, choice in problem.building_blocks.items() if choice)

    def propose(self, brief: Brief) -> Proposal:
        """Choose slots and blocks; raises `NothingToPropose` when none of the choices makes a new program."""
        parent = brief.parent.program
        library = brief.problem.building_blocks
        slots = [slot for slot in sorted(library) if library[slot] and find_slot(parent, slot) is not None]
        if not slots:
            raise NothingToPropose("no building block fits a function of this program")
        rng = brief.rng
        for _ in range(ATTEMPTS):
            child: Program | None = parent
            chosen: list[str] = []
            left = list(slots)
            while child is not None and left and (not chosen or rng.random() < MORE):
                slot = left.pop(int(rng.random() * len(left)))
                name = _other_block(parent, slot, sorted(library[slot]), rng.random())
                child = splice(child, slot, name, library[slot][name])
                chosen.append(f"{slot} = {name}")
            if child is not None and is_new(child, parent):
                return Proposal(child, f"compose: {', '.join(chosen)}")
        raise NothingToPropose("no choice of building blocks makes a new program")


def _other_block(program: Program, slot: str, names: list[str], chance: float) -> str:
    """Draw a block that is not the one in place, if there is another."""
    found = find_slot(program, slot)
    others = [name for name in names if found is None or name != found.block] or names
    return others[int(chance * len(others))]
