"""The parts of a program that may change, and how a changed text is put back."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from quiltwork.evolve.program import Program, blocks, line_starts
from quiltwork.evolve.source import Piece, piece, split


@dataclass(frozen=True, slots=True)
class Region:
    """A piece of a Python file with the byte ranges in it that lie inside blocks."""

    path: str
    index: int
    text: str
    open: tuple[tuple[int, int], ...]

    @property
    def piece(self) -> Piece:
        """The parsed piece."""
        found = piece(self.text)
        assert found is not None
        return found

    def holds(self, start: int, end: int) -> bool:
        """Whether a byte range may change."""
        return any(low <= start and end <= high for low, high in self.open)

    @property
    def size(self) -> int:
        """Bytes that may change."""
        return sum(high - low for low, high in self.open)


@dataclass(frozen=True, slots=True)
class Edit:
    """Bytes `start` to `end` of a piece become `text`."""

    start: int
    end: int
    text: bytes


@lru_cache(maxsize=512)
def regions(program: Program) -> tuple[Region, ...]:
    """All pieces of the program's Python files that a block reaches into, in the order of files and lines."""
    found = []
    for path, text in program.files.items():
        inside = [block for block in blocks(program) if block.path == path and block.first <= block.last]
        pieces = split(text) if path.endswith(".py") and inside else None
        if pieces is None:
            continue
        starts = line_starts(text)
        spans = [(starts[block.first - 1], starts[block.last]) for block in inside]
        offset = 0
        for index, part in enumerate(pieces):
            ranges = [
                _in_bytes(part, max(low - offset, 0), min(high - offset, len(part)))
                for low, high in spans
                if low < offset + len(part) and high > offset
            ]
            if ranges:
                found.append(Region(path, index, part, tuple(ranges)))
            offset += len(part)
    return tuple(found)


def _in_bytes(text: str, start: int, end: int) -> tuple[int, int]:
    if text.isascii():
        return start, end
    return len(text[:start].encode("utf-8")), len(text[:end].encode("utf-8"))


def pick_region(program: Program, rng: np.random.Generator) -> Region | None:
    """Draw a region, larger ones more often; None where nothing may change."""
    found = regions(program)
    if len(found) <= 1:
        return found[0] if found else None
    sizes = np.cumsum([region.size for region in found])
    return found[int(np.searchsorted(sizes, rng.random() * sizes[-1], side="right"))]


def edited(region: Region, edits: Iterable[Edit]) -> str:
    """Carry out edits that do not overlap; the new text of the region's piece."""
    raw = region.piece.raw
    out, at = [], 0
    for edit in sorted(edits, key=lambda each: (each.start, each.end)):
        assert at <= edit.start <= edit.end
        out += [raw[at : edit.start], edit.text]
        at = edit.end
    return b"".join([*out, raw[at:]]).decode("utf-8")


def put_back(program: Program, region: Region, text: str) -> Program | None:
    """Put a region's new text into its file; None where it is not Python."""
    if piece(text) is None:
        return None
    pieces = split(program.files[region.path])
    assert pieces is not None
    return program.with_file(region.path, "".join([*pieces[: region.index], text, *pieces[region.index + 1 :]]))


_ATOMS = (ast.Name, ast.Constant, ast.Call, ast.Subscript, ast.Attribute, ast.List, ast.ListComp, ast.Dict, ast.Set)
_TIGHT = (
    ast.BinOp,
    ast.UnaryOp,
    ast.BoolOp,
    ast.Compare,
    ast.Attribute,
    ast.Subscript,
    ast.IfExp,
    ast.Await,
    ast.Starred,
    ast.comprehension,
)
_BLANK = b" \t\r\n\x0c"
_BEFORE_A_GROUP = b"+-*/%@<>=&|^~,([{:"


def is_atom(node: ast.expr) -> bool:
    """Whether the node binds tighter than every operator, as its text stands."""
    return isinstance(node, _ATOMS)


def replace(piece: Piece, node: ast.expr, parent: ast.AST, text: str, *, atom: bool) -> Edit:
    """Put `text` in the place of an expression, with brackets where they are needed and without those that are not."""
    start, end = piece.span(node)
    raw = piece.raw
    left, right = start - 1, end
    while left >= 0 and raw[left] in _BLANK:
        left -= 1
    while right < len(raw) and raw[right] in _BLANK:
        right += 1
    enclosed = left >= 0 and right < len(raw) and raw[left : left + 1] == b"(" and raw[right : right + 1] == b")"
    if atom and enclosed:
        before = left - 1
        while before >= 0 and raw[before] in _BLANK:
            before -= 1
        if before >= 0 and raw[before] in _BEFORE_A_GROUP:
            return Edit(left, right + 1, text.encode("utf-8"))
    if not atom and not enclosed and (isinstance(parent, _TIGHT) or "\n" in text or "\r" in text):
        text = f"({text})"
    return Edit(start, end, text.encode("utf-8"))
