"""Crossover: an expression, or the body of a function of the same name, from an inspiration into the parent."""

from __future__ import annotations

import ast
import re

from quiltwork.evolve.problem import Problem
from quiltwork.evolve.program import Program
from quiltwork.evolve.proposers.base import Brief, NothingToPropose, Proposal
from quiltwork.evolve.proposers.categories import category_at, free_names
from quiltwork.evolve.proposers.desk import Desk
from quiltwork.evolve.proposers.mutate import is_new
from quiltwork.evolve.proposers.region import Edit, Region, edited, is_atom, pick_region, put_back, regions
from quiltwork.evolve.proposers.splices import exchange_building_block
from quiltwork.evolve.proposers.syntax import Site
from quiltwork.evolve.source import Piece

ATTEMPTS = 24
"""Exchanges that may come to nothing before a step ends without a child."""

WHOLE_FUNCTIONS = 0.3
"""Share of attempts that exchange a function's body; the others exchange an expression."""

_LINE_END = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")


class Cross:
    """Parts of the inspirations in the parent's place for them."""

    name = "cross"
    heavy = False

    def applies_to(self, problem: Problem) -> bool:
        """Whether some Python of the problem's program may change."""
        return bool(regions(problem.program))

    def propose(self, brief: Brief) -> Proposal:
        """Cross the parent with one inspiration; `NothingToPropose` without any, or when nothing new came of it."""
        parent = brief.parent.program
        others = [each.program for each in brief.inspirations if each.program != parent and regions(each.program)]
        if not others or not regions(parent):
            raise NothingToPropose("no other program to cross with")
        for _ in range(ATTEMPTS):
            other = others[int(brief.rng.random() * len(others))]
            desk = _desk(parent, brief)
            exchange = _function if desk.chance(WHOLE_FUNCTIONS) else _expression
            found = exchange(desk, other)
            if found is not None and is_new(found[0], parent):
                return Proposal(found[0], f"cross: {found[1]}")
        raise NothingToPropose(f"crossing came to nothing new in {ATTEMPTS} attempts")


def _desk(program: Program, brief: Brief) -> Desk:
    region = pick_region(program, brief.rng)
    assert region is not None
    return Desk(program, region, brief.rng)


def _expression(desk: Desk, other: Program) -> tuple[Program, str] | None:
    """Put an expression of the other program in the place of one of the same kind; unknown names become known ones."""
    region = pick_region(other, desk.rng)
    assert region is not None
    giver = Desk(other, region, desk.rng)
    target = desk.site(lambda each: category_at(each) in ("number", "bool", "sequence"))
    if target is None:
        return None
    kind = category_at(target)
    donor = giver.site(lambda each: each.integral == target.integral and category_at(each) == kind)
    if donor is None or not giver.can_stand_elsewhere(donor.node):
        return None
    text = _named_for(desk, target, giver, donor.node)
    if text is None or text == desk.text(target.node):
        return None
    changed = put_back(
        desk.program, desk.region, edited(desk.region, desk.replaced(target, text, atom=is_atom(donor.node)))
    )
    return None if changed is None else (changed, f"an expression of {other.id[:8]}")


def _named_for(desk: Desk, target: Site, giver: Desk, donor: ast.expr) -> str | None:
    """Write the donor with a number of the target's scope for each name that has no value there; None if that cannot be."""
    piece = giver.view.piece
    start, end = piece.span(donor)
    missing = sorted(
        name
        for name in free_names(donor)
        if not target.scope.sees(name, target.position) and not desk.outline.knows(name)
    )
    if not missing:
        return piece.raw[start:end].decode("utf-8")
    numbers = desk.numbers(target)
    if not numbers:
        return None
    names = {name: desk.pick(numbers) for name in missing}
    raw, at, out = piece.raw, start, list[bytes]()
    renamed = [node for node in ast.walk(donor) if isinstance(node, ast.Name) and node.id in names]
    for node in sorted(renamed, key=lambda each: (each.lineno, each.col_offset)):
        low, high = piece.span(node)
        out += [raw[at:low], names[node.id].encode("utf-8")]
        at = high
    return b"".join([*out, raw[at:end]]).decode("utf-8")


