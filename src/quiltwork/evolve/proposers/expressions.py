"""Typed edits of expressions: numbers, operators, terms; the operators of genetic programming, on text.

Each takes a `Desk` and returns edits, or None where the region has nothing for it. (Koza, "Genetic Programming", 1992:
point mutation, shrink and hoist, subtree growth; here typed by what kind of value an expression has.)
"""

from __future__ import annotations

import ast
import math

from quiltwork.evolve.proposers.categories import category, category_at
from quiltwork.evolve.proposers.desk import Desk, literal, rounded
from quiltwork.evolve.proposers.region import Edit, is_atom
from quiltwork.evolve.proposers.syntax import Site

_SYMBOLS: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.And: "and",
    ast.Or: "or",
}
_ARITHMETIC = ("+", "-", "*", "/")
_WHOLE_ARITHMETIC = ("+", "-", "*", "//", "%")
_COMPARISONS = ("<", "<=", ">", ">=")
_ADDITIVE = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)
_MULTIPLICATIVE = (ast.Mult, ast.Pow)


def perturb_number(desk: Desk) -> list[Edit] | None:
    """Move one numeric literal a little or a lot: by a factor, by a sum, now and then across zero."""
    site = desk.site(_is_number)
    if site is None:
        return None
    value = literal(site.node)
    if value is None or (isinstance(value, int) and abs(value) > 2**53):
        return None
    text = _near_int(desk, value, site.integral) if isinstance(value, int) else _near_float(desk, value)
    return desk.replaced(site, text, atom=not text.startswith("-"))


def swap_operator(desk: Desk) -> list[Edit] | None:
    """Put another operator of the same family between the same operands."""
    site = desk.site(lambda each: _operator_of(each.node) in _SYMBOLS)
    if site is None:
        return None
    node = site.node
    kind = _operator_of(node)
    assert kind is not None
    old = _SYMBOLS[kind]
    if isinstance(node, ast.BoolOp):
        family: tuple[str, ...] = ("and", "or")
    elif isinstance(node, ast.Compare):
        family = (*_COMPARISONS, "==", "!=") if desk.chance(0.2) else _COMPARISONS
    else:
        family = _WHOLE_ARITHMETIC if site.integral or old in ("//", "%") else _ARITHMETIC
    new = desk.pick([symbol for symbol in family if symbol != old])
    left, right = _operands(node)
    gap_start, gap_end = desk.view.piece.span(left)[1], desk.view.piece.span(right)[0]
    gap = desk.view.piece.raw[gap_start:gap_end].decode("utf-8")
    if gap.count(old) != 1 or "#" in gap:
        return None
    return [Edit(gap_start, gap_end, gap.replace(old, new).encode("utf-8"))]


def substitute(desk: Desk) -> list[Edit] | None:
    """Put another expression of the same kind, or something short, in an expression's place."""
    site = desk.site(lambda each: category_at(each) in ("number", "bool", "sequence"))
    if site is None:
        return None
    kind = category_at(site)
    if kind == "number" and desk.chance(0.5):
        return desk.replaced(site, desk.terminal(site), atom=True)
    donor = desk.donor(site, kind)
    return None if donor is None else desk.replaced(site, desk.text(donor), atom=is_atom(donor))


def grow(desk: Desk) -> list[Edit] | None:
    """Make `e op t` of a number `e`, with a variable, an element, a constant or a function of one for `t`."""
    site = _number_site(desk)
    if site is None:
        return None
    term = desk.terminal(site)
    if not site.integral and desk.chance(0.2):
        term = f"{desk.function()}({term})"
    symbol = desk.pick(_WHOLE_ARITHMETIC[:3] if site.integral else _ARITHMETIC)
    if symbol in "-/" and desk.chance(0.3):
        return desk.replaced(site, f"{term} {symbol} {desk.operand(site.node)}", atom=False)
    return desk.replaced(site, f"{_left(desk, site.node, symbol)} {symbol} {term}", atom=False)


