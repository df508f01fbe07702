"""The packing as a nonlinear program: 34 unknowns x, y, angle and the outer side, which is to shrink.

Two hexagons are disjoint when a side of one of them separates them. At every point the side that leaves the widest gap is the one
that must go on separating, and its two nearest corners give a constraint each; another side takes over where it leaves more.
"""

from __future__ import annotations

import numpy as np

from quiltwork.evolve import Nlp

N = 11
FIRST, SECOND = np.triu_indices(N, 1)
OWNER, OTHER = np.concatenate([FIRST, SECOND]), np.concatenate([SECOND, FIRST])
PAIRS = len(FIRST)
SIXTH = np.pi / 3 * np.arange(6)
NORMALS = np.pi / 6 + SIXTH
APOTHEM = np.sqrt(0.75)
NEAREST = 2
"""Corners of a hexagon that are kept beyond a side."""

OBJECTIVE = np.append(np.zeros(3 * N), 1.0)


def objective(z: np.ndarray) -> tuple[float, np.ndarray]:
    """The outer side."""
    return float(z[-1]), OBJECTIVE


def constraints(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gaps between hexagons, then gaps to the outer sides."""
    gaps, jacobian = _apart(z)
    walls, slopes = _inside(z)
    return np.concatenate([gaps, walls]), np.vstack([jacobian, slopes])


def _apart(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y, angle = z[:-1].reshape(3, N)
    dx, dy = x[OTHER] - x[OWNER], y[OTHER] - y[OWNER]
    normal = angle[OWNER, None] + NORMALS
    corners = np.cos(normal[:, :, None] - angle[OTHER, None, None] - SIXTH)
    along = np.cos(normal) * dx[:, None] + np.sin(normal) * dy[:, None]
    widest = along + corners.min(axis=2)
    axis, second = widest.argmax(axis=1), widest.max(axis=1)
    rows = np.arange(PAIRS) + PAIRS * (second[PAIRS:] > second[:PAIRS])
    axis = axis[rows]
    nearest = np.argsort(corners[rows, axis], axis=1, kind="stable")[:, :NEAREST]
    gaps = along[rows, axis][:, None] + np.take_along_axis(corners[rows, axis], nearest, axis=1) - APOTHEM
    turn = normal[rows, axis]
    across = np.cos(turn) * dy[rows] - np.sin(turn) * dx[rows]
    slope = np.sin(turn[:, None] - angle[OTHER[rows], None] - SIXTH[nearest])
    jacobian = np.zeros((PAIRS, NEAREST, len(z)))
    each = np.arange(PAIRS)
    for hexagon, way in ((OTHER[rows], 1.0), (OWNER[rows], -1.0)):
        jacobian[each, :, hexagon] = way * np.cos(turn)[:, None]
        jacobian[each, :, N + hexagon] = way * np.sin(turn)[:, None]
    jacobian[each, :, 2 * N + OTHER[rows]] = slope
    jacobian[each, :, 2 * N + OWNER[rows]] = across[:, None] - slope
    return gaps.ravel(), jacobian.reshape(-1, len(z))


def _inside(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y, angle = z[:-1].reshape(3, N)
    reach = NORMALS[None, :, None] - angle[:, None, None] - SIXTH
    farthest = np.argsort(-np.cos(reach), axis=2, kind="stable")[:, :, :NEAREST]
    reach = np.take_along_axis(reach, farthest, axis=2)
    along = np.cos(NORMALS) * x[:, None] + np.sin(NORMALS) * y[:, None]
    jacobian = np.zeros((N, 6, NEAREST, len(z)))
    each = np.arange(N)
    jacobian[each, :, :, each] = -np.cos(NORMALS)[:, None]
    jacobian[each, :, :, N + each] = -np.sin(NORMALS)[:, None]
    jacobian[each, :, :, 2 * N + each] = -np.sin(reach)
    jacobian[..., -1] = APOTHEM
    return (APOTHEM * z[-1] - along[:, :, None] - np.cos(reach)).ravel(), jacobian.reshape(-1, len(z))


def random(rng: np.random.Generator) -> np.ndarray:
    """Centres anywhere in a disc that is a little too small, angles of one or two kinds or any."""
    distance, around = 3.0 * np.sqrt(rng.random(N)), rng.uniform(0.0, 2 * np.pi, N)
    few = rng.uniform(0.0, np.pi / 3, rng.choice([1, 2, N]))
    angles = rng.choice(np.append(few, 0.0), N)
    return _unknowns(distance * np.cos(around), distance * np.sin(around), angles)


def jiggle(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shake some hexagons or all."""
    x, y, angle = z[:-1].reshape(3, N)
    shaken, size = rng.random(N) < rng.choice([0.2, 0.5, 1.0]), rng.choice([0.05, 0.15, 0.4])
    dx, dy, turn = rng.normal(0.0, size, (3, N)) * shaken
    return _unknowns(x + dx, y + dy, angle + turn)


def turn_some(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give some hexagons another's angle, the outer one's, or any."""
    x, y, angle = z[:-1].reshape(3, N).copy()
    chosen = rng.choice(N, rng.integers(1, 5), replace=False)
    angle[chosen] = rng.choice([angle[rng.integers(N)], 0.0, rng.uniform(0.0, np.pi / 3)])
    return _unknowns(x, y, angle)


def move_one(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Put one or two hexagons somewhere else."""
    x, y, angle = z[:-1].reshape(3, N).copy()
    for i in rng.choice(N, rng.integers(1, 3), replace=False):
        distance, around = 3.2 * np.sqrt(rng.random()), rng.uniform(0.0, 2 * np.pi)
        x[i], y[i], angle[i] = distance * np.cos(around), distance * np.sin(around), rng.uniform(0.0, np.pi / 3)
    return _unknowns(x, y, angle)


def _unknowns(x: np.ndarray, y: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """The unknowns, with an outer side that is just large enough for the centres as they are."""
    z = np.concatenate([x, y, angle % (np.pi / 3), [0.0]])
    z[-1] = -_inside(z)[0].min() / APOTHEM
    return z


def to_construction(z: np.ndarray) -> list[list[float]]:
    """Rows x, y, t: t is the tangent of half the angle."""
    x, y, angle = z[:-1].reshape(3, N)
    angle = (angle + np.pi / 6) % (np.pi / 3) - np.pi / 6
    return np.column_stack([x, y, np.tan(angle / 2)]).tolist()


def from_construction(hexagons: list[list[float]]) -> np.ndarray:
    """The unknowns."""
    x, y, t = np.asarray(hexagons, dtype=float).T
    return _unknowns(x, y, 2 * np.arctan(t))


def problem() -> Nlp:
    """What `polish` works on."""
    return Nlp(
        random=random,
        objective=objective,
        constraints=constraints,
        perturb={"jiggle": jiggle, "turn some": turn_some, "move one": move_one},
        to_construction=to_construction,
        from_construction=from_construction,
        radius=0.2,
        hops=12,
    )
