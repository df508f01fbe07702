"""Improving a construction directly: the search over what a problem's `polish.py` declares (`nlp.py`).

After AlphaEvolve's search mode (arXiv 2511.02864), where what is carried from step to step is the object and not the
program, and ImprovEvolve (arXiv 2602.10233), which splits such a search in three: propose a start, improve it locally,
perturb what is good and improve again (basin hopping: Wales and Doye 1997).
"""

from __future__ import annotations

from dataclasses import dataclass

from quiltwork.evolve.nlp import Nlp, Rng, Vector
from quiltwork.evolve.slp import Local, improve, order, tighten

SAME_BASIN = 1e-8
"""Two local minima whose objectives are closer than this (relative) count as one."""

FRESH_SHARE = 0.15
"""How often a search that has a start ignores it: a good start may be the wrong one."""

FRESH_STARTS = 3
"""Random starts of which the best is hopped from."""


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
