"""Building blocks in a program's text: where one stands, and how another takes its place.

A block that was spliced in stands between two comments, `# building block SLOT: NAME` and `# end of building block SLOT`,
with its helpers and imports. Where the comments are gone, the function alone is the block.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import lru_cache

from quiltwork.evolve.program import Program, blocks, line_starts
from quiltwork.evolve.source import Piece, parse, piece, split


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a function that building blocks may replace stands: its file, whole lines as characters, the block in it."""

    path: str
    start: int
    end: int
    block: str | None


@lru_cache(maxsize=1_024)
def find_slot(program: Program, function: str) -> Slot | None:
    """Find a top-level function inside the blocks, with the building block around it; None if there is none."""
    for path, text in program.files.items():
        own = _own_lines(path, text, function)
        if own is None:
            continue
        starts = line_starts(text)
        inside = [
            (starts[b.first - 1], starts[b.last]) for b in blocks(program) if b.path == path and b.first <= b.last
        ]
        marked = _marked(text, function)
        if (
            marked is not None
            and marked.start <= own[0]
            and own[1] <= marked.end
            and _is_inside(marked.start, marked.end, inside)
        ):
            return Slot(path, marked.start, marked.end, marked.block)
        if _is_inside(*own, inside):
            return Slot(path, *own, None)
    return None


def splice(program: Program, function: str, name: str, source: str) -> Program | None:
    """Put a building block in the place of a function and of the helpers that came with the block before.

    Helpers whose names the rest of the file uses otherwise are renamed. None where there is no such function, or names
    collide in a way that renaming cannot mend.
    """
    slot = find_slot(program, function)
    if slot is None:
        return None
    text = program.files[slot.path]
    rest = text[: slot.start] + "\n" + text[slot.end :]
    taken = _top_names(rest)
    block = _without_collisions(prepared(source), function, taken)
    if block is None:
        return None
    lost = _top_names(text[slot.start : slot.end]).keys() - _top_names(block).keys() - taken.keys()
    if any(re.search(rf"\b{re.escape(each)}\b", rest) for each in lost):
        return None
    spliced = f"# building block {function}: {name}\n{block.rstrip()}\n# end of building block {function}\n"
    if "\r\n" in text:
        spliced = re.sub(r"\r?\n", "\r\n", spliced)
    changed = program.with_file(slot.path, text[: slot.start] + spliced + text[slot.end :])
    return changed if split(changed.files[slot.path]) is not None else None


def exchange_building_block(program: Program, other: Program, function: str) -> Program | None:
    """Splice the other program's building block for a function, as it is there; None where it has none."""
    theirs = find_slot(other, function)
    if theirs is None or theirs.block is None:
        return None
    lines = other.files[theirs.path][theirs.start : theirs.end].splitlines(keepends=True)
    return splice(program, function, theirs.block, "".join(lines[1:-1]).replace("\r\n", "\n"))


@lru_cache(maxsize=256)
def prepared(source: str) -> str:
    """Cut what only a file's head may hold: the docstring and imports from `__future__`."""
    found = piece(source)
    assert found is not None
    head = [
        statement
        for index, statement in enumerate(found.tree.body)
        if (index == 0 and _is_docstring(statement))
        or (isinstance(statement, ast.ImportFrom) and statement.module == "__future__")
    ]
    raw, at, kept = found.raw, 0, list[bytes]()
    for statement in head:
        start, end = found.span(statement)
        kept.append(raw[at:start])
        at = end
    return b"".join([*kept, raw[at:]]).decode("utf-8").strip() + "\n"


def _own_lines(path: str, text: str, function: str) -> tuple[int, int] | None:
    """Find the lines of a top-level function, decorators included, as characters of the file."""
    offset = 0
    for part in (split(text) or ()) if path.endswith(".py") and f"def {function}" in text else ():
        found = piece(part) if f"def {function}" in part else None
        for node in found.tree.body if found else ():
            if isinstance(node, ast.FunctionDef) and node.name == function:
                starts = line_starts(part)
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                return offset + starts[first - 1], offset + starts[node.end_lineno or node.lineno]
        offset += len(part)
    return None


def _marked(text: str, function: str) -> Slot | None:
    name = re.escape(function)
    begin = re.search(rf"^# building block {name}: (.*?)\r?\n", text, re.MULTILINE)
    close = begin and re.compile(rf"^# end of building block {name}[ \t]*(?:\r?\n|\Z)", re.MULTILINE).search(
        text, begin.end()
    )
    if not begin or not close or "\n# building block " in text[begin.end() - 1 : close.start()]:
        return None
    return Slot("", begin.start(), close.end(), begin[1])


def _is_inside(start: int, end: int, ranges: list[tuple[int, int]]) -> bool:
    return any(low <= start and end <= high for low, high in ranges)


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


@lru_cache(maxsize=512)
def _top_names(text: str) -> dict[str, str]:
    """Name what a text binds at its top, with the import that binds it, or ""."""
    names: dict[str, str] = {}
    for part in split(text) or ():
        found = piece(part)
        for statement in found.tree.body if found else ():
            names |= _bound(statement)
    return names


def _bound(statement: ast.stmt) -> dict[str, str]:
    match statement:
        case ast.Import(names=aliases):
            return {alias.asname or alias.name.partition(".")[0]: f"import {alias.name}" for alias in aliases}
        case ast.ImportFrom(module=module, names=aliases):
            return {alias.asname or alias.name: f"from {module} import {alias.name}" for alias in aliases}
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name: ""}
    stored = (node for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    return {node.id: "" for node in stored}


def _without_collisions(source: str, function: str, taken: dict[str, str]) -> str | None:
    for name, imported in _top_names(source).items():
        if name not in taken or name == function or (imported and imported == taken[name]):
            continue
        if imported:
            return None
        new = f"{name}_{function}"
        while new in taken or new in source:
            new += "_"
        renamed = _renamed(source, name, new)
        if renamed is None:
            return None
        source = renamed
    return source


def _renamed(source: str, old: str, new: str) -> str | None:
    """Give a top-level name another one everywhere; None where the name also means something else."""
    tree = parse(source)
    assert tree is not None
    whole = Piece(source, tree)
    places: list[int] = []
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) if name == old:
                places.append(whole.span(node)[0])
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) if name == old:
                start = whole.line_starts[node.lineno - 1] + node.col_offset
                found = re.compile(rb"(?:def|class)\s+").match(whole.raw, start)
                if found is None:
                    return None
                places.append(found.end())
            case ast.arg(arg=name) | ast.keyword(arg=name) | ast.ExceptHandler(name=name) if name == old:
                return None
            case ast.Global(names=names) | ast.Nonlocal(names=names) if old in names:
                return None
            case ast.alias() if (node.asname or node.name) == old:
                return None
    raw, at, out = whole.raw, 0, list[bytes]()
    for place in sorted(places):
        out += [raw[at:place], new.encode("utf-8")]
        at = place + len(old.encode("utf-8"))
    return b"".join([*out, raw[at:]]).decode("utf-8")