def _function(desk: Desk, other: Program) -> tuple[Program, str] | None:
    """Put the body of the other program's function in the place of that of the parent's function of the same name."""
    theirs = {name: (region, node) for region in regions(other) for name, node in _functions(region).items()}
    ours = [
        (region, name, node)
        for region in regions(desk.program)
        for name, node in _functions(region).items()
        if name in theirs
    ]
    if not ours:
        return None
    region, name, node = desk.pick(ours)
    block = exchange_building_block(desk.program, other, name)
    if block is not None:
        return block, f"the building block of {name} of {other.id[:8]}"
    giver, donor = theirs[name]
    if ast.dump(node.args) != ast.dump(donor.args) or not _can_move(Desk(desk.program, region, desk.rng), donor):
        return None
    text = _reindented(_body(giver.piece, donor), _indent(giver.piece, donor), _indent(region.piece, node))
    start, end = _body_span(region.piece, node)
    if text is None or not region.holds(start, end) or region.piece.raw[start:end] == text:
        return None
    if b"\r\n" in region.piece.raw and b"\r\n" not in text:
        text = text.replace(b"\n", b"\r\n")
    changed = put_back(desk.program, region, edited(region, [Edit(start, end, text)]))
    return None if changed is None else (changed, f"the body of {name} of {other.id[:8]}")


def _functions(region: Region) -> dict[str, ast.FunctionDef]:
    """Name the functions whose bodies lie inside the blocks: those of the module, and of classes as `Class.function`."""
    piece = region.piece
    found: dict[str, ast.FunctionDef] = {}
    for statement in piece.tree.body:
        members = statement.body if isinstance(statement, ast.ClassDef) else [statement]
        prefix = f"{statement.name}." if isinstance(statement, ast.ClassDef) else ""
        for node in members:
            if (
                isinstance(node, ast.FunctionDef)
                and _has_lines_of_its_own(node)
                and region.holds(*_body_span(piece, node))
            ):
                found[prefix + node.name] = node
    return found


def _has_lines_of_its_own(node: ast.FunctionDef) -> bool:
    first = node.body[0]
    ends = (
        [node.returns.end_lineno]
        if node.returns
        else [each.lineno for each in ast.walk(node.args) if hasattr(each, "lineno")]
    )
    return first.lineno > max([node.lineno, *(end for end in ends if end is not None)])


def _can_move(desk: Desk, donor: ast.FunctionDef) -> bool:
    """Whether all that the function reads is known in the file that it comes to."""
    return all(desk.outline.knows(name) for name in free_names(donor) - {donor.name})


def _body_span(piece: Piece, node: ast.FunctionDef) -> tuple[int, int]:
    """Return the whole lines of a function's body, its docstring included."""
    starts = piece.line_starts
    end = piece.span(node.body[-1])[1]
    tail = _LINE_END.match(piece.raw, end)
    return starts[node.body[0].lineno - 1], tail.end() if tail else end


def _body(piece: Piece, node: ast.FunctionDef) -> bytes:
    start, end = _body_span(piece, node)
    body = piece.raw[start:end]
    return body if body.endswith((b"\n", b"\r")) else body + b"\n"


def _indent(piece: Piece, node: ast.FunctionDef) -> bytes:
    start = piece.line_starts[node.body[0].lineno - 1]
    return piece.raw[start : start + node.body[0].col_offset]


def _reindented(body: bytes, old: bytes, new: bytes) -> bytes | None:
    """Give lines another indentation; None where a line has less than the old one, as in a string of several lines."""
    if old == new:
        return body
    lines = body.splitlines(keepends=True)
    if not all(line.startswith(old) or not line.strip() for line in lines):
        return None
    return b"".join(new + line.removeprefix(old) if line.strip() else line for line in lines)
