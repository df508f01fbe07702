"""Python source as pieces: runs of whole top-level statements, each parsed once and remembered.

A child differs from its parent in one or two statements, so only those are parsed and hashed again.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass
from functools import cached_property, lru_cache

import blake3

TREES = 64
"""Pieces whose trees are kept. A tree takes some 40 times its text; parents are the same elites time and again."""

_PIECE_BEGINS = re.compile(r"^(?=[^\W\d]|@)(?!(?:elif|else|except|finally)\b)", re.MULTILINE)
_SPLICE_LIMIT = 64
"""Pieces joined one by one where a split fell into a string or a bracket; beyond it the whole rest is one piece."""

_DROPPED = {"ctx", "kind", "type_comment", "type_ignores"}
_FIELDS = {
    kind: tuple(field for field in kind._fields if field not in _DROPPED)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}


@dataclass(frozen=True)
class Piece:
    """Whole statements. Positions in `tree` are relative to `text` (lines from 1, columns in UTF-8 bytes)."""

    text: str
    tree: ast.Module

    @cached_property
    def raw(self) -> bytes:
        """The text as the columns count it."""
        return self.text.encode("utf-8")

    @cached_property
    def line_starts(self) -> list[int]:
        """Byte offset of every line, as the tokeniser counts lines."""
        return [0, *(found.end() for found in re.finditer(rb"\r\n|\r|\n", self.raw))]

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Where a statement or an expression stands: byte offsets into `raw`."""
        starts = self.line_starts
        return (
            starts[node.lineno - 1] + node.col_offset,  # type: ignore[attr-defined]
            starts[node.end_lineno - 1] + node.end_col_offset,  # type: ignore[attr-defined]
        )


def parse(text: str) -> ast.Module | None:
    """Return the syntax tree, or None where the text is no Python (or too deeply nested to say)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


@lru_cache(maxsize=TREES)
def piece(text: str) -> Piece | None:
    """Parse a piece; None where it is no Python. The tree is shared: whoever gets it must not change it."""
    tree = parse(text)
    return None if tree is None else Piece(text, tree)


@lru_cache(maxsize=1_024)
def split(text: str) -> tuple[str, ...] | None:
    """Cut a Python file into pieces, whose texts join to the file's; None where the file does not parse.

    Lines that begin with a letter or "@", clauses such as `else` apart, are tried as cuts. Texts that parse alone
    parse the same when they follow each other, so a cut inside a string or a bracket is found and undone.
    """
    cuts = [0, *(found.start() for found in _PIECE_BEGINS.finditer(text) if found.start()), len(text)]
    found: list[str] = []
    first = 0
    while first < len(cuts) - 1:
        tries = [*range(first + 1, min(first + 1 + _SPLICE_LIMIT, len(cuts))), len(cuts) - 1]
        last = next((last for last in tries if normal_form(text[cuts[first] : cuts[last]]) is not None), None)
        if last is None:
            return None
        found.append(text[cuts[first] : cuts[last]])
        first = last
    return tuple(found)


@lru_cache(maxsize=16_384)
def normal_form(text: str) -> tuple[tuple[bytes, ...], int] | None:
    """Hash (16 bytes) of every statement of a piece, and its number of nodes; None if it is no Python.

    Comments, formatting, `pass`, docstrings and other bare strings do not count.
    """
    found = piece(text)
    if found is None:
        return None
    forms = [_normal_form(statement) for statement in found.tree.body if not _does_nothing(statement)]
    return tuple(digest for digest, _ in forms), sum(nodes for _, nodes in forms)


def _normal_form(statement: ast.stmt) -> tuple[bytes, int]:
    out: list[str] = []
    stack: list[object] = [statement]
    nodes = 0
    while stack:
        item = stack.pop()
        if isinstance(item, ast.AST):
            nodes += 1
            kind = type(item)
            out.append(kind.__name__)
            stack.extend([getattr(item, field, None) for field in _FIELDS[kind]])
        elif isinstance(item, list):
            kept = [each for each in item if not _does_nothing(each)]
            out.append(str(len(kept)))
            stack.extend(kept)
        else:
            out.append(repr(item))
    return blake3.blake3("\n".join(out).encode("utf-8", "surrogatepass")).digest(16), nodes


def _does_nothing(item: object) -> bool:
    """Docstrings, other bare strings, and `pass`."""
    kind = type(item)
    if kind is ast.Pass:
        return True
    return kind is ast.Expr and isinstance(item.value, ast.Constant) and isinstance(item.value.value, str)  # type: ignore[attr-defined]
