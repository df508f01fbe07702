"""What a file of a problem's `blocks/` must be, so that `compose` can splice it into a program."""

from __future__ import annotations

import ast

from quiltwork.errors import UserError

_ALLOWED = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)


class BuildingBlockError(UserError):
    """A file of the problem's `blocks/` that cannot be spliced into a program."""


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
