"""The numbers in a program's blocks that may be tuned, and how other numbers are written in their place."""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from quiltwork.evolve.program import Program
from quiltwork.evolve.proposers.desk import literal
from quiltwork.evolve.proposers.region import Edit, Region, edited, regions, replace
from quiltwork.evolve.proposers.syntax import TYPES_AND_DECORATORS
from quiltwork.evolve.source import split

DIMENSIONS_LIMIT = 256
"""Constants tuned at once, the first of the text: beyond it no search of a few hundred turns learns anything."""

_SHAPES_AND_SEEDS = frozenset(
    "zeros ones empty full zeros_like ones_like reshape eye identity tile repeat arange linspace logspace geomspace meshgrid "  # noqa: SIM905
    "range islice combinations permutations product round pad roll moveaxis swapaxes transpose expand_dims squeeze split chunk "
    "seed default_rng Random RandomState SeedSequence manual_seed PRNGKey lru_cache deque hex bin chr pow".split()
)
"""Calls in which a whole number is a size, an axis, a count of digits or a seed, never a quantity."""

_SHAPE_WORDS = frozenset(
    "axis axes shape size ndim ndmin n_jobs seed decimals ndigits base maxlen maxsize dim dims key dtype order".split()  # noqa: SIM905
)
_WHOLE_OPERATORS = (ast.FloorDiv, ast.Mod, ast.LShift, ast.RShift, ast.BitAnd, ast.BitOr, ast.BitXor)
_VECTORS = (ast.List, ast.Tuple)
_NEVER = (ast.JoinedStr, ast.pattern, ast.Slice, ast.Import, ast.ImportFrom)


@dataclass(frozen=True, slots=True)
class Constant:
    """A number that may be tuned: its file, its place there (piece and expression, in text order), its value, its kind."""

    path: str
    region: int
    index: int
    value: float
    whole: bool


@dataclass(frozen=True, slots=True)
class _Literal:
    node: ast.expr
    parent: ast.AST
    value: float
    whole: bool


@lru_cache(maxsize=512)
def constants(program: Program) -> tuple[Constant, ...]:
    """List the tunable constants of a program's blocks, in the order of files and lines, `DIMENSIONS_LIMIT` at most.

    Numeric literals with their sign, alone or in lists, tuples and arrays. Not among them: the whole numbers 0, 1 and -1,
    indices, sizes, seeds, exponents, ends of ranges, whole numbers that are compared for equality or divided by with a
    remainder, and whole numbers in tuples, sets and tables. In a row with decimal points a whole number counts as real.
    """
    found = [
        Constant(region.path, number, index, float(each.value), each.whole)
        for number, region in enumerate(regions(program))
        for index, each in enumerate(_literals(region))
    ]
    return tuple(found[:DIMENSIONS_LIMIT])


def with_constants(program: Program, values: Sequence[float]) -> Program:
    """Write other values for `constants(program)`: whole numbers rounded, others so that they read back exactly.

    A value that is the old one leaves its text alone. Raises `ValueError` for a wrong count or a value that is not finite.
    """
    places = constants(program)
    if len(values) != len(places) or not all(math.isfinite(value) for value in values):
        raise ValueError(f"{len(places)} finite values are needed, got {list(values)[:8]}")
    edits: dict[int, list[Edit]] = {}
    for place, value in zip(places, values, strict=True):
        if value == place.value:
            continue
        region = regions(program)[place.region]
        at = _literals(region)[place.index]
        text = str(round(value)) if place.whole else repr(float(value))
        edit = replace(region.piece, at.node, at.parent, text, atom=not text.startswith("-"))
        edits.setdefault(place.region, []).append(edit)
    pieces: dict[str, list[str]] = {}
    for number, changes in edits.items():
        region = regions(program)[number]
        if region.path not in pieces:
            pieces[region.path] = list(split(program.files[region.path]) or ())
        pieces[region.path][region.index] = edited(region, changes)
    return Program({**program.files, **{path: "".join(parts) for path, parts in pieces.items()}})


@lru_cache(maxsize=256)
def _literals(region: Region) -> tuple[_Literal, ...]:
    """Find the tunable literals of a region, in the order of the text."""
    piece = region.piece
    found: list[_Literal] = []
    stack: list[tuple[ast.AST, ast.AST, bool]] = [(piece.tree, piece.tree, True)]
    while stack:
        node, parent, whole_too = stack.pop()
        if isinstance(node, _NEVER):
            continue
        value = literal(node) if isinstance(node, ast.expr) else None
        if value is not None:
            assert isinstance(node, ast.expr)
            real = isinstance(value, float) or _is_among_reals(parent)
            if (real or (whole_too and _is_quantity(node, parent, value))) and region.holds(*piece.span(node)):
                found.append(_Literal(node, parent, value, whole=not real))
            continue
        for name, child in _children(node):
            stack.append((child, node, whole_too and _whole_numbers_count(node, name)))
    found.sort(key=lambda each: piece.span(each.node))
    return tuple(found)


def _children(node: ast.AST) -> list[tuple[str, ast.AST]]:
    pairs = []
    for name, value in ast.iter_fields(node):
        if name in TYPES_AND_DECORATORS or (isinstance(node, ast.Subscript) and name == "slice"):
            continue
        if isinstance(value, ast.AST):
            pairs.append((name, value))
        elif isinstance(value, list):
            pairs += [(name, each) for each in value if isinstance(each, ast.AST)]
    return pairs


def _is_among_reals(parent: ast.AST) -> bool:
    return isinstance(parent, _VECTORS) and any(isinstance(literal(each), float) for each in parent.elts)


def _is_quantity(node: ast.expr, parent: ast.AST, value: float) -> bool:
    """Whether a whole number is one that may be another."""
    if abs(value) > 2**53:
        return False
    if isinstance(parent, ast.List):
        return True
    if abs(value) <= 1:
        return False
    match parent:
        case ast.BinOp(op=ast.Pow(), right=right):
            return right is not node
        case ast.BinOp(op=ast.Mult(), left=left, right=right):
            return not isinstance(left, _VECTORS) and not isinstance(right, _VECTORS)
        case ast.BinOp(op=op):
            return not isinstance(op, _WHOLE_OPERATORS)
        case ast.Compare(ops=ops):
            return not any(isinstance(op, ast.Eq | ast.NotEq | ast.In | ast.NotIn | ast.Is | ast.IsNot) for op in ops)
    return True


def _whole_numbers_count(node: ast.AST, name: str) -> bool:
    """Whether whole numbers below this field of a node may be quantities."""
    match node:
        case ast.Call(func=func):
            called = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
            return name == "func" or called not in _SHAPES_AND_SEEDS
        case ast.keyword(arg=word):
            return word not in _SHAPE_WORDS
        case ast.List(elts=elements):
            return all(literal(each) is not None for each in elements)
        case ast.Tuple() | ast.Set():
            return False
        case ast.Dict():
            return name == "values"
    return True
