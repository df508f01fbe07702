"""What kind of value an expression has, guessed from the text alone, and which names a file offers."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from quiltwork.evolve.program import Program
from quiltwork.evolve.proposers.syntax import Scope, Site
from quiltwork.evolve.source import piece, split

Category = Literal["number", "bool", "sequence", "other", "unknown"]

_DEPTH = 8
"""Names that are defined by names are followed this far; the guess is then "unknown"."""

_BUILTINS = frozenset(dir(builtins))
_NUMBER_CALLS = frozenset(["abs", "min", "max", "sum", "len", "int", "float", "round", "pow", "divmod", "ord", "hash"])
_SEQUENCE_CALLS = frozenset(
    ["range", "list", "sorted", "tuple", "zip", "enumerate", "reversed", "map", "filter", "set"]
)
_SEQUENCE_METHODS = frozenset(
    [
        "array",
        "zeros",
        "ones",
        "empty",
        "full",
        "linspace",
        "arange",
        "eye",
        "copy",
        "tolist",
        "keys",
        "values",
        "items",
        "split",
        "argsort",
        "sort",
        "permutation",
    ]
)
_BOOL_CALLS = frozenset(("any", "all", "isinstance", "bool", "callable", "hasattr"))
_ARITHMETIC_PARENTS = (ast.BinOp, ast.UnaryOp, ast.AugAssign, ast.Compare)


@dataclass(frozen=True, slots=True)
class Outline:
    """The top-level names of a file: what each holds, the modules it imports, and the functions it took from `math`."""

    names: Mapping[str, Category]
    modules: Mapping[str, str]
    maths: frozenset[str]

    def knows(self, name: str) -> bool:
        """Whether a name has a value everywhere in the file."""
        return name in self.names or name in _BUILTINS


@lru_cache(maxsize=256)
def outline(program: Program, path: str) -> Outline:
    """Read a file's top level."""
    names: dict[str, Category] = {}
    modules: dict[str, str] = {}
    maths: set[str] = set()
    for text in split(program.files[path]) or ():
        part = _outline_of_piece(text)
        names |= part.names
        modules |= part.modules
        maths |= part.maths
    return Outline(names, modules, frozenset(maths))


@lru_cache(maxsize=4_096)
def _outline_of_piece(text: str) -> Outline:
    found = piece(text)
    names: dict[str, Category] = {}
    modules: dict[str, str] = {}
    maths: set[str] = set()
    for statement in found.tree.body if found else ():
        match statement:
            case ast.Import():
                for alias in statement.names:
                    modules[alias.asname or alias.name.partition(".")[0]] = alias.name
                    names[alias.asname or alias.name.partition(".")[0]] = "other"
            case ast.ImportFrom():
                names |= {alias.asname or alias.name: "other" for alias in statement.names}
                if statement.module in ("math", "numpy"):
                    maths |= {alias.name for alias in statement.names if alias.asname is None}
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names[statement.name] = "other"
            case ast.Assign():
                for target in statement.targets:
                    if isinstance(target, ast.Name):
                        names[target.id] = category(statement.value, None)
                    else:
                        names |= {n.id: "unknown" for n in ast.walk(target) if isinstance(n, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                names[name] = category(value, None)
            case ast.If() | ast.Try() | ast.For() | ast.With() | ast.While():
                stored = (n for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
                names |= {n.id: "unknown" for n in stored}
    return Outline(names, modules, frozenset(maths))


def category_at(site: Site) -> Category:
    """Guess the kind of a site's value from its expression, then from what is done with it."""
    own = category(site.node, site.scope)
    if own != "unknown":
        return own
    parent = site.parent
    if isinstance(parent, ast.UnaryOp) and isinstance(parent.op, ast.Not):
        return "bool"
    if isinstance(parent, _ARITHMETIC_PARENTS) or site.integral:
        return "number"
    if site.field == "test" or isinstance(parent, ast.BoolOp):
        return "bool"
    if site.field == "iter":
        return "sequence"
    return "number" if isinstance(site.node, ast.Name) else "other"


def category(node: ast.expr, scope: Scope | None, depth: int = 0) -> Category:
    """Guess the kind of an expression's value; "unknown" where its text does not tell."""
    match node:
        case ast.Constant(value=bool()):
            return "bool"
        case ast.Constant(value=int() | float()):
            return "number"
        case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
            return "bool"
        case ast.UnaryOp():
            return "number"
        case ast.BinOp():
            return _of_operation(node, scope, depth)
        case ast.List() | ast.Tuple() | ast.Set() | ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
            return "sequence"
        case ast.IfExp() if depth < _DEPTH:
            return category(node.body, scope, depth + 1)
        case ast.Name():
            return "unknown" if scope is None or depth >= _DEPTH else name_category(node.id, scope, depth + 1)
        case ast.Subscript():
            return _of_subscript(node)
        case ast.Call():
            return _of_call(node)
        case ast.Attribute(attr="pi" | "e" | "tau" | "inf" | "size"):
            return "number"
        case ast.Attribute():
            return "unknown"
    return "other"


def name_category(name: str, scope: Scope, depth: int = 0) -> Category:
    """Guess what a name holds: by the value that it was first given, then by what is done with it."""
    home = scope.home(name)
    if home is None:
        return "unknown"
    value = home.values.get(name)
    if value is not None:
        found = category(value, home, depth)
        if found != "unknown":
            return found
    hints = home.hints.get(name, ())
    for hint in ("other", "sequence", "number", "bool"):
        if hint in hints:
            return hint
    return "unknown"


def free_names(node: ast.AST) -> set[str]:
    """List the names that an expression or a function reads and does not bind itself."""
    read: set[str] = set()
    bound: set[str] = set()
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            (read if isinstance(each.ctx, ast.Load) else bound).add(each.id)
        elif isinstance(each, ast.arg):
            bound.add(each.arg)
        elif isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(each.name)
        elif isinstance(each, ast.alias):
            bound.add(each.asname or each.name.partition(".")[0])
        elif isinstance(each, ast.ExceptHandler) and each.name:
            bound.add(each.name)
    return read - bound


def _of_operation(node: ast.BinOp, scope: Scope | None, depth: int) -> Category:
    left = node.left
    if isinstance(left, ast.List | ast.Tuple | ast.ListComp) or isinstance(node.right, ast.List | ast.ListComp):
        return "sequence"
    if isinstance(left, ast.JoinedStr) or (isinstance(left, ast.Constant) and isinstance(left.value, str | bytes)):
        return "other"
    if isinstance(left, ast.Name) and isinstance(node.op, ast.Add) and depth < _DEPTH:
        return "sequence" if category(left, scope, depth + 1) == "sequence" else "number"
    return "number"


def _of_subscript(node: ast.Subscript) -> Category:
    if isinstance(node.slice, ast.Slice):
        return "sequence"
    if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
        return "unknown"
    return "number"


def _of_call(node: ast.Call) -> Category:
    if isinstance(node.func, ast.Name):
        name = node.func.id
        if name in _NUMBER_CALLS:
            return "number"
        if name in _BOOL_CALLS:
            return "bool"
        return "sequence" if name in _SEQUENCE_CALLS else "unknown"
    if isinstance(node.func, ast.Attribute):
        if node.func.attr in _SEQUENCE_METHODS:
            return "sequence"
        if isinstance(node.func.value, ast.Name) and node.func.value.id in ("math", "np", "numpy"):
            return "number"
    return "unknown"
