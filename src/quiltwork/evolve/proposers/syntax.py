"""What stands where in a piece of Python: expressions with their place and scope, statements with their lists."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import lru_cache

from quiltwork.evolve.proposers.region import Region
from quiltwork.evolve.source import TREES, Piece

Position = tuple[int, int]
"""Line from 1 and column in bytes, within a piece."""

_ALWAYS: Position = (0, 0)

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_NO_SITE = (ast.Lambda, ast.Yield, ast.YieldFrom, ast.Await, ast.NamedExpr, ast.Starred, ast.GeneratorExp, ast.Slice)
_UNTOUCHED = (ast.JoinedStr, ast.pattern, ast.alias, ast.Name, ast.Constant, ast.arg)
TYPES_AND_DECORATORS = {"annotation", "returns", "decorator_list", "bases", "type_params"}
_NO_NODES = {"ctx", "op", "ops", "id", "attr", "kind", "arg", "name", "names", "module", "level", "asname", "simple"}
_PASSES_INTEGRITY = (ast.BinOp, ast.UnaryOp, ast.IfExp, ast.Tuple, ast.Slice)
_INTEGRAL_CALLS = {"range", "min", "max", "abs"}
_CHILDREN = {
    kind: tuple(reversed([name for name in kind._fields if name not in TYPES_AND_DECORATORS | _NO_NODES]))
    if not issubclass(kind, _UNTOUCHED)
    else ()
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
"""The fields of each kind of node that lead to what may change, last first."""


@dataclass(slots=True, eq=False)
class Scope:
    """The names of a module piece, a function or a comprehension, with where each is first bound and what speaks of it."""

    owner: ast.AST
    outer: Scope | None = None
    bound: dict[str, Position] = field(default_factory=dict)
    values: dict[str, ast.expr] = field(default_factory=dict)
    hints: dict[str, set[str]] = field(default_factory=dict)

    def bind(self, name: str, position: Position) -> None:
        """Note that a name is bound at a position."""
        if name not in self.bound or position < self.bound[name]:
            self.bound[name] = position

    def home(self, name: str) -> Scope | None:
        """Return the scope that binds the name, this one or one around it."""
        scope: Scope | None = self
        while scope is not None and name not in scope.bound:
            scope = scope.outer
        return scope

    def sees(self, name: str, position: Position) -> bool:
        """Whether the name has a value at a position, as far as the order of the text tells."""
        home = self.home(name)
        return home is not None and home.bound[name] <= position

    def visible(self, position: Position) -> list[str]:
        """List the names that have a value at a position, in the order of the text from the innermost scope out."""
        names: dict[str, None] = {}
        scope: Scope | None = self
        while scope is not None:
            names.update((name, None) for name, bound in scope.bound.items() if bound <= position)
            scope = scope.outer
        return list(names)

    @property
    def function(self) -> ast.AST | None:
        """The innermost function definition around, None at the top of the module or of a class."""
        scope: Scope | None = self
        while scope is not None and not isinstance(scope.owner, _FUNCTIONS):
            scope = scope.outer
        return None if scope is None else scope.owner


@dataclass(slots=True, eq=False)
class Site:
    """An expression whose value is read. `integral`: only a whole number works there (an index, an end of a range)."""

    node: ast.expr
    parent: ast.AST
    field: str
    scope: Scope
    integral: bool

    @property
    def position(self) -> Position:
        """Where the expression begins."""
        return self.node.lineno, self.node.col_offset


@dataclass(slots=True, eq=False)
class Place:
    """A statement in its list, inside a function. `loops` says whether a loop of the same function is around it."""

    body: list[ast.stmt]
    index: int
    scope: Scope
    loops: bool

    @property
    def statement(self) -> ast.stmt:
        """The statement itself."""
        return self.body[self.index]


@dataclass(slots=True, eq=False)
class View:
    """A region read: its sites and places in the order of the text, and the lambdas' and modules' scopes behind them."""

    piece: Piece
    sites: list[Site]
    places: list[Place]
    module: Scope


@lru_cache(maxsize=TREES)
def view(region: Region) -> View:
    """Read a region; what lies outside its open ranges gives scope but no site and no place."""
    piece = region.piece
    module = Scope(piece.tree)
    reader = _Reader(piece, region, module)
    reader.read()
    key = _position
    reader.sites.sort(key=lambda site: key(site.node))
    reader.places.sort(key=lambda place: key(place.statement))
    return View(piece, reader.sites, reader.places, module)


def _position(node: ast.expr | ast.stmt) -> Position:
    return node.lineno, node.col_offset


@dataclass(slots=True, eq=False)
class _Step:
    """One node to visit. `anchor` is where a name stored in it begins to have a value."""

    node: ast.AST
    parent: ast.AST
    field: str
    scope: Scope
    anchor: Position
    integral: bool
    loops: bool


class _Reader:
    def __init__(self, piece: Piece, region: Region, module: Scope) -> None:
        self.piece = piece
        self.region = region
        self.whole = region.open == ((0, len(piece.raw)),)
        self.module = module
        self.sites: list[Site] = []
        self.places: list[Place] = []
        self.stack: list[_Step] = []

    def read(self) -> None:
        self._push(_Step(self.piece.tree, self.piece.tree, "", self.module, _ALWAYS, False, False))
        while self.stack:
            step = self.stack.pop()
            node = step.node
            if isinstance(node, ast.expr):
                self._expression(step)
            elif isinstance(node, _FUNCTIONS):
                self._define(step)
            elif isinstance(node, ast.ClassDef):
                step.scope.bind(node.name, _ALWAYS)
                step.scope = Scope(node, step.scope)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                for alias in node.names:
                    name = alias.asname or alias.name.partition(".")[0]
                    step.scope.bind(name, _ALWAYS)
                    step.scope.hints.setdefault(name, set()).add("other")
            elif isinstance(node, ast.ExceptHandler) and node.name:
                step.scope.bind(node.name, (node.lineno, node.col_offset))
                step.scope.hints.setdefault(node.name, set()).add("other")
            self._push(step)

    def _expression(self, step: _Step) -> None:
        node = step.node
        assert isinstance(node, ast.expr)
        kind = type(node)
        if kind is ast.Name:
            self._name(step, node)  # type: ignore[arg-type]
        elif kind is ast.Lambda:
            step.scope = Scope(node, step.scope)
            _bind_arguments(step.scope, node.args)  # type: ignore[attr-defined]
        elif isinstance(node, _COMPREHENSIONS):
            step.scope = Scope(node, step.scope)
        if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del) or step.field == "func":
            return
        if kind not in _NO_SITE and (self.whole or self.region.holds(*self.piece.span(node))):
            scope = step.scope.outer if step.scope.owner is node else step.scope
            assert scope is not None
            self.sites.append(Site(node, step.parent, step.field, scope, step.integral))

    def _name(self, step: _Step, node: ast.Name) -> None:
        scope, parent = step.scope, step.parent
        if isinstance(node.ctx, ast.Store):
            if isinstance(parent, ast.NamedExpr):
                while isinstance(scope.owner, _COMPREHENSIONS) and scope.outer is not None:
                    scope = scope.outer
            inside_comprehension = isinstance(scope.owner, _COMPREHENSIONS)
            scope.bind(node.id, _ALWAYS if inside_comprehension else step.anchor)
            if isinstance(parent, ast.Assign | ast.AnnAssign) and parent.value is not None:
                scope.values.setdefault(node.id, parent.value)
                return
        if hint := _hint(node, parent, step.field):
            (scope.home(node.id) or scope).hints.setdefault(node.id, set()).add(hint)

    def _define(self, step: _Step) -> None:
        node = step.node
        assert isinstance(node, _FUNCTIONS)
        step.scope.bind(node.name, _ALWAYS)
        step.scope.hints.setdefault(node.name, set()).add("other")
        step.scope = Scope(node, step.scope)
        step.loops = False
        _bind_arguments(step.scope, node.args)

    def _push(self, step: _Step) -> None:
        """Put the children of a node on the stack, the first on top."""
        node = step.node
        fields = _CHILDREN[type(node)]
        if not fields:
            return
        anchor = _anchor(node, step.anchor)
        loops = step.loops or isinstance(node, ast.For | ast.While)
        for name in fields:
            value = getattr(node, name, None)
            scope = step.scope
            if isinstance(node, ast.comprehension) and name == "iter":
                scope = scope.outer or scope  # what is gone through is evaluated before the target is bound
            integral = _is_integral(node, name, step.integral)
            if isinstance(value, list):
                for index in range(len(value) - 1, -1, -1):
                    each = value[index]
                    if isinstance(each, ast.AST):
                        self.stack.append(_Step(each, node, name, scope, anchor, integral, loops))
                        if isinstance(each, ast.stmt):
                            self._place(value, index, scope, loops)
            elif isinstance(value, ast.AST):
                self.stack.append(_Step(value, node, name, scope, anchor, integral, loops))

    def _place(self, body: list[ast.stmt], index: int, scope: Scope, loops: bool) -> None:
        if scope.function is not None and (self.whole or self.region.holds(*self.piece.span(body[index]))):
            self.places.append(Place(body, index, scope, loops))


def _bind_arguments(scope: Scope, arguments: ast.arguments) -> None:
    for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
        scope.bind(argument.arg, _ALWAYS)
    for rest in (arguments.vararg, arguments.kwarg):
        if rest is not None:
            scope.bind(rest.arg, _ALWAYS)
            scope.hints.setdefault(rest.arg, set()).add("other")


def _anchor(node: ast.AST, inherited: Position) -> Position:
    """Say where names that are stored below a node begin to have a value: after the statement that stores them."""
    if isinstance(node, ast.For | ast.AsyncFor):
        return node.iter.end_lineno or 0, node.iter.end_col_offset or 0
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.NamedExpr | ast.withitem):
        inner = node.context_expr if isinstance(node, ast.withitem) else node
        return inner.end_lineno or 0, inner.end_col_offset or 0
    return inherited


def _is_integral(node: ast.AST, name: str, inherited: bool) -> bool:
    if isinstance(node, ast.Subscript):
        return name == "slice"
    if isinstance(node, ast.Call):
        called = node.func.id if isinstance(node.func, ast.Name) else ""
        return name == "args" and called in _INTEGRAL_CALLS and (inherited or called == "range")
    return inherited and isinstance(node, _PASSES_INTEGRITY) and name != "test"


def _hint(node: ast.Name, parent: ast.AST, name: str) -> str:
    """Tell what a use of a name says about its value: "number", "sequence", "bool", "other", or "" for nothing."""
    match parent:
        case ast.BinOp() | ast.AugAssign():
            return "number"
        case ast.UnaryOp():
            return "bool" if isinstance(parent.op, ast.Not) else "number"
        case ast.Compare():
            membership = isinstance(parent.ops[-1], ast.In | ast.NotIn | ast.Is | ast.IsNot)
            return "" if membership else "number"
        case ast.Subscript():
            return "sequence" if name == "value" else "number"
        case ast.For() | ast.comprehension():
            if name == "iter":
                return "sequence"
            counts = isinstance(parent.iter, ast.Call) and getattr(parent.iter.func, "id", "") == "range"
            return "number" if name == "target" and counts else ""
        case ast.If() | ast.While() | ast.IfExp():
            return "bool" if name == "test" else ""
        case ast.BoolOp():
            return "bool"
        case ast.Attribute():
            return "other"
        case ast.Call():
            if name == "func":
                return "other"
            called = getattr(parent.func, "id", "")
            return {"len": "sequence", "sorted": "sequence", "sum": "sequence", "abs": "number", "range": "number"}.get(
                called, ""
            )
    return ""
