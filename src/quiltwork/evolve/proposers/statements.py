"""Typed edits of statements: take one out, repeat it, exchange two, guard one, let a variable take another value."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from quiltwork.evolve.proposers.desk import Desk
from quiltwork.evolve.proposers.expressions import new_comparison
from quiltwork.evolve.proposers.region import Edit
from quiltwork.evolve.proposers.syntax import Place, Site

_KEPT = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Import,
    ast.ImportFrom,
    ast.Global,
    ast.Nonlocal,
    ast.Pass,
)
_SIMPLE = (ast.Assign, ast.AugAssign, ast.Expr)
_TAIL = re.compile(rb"[ \t\x0c]*(?:#[^\r\n]*)?(?:\r\n|\r|\n|\Z)")


@dataclass(frozen=True, slots=True)
class _Lines:
    """The whole lines of a statement that shares them with no other: byte range, indentation, line ending."""

    start: int
    end: int
    indent: str
    ending: str


def delete(desk: Desk) -> list[Edit] | None:
    """Take a statement out; `pass` stays where it was the only one."""
    place = desk.place(lambda each: _may_change(each) and not isinstance(each.statement, ast.Return))
    lines = place and _lines(desk, place)
    if place is None or not lines:
        return None
    rest = f"{lines.indent}pass{lines.ending}" if len(place.body) == 1 else ""
    return [Edit(lines.start, lines.end, rest.encode("utf-8"))]


def duplicate(desk: Desk) -> list[Edit] | None:
    """Write a statement a second time, after itself."""
    place = desk.place(lambda each: _may_change(each) and not isinstance(each.statement, _LEAVES))
    lines = place and _lines(desk, place)
    if not lines:
        return None
    copy = desk.view.piece.raw[lines.start : lines.end]
    return [Edit(lines.end, lines.end, copy if copy.endswith((b"\n", b"\r")) else b"\n" + copy)]


def exchange(desk: Desk) -> list[Edit] | None:
    """Exchange a statement with the one after it; comments between them stay between them."""
    place = desk.place(lambda each: _may_change(each) and each.index + 1 < len(each.body))
    if place is None:
        return None
    after = Place(place.body, place.index + 1, place.scope, place.loops)
    if not _may_change(after) or isinstance(after.statement, ast.Return):
        return None
    first, second = _lines(desk, place), _lines(desk, after)
    if not first or not second or not desk.region.holds(first.start, second.end):
        return None
    raw = desk.view.piece.raw
    upper, lower = raw[first.start : first.end], raw[second.start : second.end]
    if not lower.endswith((b"\n", b"\r")):
        return None
    return [Edit(first.start, first.end, lower), Edit(second.start, second.end, upper)]


def guard(desk: Desk) -> list[Edit] | None:
    """Put a condition before a simple statement, or repeat it under a condition, or leave a loop under one."""
    place = desk.place(lambda each: isinstance(each.statement, _SIMPLE) and _may_change(each))
    lines = place and _lines(desk, place)
    if place is None or not lines:
        return None
    piece = desk.view.piece
    text = desk.text(place.statement)
    if "\n" in text or "\r" in text:
        return None
    condition = new_comparison(desk, _after(place))
    deeper = "\t" if "\t" in lines.indent else "    "
    action = text
    if place.loops and desk.chance(0.3):
        action = desk.pick(("continue", "break"))
    guarded = f"{lines.indent}if {condition}:{lines.ending}{lines.indent}{deeper}{action}{lines.ending}"
    if action == text and desk.chance(0.5) and not _binds_first(place):
        return [Edit(lines.start, lines.end, guarded.encode("utf-8"))]
    if piece.raw[lines.start : lines.end].endswith((b"\n", b"\r")):
        return [Edit(lines.end, lines.end, guarded.encode("utf-8"))]
    return None


def update(desk: Desk) -> list[Edit] | None:
    """Let a number that has a value take a new one: `v = v op t`, after some statement."""
    place = desk.place(lambda each: not isinstance(each.statement, (*_LEAVES, *_KEPT)))
    lines = place and _lines(desk, place)
    if place is None or not lines:
        return None
    site = _after(place)
    names = [name for name in site.scope.bound if name in set(desk.numbers(site))]
    if not names or not desk.view.piece.raw[lines.start : lines.end].endswith((b"\n", b"\r")):
        return None
    name = desk.pick(names)
    value = f"{name} {desk.pick('+-*/')} {desk.terminal(site)}"
    if desk.chance(0.3):
        value = f"{desk.pick(('min', 'max'))}({name}, {desk.terminal(site)})"
    return [Edit(lines.end, lines.end, f"{lines.indent}{name} = {value}{lines.ending}".encode())]


_LEAVES = (ast.Return, ast.Break, ast.Continue, ast.Raise)


def _may_change(place: Place) -> bool:
    statement = place.statement
    docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return not isinstance(statement, _KEPT) and not docstring


def _binds_first(place: Place) -> bool:
    """Whether the statement is what gives a name its first value: under a condition the name might have none."""
    statement = place.statement
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    end = (statement.end_lineno or 0, statement.end_col_offset or 0)
    return any(
        isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and place.scope.bound.get(node.id) == end
        for target in targets
        for node in ast.walk(target)
    )


def _after(place: Place) -> Site:
    """Stand right behind a statement, to ask what may be read there."""
    statement = place.statement
    behind = ast.Constant(value=0, lineno=(statement.end_lineno or 0) + 1, col_offset=0)
    return Site(behind, statement, "", place.scope, integral=False)


def _lines(desk: Desk, place: Place) -> _Lines | None:
    """Find the lines of a statement; None where it shares one with another, or reaches out of the block."""
    piece = desk.view.piece
    raw = piece.raw
    begin, end = piece.span(place.statement)
    start = piece.line_starts[place.statement.lineno - 1]
    indent = raw[start:begin]
    tail = _TAIL.match(raw, end)
    if indent.strip() or tail is None or not desk.region.holds(start, tail.end()):
        return None
    closing = raw[end : tail.end()]
    ending = "\r\n" if closing.endswith(b"\r\n") else "\r" if closing.endswith(b"\r") else "\n"
    return _Lines(start, tail.end(), indent.decode("utf-8"), ending)
