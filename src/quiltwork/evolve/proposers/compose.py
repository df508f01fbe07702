"""Composition: building blocks that the problem allows, spliced into the program's functions.

It is a search over a library of known methods, put together by the problem's author, and no more than that.
"""

from __future__ import annotations

import ast

from quiltwork.errors import UserError
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.program import Program
from quiltwork.evolve.proposers.base import Brief, NothingToPropose, Proposal
from quiltwork.evolve.proposers.mutate import is_new
from quiltwork.evolve.proposers.splices import find_slot, splice

ATTEMPTS = 12
"""Choices that may come to nothing before a step ends without a child."""

MORE = 0.35
"""Chance of another slot after each, so that blocks that need each other can come together."""

_ALLOWED = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)


class BuildingBlockError(UserError):
    """A file of the problem's `blocks/` that cannot be spliced into a program."""


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


def check_building_block(slot: str, name: str, source: str) -> None:
    """Refuse a block that cannot be spliced, with a `BuildingBlockError` that begins with `name`:line.

    A block defines one function called `slot`, beside it helper functions, classes, constants and imports, and nothing that
    runs when the file is read.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise BuildingBlockError(f"{name}:{error.lineno or 1}: {error.msg}") from error
    except ValueError as error:
        raise BuildingBlockError(f"{name}:1: {error}") from error
    for index, statement in enumerate(tree.body):
        docstring = index == 0 and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if not docstring and not isinstance(statement, _ALLOWED):
            raise BuildingBlockError(
                f"{name}:{statement.lineno}: a building block holds functions, classes, constants and imports only; "
                f"put this into {slot}()"
            )
    defined = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == slot]
    if len(defined) != 1:
        line = defined[1].lineno if defined else 1
        count = "twice" if defined else "nowhere"
        raise BuildingBlockError(f"{name}:{line}: it must define the function {slot}() once, and does so {count}")
    for number, line_text in enumerate(source.splitlines(), start=1):
        if "EVOLVE-BLOCK-" in line_text or line_text.startswith(("# building block ", "# end of building block ")):
            raise BuildingBlockError(f"{name}:{number}: this line is a mark that only a program may have; reword it")