def add_term(desk: Desk) -> list[Edit] | None:
    """Add a term with a coefficient: `e + a * t`, or `e * (1 + a * t)`, `t` being a power, a product or a function.

    Small coefficients are drawn as often as large ones, decade by decade, and 0.0 now and then: a child that is no worse
    than its parent lives long enough for the coefficient to be tuned. Values of whole statements are preferred to parts.
    """
    site = desk.site(_is_whole_value) if desk.chance(0.6) else _number_site(desk)
    names = desk.numbers(site) if site is not None and not site.integral else []
    if site is None or not names:
        return None
    coefficient = "0.0" if desk.chance(0.2) else repr(rounded(10.0 ** float(desk.rng.uniform(-3.0, 0.5)), 2))
    scaled = f"{desk.pick(('+', '-'))} {coefficient} * {_basis(desk, names)}"
    if desk.chance(0.8):
        return desk.replaced(site, f"{_left(desk, site.node, '+')} {scaled}", atom=False)
    return desk.replaced(site, f"{desk.operand(site.node)} * (1.0 {scaled})", atom=False)


def _basis(desk: Desk, names: list[str]) -> str:
    """Draw what a new term is made of: a variable, a power or a function of one, or a product of two."""
    name = desk.pick(names)
    chance = desk.rng.random()
    if chance < 0.3:
        return name
    if chance < 0.6:
        return f"{name} ** {desk.pick((2, 3, 4))}"
    if chance < 0.8:
        return f"{name} * {desk.pick(names)}"
    return f"{desk.function()}({name})"


def _is_whole_value(site: Site) -> bool:
    return isinstance(site.parent, ast.Return | ast.Assign | ast.AugAssign) and category_at(site) == "number"


def wrap(desk: Desk) -> list[Edit] | None:
    """Put a number through a function: negation, a square, `min` or `max` with something short, `sqrt` and its like."""
    site = _number_site(desk)
    if site is None:
        return None
    text = desk.text(site.node)
    chance = desk.rng.random()
    if chance < 0.3:
        return desk.replaced(site, f"{desk.pick(('min', 'max'))}({text}, {desk.terminal(site)})", atom=True)
    if site.integral:
        return None
    if chance < 0.4:
        return desk.replaced(site, f"-{desk.operand(site.node)}", atom=False)
    if chance < 0.55:
        return desk.replaced(site, f"{desk.operand(site.node)} ** {desk.pick((2, 2, 3, 0.5))}", atom=False)
    return desk.replaced(site, f"{desk.function()}({text})", atom=True)


def shrink(desk: Desk) -> list[Edit] | None:
    """Put one of its own parts of the same kind in an expression's place: an operand, an argument, a branch."""
    site = desk.site(lambda each: bool(_parts(each.node)))
    if site is None:
        return None
    kind = category_at(site)
    parts = [part for part in _parts(site.node) if category(part, site.scope) in (kind, "unknown")]
    if not parts:
        return None
    part = desk.pick(parts)
    if not desk.can_stand_elsewhere(part):
        return None
    return desk.replaced(site, desk.text(part), atom=is_atom(part))


def change_range(desk: Desk) -> list[Edit] | None:
    """Move an end of a range by a small whole number or a factor."""
    site = desk.site(lambda each: isinstance(each.parent, ast.Call) and each.integral and category_at(each) == "number")
    if site is None:
        return None
    value = literal(site.node)
    if isinstance(value, int):
        text = _near_int(desk, value, integral=True)
        return desk.replaced(site, text, atom=not text.startswith("-"))
    change = desk.pick(("+ 1", "- 1", "* 2", "// 2", "+ 2"))
    return desk.replaced(site, f"{_left(desk, site.node, change.split()[0])} {change}", atom=False)


