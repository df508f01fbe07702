"""The step function as a minimax problem: the largest of the overlaps at all shifts, lowered by sequential linear programs.

The maximum of many quadratic functions has no gradient where it matters, so every start and every move ends in `descend`, a
trust-region method that keeps only what lowers the true maximum (after Madsen and Schjaer-Jacobsen 1978).
"""

from __future__ import annotations

import numpy as np

from quiltwork.evolve import Nlp

STEPS, MOST = 80, 200
"""Steps to begin with, and beyond which none is cut in two: a linear program of 200 steps takes 50 ms."""


def overlaps(heights: np.ndarray) -> np.ndarray:
    """2/n times the sum of h[i + k] (1 - h[i]), for every shift k: (2 n - 1,)."""
    return np.correlate(heights, 1.0 - heights, "full") * (2.0 / len(heights))


def slopes(heights: np.ndarray) -> np.ndarray:
    """The Jacobian of the overlaps: (2 n - 1, n)."""
    n = len(heights)
    place, shift = np.arange(n)[None, :], np.arange(1 - n, n)[:, None]
    inside = np.pad(heights, n)
    outside = np.pad(1.0 - heights, n)
    return (outside[n + place - shift] - inside[n + place + shift]) * (2.0 / n)


def projected(x: np.ndarray) -> np.ndarray:
    """The heights in [0, 1] with mean 1/2 that are nearest to x."""
    low, high = -x.max() - 1.0, 1.0 - x.min() + 1.0
    for _ in range(60):
        shift = (low + high) / 2.0
        if np.clip(x + shift, 0.0, 1.0).mean() < 0.5:
            low = shift
        else:
            high = shift
    return np.clip(x + high, 0.0, 1.0)


def descend(heights: np.ndarray, steps: int = 40, radius: float = 0.1) -> np.ndarray:
    """Lower the largest overlap by at most `steps` linear programs in a box that shrinks where they promise too much."""
    from scipy.optimize import linprog

    n = len(heights)
    now = overlaps(heights)
    for _ in range(steps):
        near = now > now.max() - 4.0 * radius
        rows = np.hstack([slopes(heights)[near], -np.ones((int(near.sum()), 1))])
        box = np.stack([np.maximum(-heights, -radius), np.minimum(1.0 - heights, radius)], axis=1).tolist()
        solved = linprog(
            np.append(np.zeros(n), 1.0),
            A_ub=rows,
            b_ub=now.max() - now[near],
            A_eq=np.append(np.ones(n), 0.0)[None, :],
            b_eq=[n / 2.0 - heights.sum()],
            bounds=[*box, (None, None)],
            method="highs-ds",
        )
        if solved.x is None or solved.status != 0 or solved.x[-1] > -1e-12:
            break
        there = projected(heights + solved.x[:-1])
        tried = overlaps(there)
        kept = (now.max() - tried.max()) / -solved.x[-1]
        if kept > 0.05:
            heights, now = there, tried
        radius *= 0.3 if kept < 0.1 else 0.6 if kept < 0.5 else 1.0 if kept < 0.9 else 2.0
        if radius < 1e-7:
            break
    return heights


def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
    """The largest overlap, and a subgradient among heights of the same mean."""
    heights = projected(x)
    values = overlaps(heights)
    slope = slopes(heights)[int(values.argmax())]
    return float(values.max()), slope - slope.mean()


def random(rng: np.random.Generator) -> np.ndarray:
    """A hill with noise."""
    places = np.linspace(-1.0, 1.0, STEPS)
    hill = 0.5 + 0.5 * np.cos(np.pi * places)
    return descend(projected(hill + rng.uniform(0.05, 0.4) * rng.normal(size=STEPS)))


def shake(heights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change all heights."""
    size = rng.choice([0.01, 0.03, 0.1])
    return descend(projected(heights + size * rng.normal(size=len(heights))), radius=size)


def redraw(heights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw the heights of a stretch anew."""
    length = int(rng.integers(2, max(3, len(heights) // 5)))
    first = int(rng.integers(len(heights) - length + 1))
    drawn = heights.copy()
    drawn[first : first + length] = rng.permutation(drawn[first : first + length])
    return descend(projected(drawn))


def slide(heights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Move the steps sideways along a smooth wave."""
    places = np.linspace(0.0, 1.0, len(heights))
    wave = rng.choice([0.003, 0.01, 0.03]) * np.sin(places * rng.uniform(1.0, 20.0) + rng.uniform(0.0, 6.3))
    return descend(projected(np.interp(places + wave, places, heights)))


def refine(heights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cut every step in two, which changes nothing, and use the freedom."""
    if 2 * len(heights) > MOST:
        return shake(heights, rng)
    return shake(np.repeat(heights, 2), rng)


def from_construction(heights: list[float]) -> np.ndarray:
    """The heights; more than `MOST` steps are averaged down."""
    steps = np.asarray(heights, dtype=float)
    if len(steps) <= MOST:
        return steps
    areas = np.append(0.0, np.cumsum(steps)) * MOST / len(steps)
    edges = np.linspace(0.0, len(steps), MOST + 1)
    return projected(np.diff(np.interp(edges, np.arange(len(steps) + 1), areas)))


def problem() -> Nlp:
    """What `polish` works on. Bounds of one element stand for every unknown, since the number of steps varies."""
    return Nlp(
        random=random,
        objective=objective,
        bounds=(np.zeros(1), np.ones(1)),
        perturb={"shake": shake, "redraw": redraw, "slide": slide, "refine": refine},
        to_construction=lambda x: projected(x).tolist(),
        from_construction=from_construction,
        hops=2,
    )
