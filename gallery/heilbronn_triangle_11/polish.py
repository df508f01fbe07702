"""The points as a nonlinear program: coordinates u, v and a bound t on all areas, to be raised.

A descent keeps the orientation of every triangle, so it can only be as good as the orientations it starts with. Starts and moves
therefore end with sweeps that put one point after another at the best place of a grid, all others fixed.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from quiltwork.evolve import Nlp

N = 11
A, B, C = np.array(list(combinations(range(N), 3))).T
TRIPLES = np.arange(len(A))
FIRST, SECOND = np.triu_indices(N - 1, 1)
FINE = 40
GRID = np.array([(a / FINE, b / FINE) for a in range(FINE + 1) for b in range(FINE + 1 - a)])
OBJECTIVE = np.append(np.zeros(2 * N), -1.0)


def objective(z: np.ndarray) -> tuple[float, np.ndarray]:
    """Minus the bound t."""
    return -float(z[-1]), OBJECTIVE


def constraints(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Areas minus t, with the orientations as they are at z; then what is left to the long side."""
    u, v = z[:-1].reshape(2, N)
    ub, vb, uc, vc = u[B] - u[A], v[B] - v[A], u[C] - u[A], v[C] - v[A]
    areas = ub * vc - uc * vb
    turn = np.where(areas >= 0, 1.0, -1.0)
    jacobian = np.zeros((len(A) + N, len(z)))
    for points, offset, slope in ((B, 0, vc), (C, 0, -vb), (A, 0, vb - vc), (B, N, -uc), (C, N, ub), (A, N, uc - ub)):
        jacobian[TRIPLES, offset + points] = turn * slope
    jacobian[: len(A), -1] = -1.0
    jacobian[len(A) + np.arange(N), np.arange(N)] = -1.0
    jacobian[len(A) + np.arange(N), N + np.arange(N)] = -1.0
    return np.concatenate([turn * areas - z[-1], 1.0 - u - v]), jacobian


def random(rng: np.random.Generator) -> np.ndarray:
    """Points anywhere, swept three times."""
    points = _folded(rng.random((N, 2)))
    for _ in range(3):
        points = _swept(points, rng)
    return _unknowns(points)


def replace(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Put one to three points at other good places, or anywhere; then, mostly, sweep."""
    points = z[:-1].reshape(2, N).T.copy()
    for _ in range(rng.integers(1, 4)):
        index = int(rng.integers(N))
        good = np.argsort(-_smallest_with(points, index, GRID), kind="stable")[:30]
        points[index] = GRID[rng.choice(good)] if rng.random() < 0.8 else _folded(rng.random((1, 2)))[0]
    return _unknowns(_swept(points, rng) if rng.random() < 0.8 else points)


def jiggle(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shake some points or all; then, mostly, sweep."""
    points = z[:-1].reshape(2, N).T
    shaken = rng.random((N, 1)) < rng.choice([0.2, 0.5, 1.0])
    points = _folded(points + shaken * rng.normal(0.0, rng.choice([0.02, 0.05, 0.1, 0.2]), (N, 2)))
    return _unknowns(_swept(points, rng) if rng.random() < 0.8 else points)


def _swept(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each point once, in random order, moved to the best place of a shaken grid, or left where that is better."""
    points = points.copy()
    for index in rng.permutation(N):
        places = _folded(GRID + rng.uniform(-0.5 / FINE, 0.5 / FINE, GRID.shape))
        places = np.vstack([places, points[index]])
        points[index] = places[_smallest_with(points, index, places).argmax()]
    return points


def _smallest_with(points: np.ndarray, index: int, places: np.ndarray) -> np.ndarray:
    """The smallest area with any two other points, for each place (m, 2) that the point of an index could take: (m,)."""
    u, v = np.delete(points, index, axis=0).T
    side_u, side_v = u[SECOND] - u[FIRST], v[SECOND] - v[FIRST]
    areas = side_u * (places[:, 1:] - v[FIRST]) - side_v * (places[:, :1] - u[FIRST])
    return np.abs(areas).min(axis=1)


def _folded(points: np.ndarray) -> np.ndarray:
    """Points outside the triangle reflected into it."""
    points = np.abs(points)
    over = points.sum(axis=1, keepdims=True) > 1.0
    return np.where(over, np.clip(1.0 - points[:, ::-1], 0.0, 1.0), points)


def _unknowns(points: np.ndarray) -> np.ndarray:
    return np.append(points.T.ravel(), 0.0)


def to_construction(z: np.ndarray) -> list[list[float]]:
    """Rows u, v."""
    return z[:-1].reshape(2, N).T.tolist()


def from_construction(points: list[list[float]]) -> np.ndarray:
    """The unknowns; t is the smallest area."""
    z = _unknowns(np.asarray(points, dtype=float))
    z[-1] = constraints(z)[0][: len(A)].min()
    return z


def problem() -> Nlp:
    """What `polish` works on."""
    return Nlp(
        random=random,
        objective=objective,
        constraints=constraints,
        bounds=(np.zeros(2 * N + 1), np.ones(2 * N + 1)),
        perturb={"replace": replace, "jiggle": jiggle},
        to_construction=to_construction,
        from_construction=from_construction,
        radius=0.03,
        scale=np.append(np.ones(2 * N), 10.0),
        hops=15,
    )