def change_condition(desk: Desk) -> list[Edit] | None:
    """Negate a condition, replace it by a comparison of numbers, or join one to it."""
    site = desk.site(lambda each: each.field == "test" or category_at(each) == "bool")
    if site is None:
        return None
    chance = desk.rng.random()
    if chance < 0.25:
        return desk.replaced(site, f"not {desk.operand(site.node)}", atom=False)
    comparison = new_comparison(desk, site)
    if chance < 0.6:
        return desk.replaced(site, comparison, atom=False)
    joined = f"{desk.operand(site.node)} {desk.pick(('and', 'or'))} {comparison}"
    return desk.replaced(site, joined, atom=False)


def new_comparison(desk: Desk, site: Site) -> str:
    """Compare a variable with something short, as text."""
    names = desk.numbers(site)
    left = desk.pick(names) if names else desk.terminal(site)
    return f"{left} {desk.pick(_COMPARISONS)} {desk.terminal(site)}"


def _is_number(site: Site) -> bool:
    if isinstance(site.parent, ast.UnaryOp) and isinstance(site.parent.op, ast.USub):
        return False
    return literal(site.node) is not None


def _number_site(desk: Desk) -> Site | None:
    return desk.site(lambda each: category_at(each) == "number")


def _near_int(desk: Desk, value: int, integral: bool) -> str:
    chance = desk.rng.random()
    step = 1 + int(desk.rng.geometric(0.5)) // 2
    if not integral and chance < 0.1:
        return repr(rounded(value * math.exp(0.3 * float(desk.rng.normal())), 3))
    if chance < 0.6 or abs(value) < 3:
        moved = value + step * desk.pick((-1, 1))
    else:
        moved = round(value * math.exp(0.5 * float(desk.rng.normal())))
    lowest = 0 if value >= 0 else moved
    return str(max(moved, lowest))


def _near_float(desk: Desk, value: float) -> str:
    chance = desk.rng.random()
    normal = float(desk.rng.normal())
    spread = desk.pick((0.02, 0.2, 1.0))
    if value == 0.0 or chance < 0.15:
        moved = value + spread * normal * max(1.0, abs(value))
    elif chance < 0.2:
        moved = -value
    else:
        moved = value * math.exp(spread * normal)
    return repr(rounded(moved, 2 if spread == 1.0 else 4 if spread == 0.2 else 6))


def _operator_of(node: ast.expr) -> type[ast.AST] | None:
    match node:
        case ast.BinOp(op=op) | ast.BoolOp(op=op):
            return type(op)
        case ast.Compare(ops=[op]):
            return type(op)
    return None


def _operands(node: ast.expr) -> tuple[ast.expr, ast.expr]:
    match node:
        case ast.BinOp(left=left, right=right):
            return left, right
        case ast.Compare(left=left, comparators=[right]):
            return left, right
        case ast.BoolOp(values=[left, right, *_]):
            return left, right
    raise AssertionError(node)


def _left(desk: Desk, node: ast.expr, symbol: str) -> str:
    """Write a left operand without brackets that precedence makes needless."""
    loose = {"+": _ADDITIVE, "-": _ADDITIVE, "*": _MULTIPLICATIVE, "/": _MULTIPLICATIVE}.get(symbol, ())
    if isinstance(node, ast.BinOp) and isinstance(node.op, loose) and "\n" not in (text := desk.text(node)):
        return text
    return desk.operand(node)


def _parts(node: ast.expr) -> list[ast.expr]:
    match node:
        case ast.BinOp(left=left, right=right):
            return [left, right]
        case ast.UnaryOp(operand=operand) if not isinstance(operand, ast.Constant):
            return [operand]
        case ast.IfExp(body=body, orelse=orelse):
            return [body, orelse]
        case ast.BoolOp(values=values):
            return list(values)
        case ast.Call(args=args):
            return [each for each in args if not isinstance(each, ast.Starred | ast.GeneratorExp | ast.Lambda)]
    return []
