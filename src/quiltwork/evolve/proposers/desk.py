"""What a typed edit works with: one region of a program, its view, its file's names, and chance."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from quiltwork.evolve.program import Program
from quiltwork.evolve.proposers.categories import Category, Outline, category_at, free_names, name_category, outline
from quiltwork.evolve.proposers.region import Edit, Region, is_atom, replace
from quiltwork.evolve.proposers.syntax import Place, Site, View, view

TRIES = 8
"""Random picks before an edit says that it finds nothing to do: each costs microseconds."""

DONOR_NODES = 40
"""Nodes of an expression that may be copied elsewhere: larger copies make programs long before they make them good."""

FUNCTIONS = ("sqrt", "exp", "log", "sin", "cos", "tanh")
"""What a number may be put through where the file imports `math` or numpy."""

Item = TypeVar("Item")


@dataclass
class Desk:
    """One region of one program, ready to be edited. It is made for one edit and dropped."""

    program: Program
    region: Region
    rng: np.random.Generator

    @cached_property
    def view(self) -> View:
        """The region, read."""
        return view(self.region)

    @cached_property
    def outline(self) -> Outline:
        """The names of the region's file."""
        return outline(self.program, self.region.path)

    def pick(self, items: Sequence[Item]) -> Item:
        """Draw one of several things."""
        return items[self.below(len(items))]

    def below(self, end: int) -> int:
        """Draw a whole number from 0 to `end` - 1."""
        return int(self.rng.random() * end)

    def chance(self, probability: float) -> bool:
        """Toss a coin."""
        return bool(self.rng.random() < probability)

    def site(self, suits: Callable[[Site], bool]) -> Site | None:
        """Draw an expression that suits; None if there is none."""
        return self._drawn(self.view.sites, suits)

    def place(self, suits: Callable[[Place], bool]) -> Place | None:
        """Draw a statement that suits; None if there is none."""
        return self._drawn(self.view.places, suits)

    def _drawn(self, items: Sequence[Item], suits: Callable[[Item], bool]) -> Item | None:
        if not items:
            return None
        for _ in range(TRIES):
            found = self.pick(items)
            if suits(found):
                return found
        suitable = [item for item in items if suits(item)]
        return self.pick(suitable) if suitable else None

    def text(self, node: ast.expr | ast.stmt) -> str:
        """The text of a node as it stands."""
        start, end = self.view.piece.span(node)
        return self.view.piece.raw[start:end].decode("utf-8")

    def operand(self, node: ast.expr) -> str:
        """The text of an expression, in brackets unless it binds tightly."""
        text = self.text(node)
        return text if is_atom(node) else f"({text})"

    def replaced(self, site: Site, text: str, *, atom: bool) -> list[Edit]:
        """Put a text in an expression's place."""
        return [replace(self.view.piece, site.node, site.parent, text, atom=atom)]

    def numbers(self, site: Site) -> list[str]:
        """List the names of numbers that may be read at a site."""
        here = [
            name
            for name in site.scope.visible(site.position)
            if name not in self.outline.modules and name_category(name, site.scope) in ("number", "unknown")
        ]
        return here + [name for name, kind in self.outline.names.items() if kind == "number" and name not in here]

    def terminal(self, site: Site) -> str:
        """Draw something short with a number's value: a variable, an element that is read nearby, or a constant."""
        chance = self.rng.random()
        if chance < 0.25 and (donor := self.donor(site, "number", leaf=True)) is not None:
            return self.text(donor)
        names = self.numbers(site)
        if chance < 0.75 and names:
            return self.pick(names)
        return self.constant(integral=site.integral)

    def constant(self, *, integral: bool) -> str:
        """Draw a constant: small whole numbers where only those work, else also halves and what a normal law gives."""
        if integral or self.chance(0.3):
            return str(self.pick((1, 1, 2, 2, 3, 4, 5, 10)))
        if self.chance(0.5):
            return repr(self.pick((0.1, 0.5, 1.0, 1.5, 2.0, 3.0, 10.0)))
        return repr(rounded(abs(float(self.rng.normal())) + 1e-3, 3))

    def function(self) -> str:
        """Draw a function of one number that the file can call as it stands: `abs` always, others by its imports."""
        prefix = next((name for name, module in self.outline.modules.items() if module in ("math", "numpy")), None)
        here = [f"{prefix}.{name}" for name in FUNCTIONS] if prefix else []
        here += [name for name in FUNCTIONS if name in self.outline.maths]
        return self.pick(["abs", *here])

    def donor(self, site: Site, kind: Category, *, leaf: bool = False) -> ast.expr | None:
        """Draw another expression of this region, of a given kind, whose names all have a value at the site."""
        for _ in range(TRIES):
            other = self.pick(self.view.sites)
            if leaf and not isinstance(other.node, ast.Name | ast.Subscript | ast.Attribute):
                continue
            if other.node is site.node or other.integral != site.integral or category_at(other) != kind:
                continue
            if self.fits(other.node, site) and self.can_stand_elsewhere(other.node):
                return other.node
        return None

    def fits(self, node: ast.expr, site: Site) -> bool:
        """Whether an expression is short enough to be copied, and all its names have a value at the site."""
        if sum(1 for _ in ast.walk(node)) > DONOR_NODES:
            return False
        names = free_names(node)
        return all(site.scope.sees(name, site.position) or self.outline.knows(name) for name in names)

    def can_stand_elsewhere(self, node: ast.expr) -> bool:
        """Whether the expression's text means the same in another place: a tuple needs its own brackets for that."""
        return not isinstance(node, ast.Tuple) or self.text(node).startswith("(")


def rounded(value: float, digits: int) -> float:
    """Round to significant digits, so that a program stays readable."""
    if value == 0 or not math.isfinite(value):
        return value
    return round(value, digits - 1 - math.floor(math.log10(abs(value))))


def literal(node: ast.expr) -> int | float | None:
    """Return the value of a numeric literal, its sign folded in; None for anything else, True and False included."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = literal(node.operand) if isinstance(node.operand, ast.Constant) else None
        return None if inner is None else -inner
    if isinstance(node, ast.Constant) and type(node.value) in (int, float) and math.isfinite(node.value):  # type: ignore[arg-type]
        return node.value  # type: ignore[return-value]
    return None
