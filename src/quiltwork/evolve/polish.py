"""Improving a construction directly: what a problem's `polish.py` declares, and the search over it.

After AlphaEvolve's search mode (arXiv 2511.02864), where what is carried from step to step is the object and not the
program, and ImprovEvolve (arXiv 2602.10233), which splits such a search in three: propose a start, improve it locally,
perturb what is good and improve again (basin hopping: Wales and Doye 1997).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quiltwork.evolve.score import Data
from quiltwork.evolve.slp import Local, improve, order, tighten

Vector = NDArray[np.float64]
Rng = np.random.Generator
Move = Callable[[Vector, Rng], Vector]

SAME_BASIN = 1e-8
"""Two local minima whose objectives are closer than this (relative) count as one."""

FRESH_SHARE = 0.15
"""How often a search that has a start ignores it: a good start may be the wrong one."""

FRESH_STARTS = 3
"""Random starts of which the best is hopped from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nlp:
    """A construction as a vector x of n numbers, to be made as small in `objective` as its constraints allow.

    A problem's `polish.py` defines `problem() -> Nlp`. Everything in it must be a function of its arguments alone.
    """

    random: Callable[[Rng], Vector]
    """A start (n,) to begin from. It need not satisfy the constraints."""
    objective: Callable[[Vector], tuple[float, Vector]]
    """Value to minimise, and its gradient (n,)."""
    to_construction: Callable[[Vector], Data]
    """The construction as the problem's evaluator wants it."""
    from_construction: Callable[[Data], Vector]
    """The vector of a construction that the evaluator has passed."""
    constraints: Callable[[Vector], tuple[Vector, Vector]] | None = None
    """Values (m,), none of which may be negative, and their Jacobian (m, n)."""
    bounds: tuple[Vector, Vector] | None = None
    """Least and largest value of each unknown, (n,) each; equal ones hold an unknown fixed."""
    perturb: Move | Mapping[str, Move] | None = None
    """One move or several by name, that leave a local minimum. Without it: `default_moves`."""
    radius: float = 0.1
    """How far, in each unknown, a first linear model may be believed: a tenth of the construction's size, say."""
    scale: Vector | None = None
    """Units of the unknowns (n,), where `radius` does not suit them all: large for one that only bounds the others."""
    hops: int = 30
    """Local searches per proposal; choose it such that they take about half a second together."""

    def box(self, n: int) -> tuple[Vector, Vector]:
        """The bounds, infinite where there are none."""
        return self.bounds if self.bounds is not None else (np.full(n, -np.inf), np.full(n, np.inf))

    def scales(self, n: int) -> Vector:
        """The units of the unknowns."""
        return self.scale if self.scale is not None else np.ones(n)

    def clip(self, x: Vector) -> Vector:
        """The nearest point within the bounds."""
        return x if self.bounds is None else np.clip(x, *self.bounds)

    def moves(self) -> Mapping[str, Move]:
        """The perturbations, by name."""
        if self.perturb is None:
            return default_moves(self)
        return self.perturb if isinstance(self.perturb, Mapping) else {"perturb": self.perturb}


@dataclass(frozen=True, slots=True)
class Found:
    """What a search brings back: the best point (n,), its objective, and how it came about, in a few words."""

    x: Vector
    value: float
    note: str


def search(nlp: Nlp, start: Vector | None, rng: Rng) -> Found | None:
    """One proposal's worth of search from `start`, or from nowhere: local descent, hops, a final tightening.

    Returns something better than the start, else the best other basin that was seen, else None.
    """
    fresh = start is None or rng.random() < FRESH_SHARE
    base = _descend_from_random(nlp, rng) if fresh or start is None else improve(nlp, start)
    if not base.feasible:
        return None
    best, other, names = _hop(nlp, base, rng)
    words = (["fresh start"] if fresh else []) + names
    if start is None:
        return _found(nlp, best, words, None)
    reached = nlp.objective(start)[0]
    if fresh or better(best.value, reached):
        return None if same(best.value, reached) else _found(nlp, best, words or ["local descent"], reached)
    return None if other is None else _found(nlp, other, ["another basin"], reached)


def better(value: float, than: float) -> bool:
    """Whether an objective is lower by more than one basin's rounding."""
    return value < than - SAME_BASIN * (1.0 + abs(than))


def same(value: float, other: float) -> bool:
    """Whether two objectives belong to one basin, as far as their values tell."""
    return not better(value, other) and not better(other, value)


def default_moves(nlp: Nlp) -> Mapping[str, Move]:
    """Moves that need to know nothing of the construction: draw some unknowns anew, or kick some or all of them."""

    def some(n: int, rng: Rng) -> NDArray[np.bool_]:
        chosen: NDArray[np.bool_] = rng.random(n) < rng.choice([0.05, 0.2, 1.0])
        chosen[rng.integers(n)] = True
        return chosen

    def redraw(x: Vector, rng: Rng) -> Vector:
        return np.where(some(len(x), rng), nlp.random(rng), x)

    def kick(x: Vector, rng: Rng) -> Vector:
        size = nlp.radius * rng.choice([0.1, 0.3, 1.0, 3.0])
        return nlp.clip(x + some(len(x), rng) * rng.normal(0.0, size, len(x)))

    return {"redraw": redraw, "kick": kick}


def _descend_from_random(nlp: Nlp, rng: Rng) -> Local:
    return min((improve(nlp, nlp.random(rng)) for _ in range(FRESH_STARTS)), key=order)


def _hop(nlp: Nlp, base: Local, rng: Rng) -> tuple[Local, Local | None, list[str]]:
    """Basin hopping that accepts what is better: the best basin, the best other one beside `base`, the moves that led there."""
    moves = list(nlp.moves().items())
    best, other, names = base, None, list[str]()
    for _ in range(nlp.hops):
        name, move = moves[int(rng.integers(len(moves)))]
        tried = improve(nlp, move(best.x, rng), hopeless_above=best.value)
        if not tried.feasible:
            continue
        if better(tried.value, best.value):
            best = tried
            names.append(name)
        elif not same(best.value, tried.value) and (other is None or tried.value < other.value):
            other = tried
    return best, other, names


def _found(nlp: Nlp, local: Local, words: list[str], reached: float | None) -> Found:
    """The tightened point, with a note such as "polish: refill, jiggle, +1.2e-04" (what the objective fell by)."""
    tightened = tighten(nlp, local.x)
    final = tightened if tightened.feasible else local
    gain = [] if reached is None else [f"{reached - final.value:+.1e}"]
    return Found(final.x, final.value, f"polish: {', '.join([*dict.fromkeys(words), *gain])}")
