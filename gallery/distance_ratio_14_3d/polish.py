"""The points as a nonlinear program: coordinates, and a bound s on the squared distances, none of which may be below 1."""

from __future__ import annotations

import numpy as np

from quiltwork.evolve import Nlp

N, DIMENSION = 14, 3
FIRST, SECOND = np.triu_indices(N, 1)
PAIRS = np.arange(len(FIRST))
SIZE = 1.5
"""Half the width of the box that random points are drawn from, in smallest distances."""

OBJECTIVE = np.append(np.zeros(N * DIMENSION), 1.0)


def objective(z: np.ndarray) -> tuple[float, np.ndarray]:
    """The bound s."""
    return float(z[-1]), OBJECTIVE


def constraints(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared distances minus 1, then s minus squared distances."""
    coordinates = z[:-1].reshape(DIMENSION, N)
    apart = coordinates[:, FIRST] - coordinates[:, SECOND]
    squares = (apart**2).sum(axis=0)
    jacobian = np.zeros((2 * len(PAIRS), len(z)))
    for axis in range(DIMENSION):
        jacobian[PAIRS, axis * N + FIRST] = 2 * apart[axis]
        jacobian[PAIRS, axis * N + SECOND] = -2 * apart[axis]
    jacobian[len(PAIRS) :] = -jacobian[: len(PAIRS)]
    jacobian[len(PAIRS) :, -1] = 1.0
    return np.concatenate([squares - 1.0, z[-1] - squares]), jacobian


def random(rng: np.random.Generator) -> np.ndarray:
    """Points anywhere in a box."""
    return _bounded(rng.uniform(-SIZE, SIZE, (DIMENSION, N)))


def replace(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Put one or two points somewhere else around the middle."""
    points = z[:-1].reshape(DIMENSION, N).copy()
    for _ in range(rng.integers(1, 3)):
        way = rng.normal(size=DIMENSION)
        points[:, rng.integers(N)] = points.mean(axis=1) + SIZE * rng.random() * way / np.linalg.norm(way)
    return _bounded(points)


def jiggle_some(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shake two to five neighbours."""
    points = z[:-1].reshape(DIMENSION, N).copy()
    distances = ((points - points[:, [rng.integers(N)]]) ** 2).sum(axis=0)
    near = np.argsort(distances, kind="stable")[: rng.integers(2, 6)]
    points[:, near] += rng.normal(0.0, rng.choice([0.1, 0.3, 0.5]), (DIMENSION, len(near)))
    return _bounded(points)


def jiggle_all(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shake all points."""
    points = z[:-1].reshape(DIMENSION, N)
    return _bounded(points + rng.normal(0.0, rng.choice([0.05, 0.1, 0.2]), points.shape))


def _bounded(points: np.ndarray) -> np.ndarray:
    return np.append(points.ravel(), ((points[:, FIRST] - points[:, SECOND]) ** 2).sum(axis=0).max())


def to_construction(z: np.ndarray) -> list[list[float]]:
    """Rows of coordinates."""
    return z[:-1].reshape(DIMENSION, N).T.tolist()


def from_construction(points: list[list[float]]) -> np.ndarray:
    """The unknowns, with the smallest distance scaled to 1 and the middle at the origin."""
    columns = np.asarray(points, dtype=float).T
    columns = columns - columns.mean(axis=1, keepdims=True)
    shortest = np.sqrt(((columns[:, FIRST] - columns[:, SECOND]) ** 2).sum(axis=0).min())
    return _bounded(columns / shortest)


def problem() -> Nlp:
    """What `polish` works on."""
    return Nlp(
        random=random,
        objective=objective,
        constraints=constraints,
        perturb={"replace": replace, "jiggle some": jiggle_some, "jiggle all": jiggle_all},
        to_construction=to_construction,
        from_construction=from_construction,
        radius=0.3,
        scale=np.append(np.ones(N * DIMENSION), 1e3),
        hops=20,
    )
