"""The packing as a nonlinear program: 96 unknowns x, y, r, to be moved so that the radii grow.

Distances are convex in the centres, so a linear model of them never promises room that is not there: from radii of zero, every
step of the linear programs is a valid packing.
"""

from __future__ import annotations

import numpy as np

from quiltwork.evolve import Nlp

N = 32
FIRST, SECOND = np.triu_indices(N, 1)
PAIRS = np.arange(len(FIRST))
GRID = np.stack(np.meshgrid(*[(np.arange(40) + 0.5) / 40] * 2), axis=-1).reshape(-1, 2)
OBJECTIVE = np.repeat([0.0, 0.0, -1.0], N)


def _walls() -> np.ndarray:
    """The Jacobian of x - r, 1 - x - r, y - r, 1 - y - r: (4 N, 3 N)."""
    one, none = np.eye(N), np.zeros((N, N))
    return np.block([[one, none, -one], [-one, none, -one], [none, one, -one], [none, -one, -one]])


WALLS = _walls()


def objective(z: np.ndarray) -> tuple[float, np.ndarray]:
    """Minus the sum of the radii."""
    return -float(z[2 * N :].sum()), OBJECTIVE


def constraints(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gaps between circles, then gaps to the walls."""
    x, y, r = z.reshape(3, N)
    dx, dy = x[FIRST] - x[SECOND], y[FIRST] - y[SECOND]
    distance = np.maximum(np.hypot(dx, dy), 1e-12)
    gaps = np.concatenate([distance - r[FIRST] - r[SECOND], x - r, 1 - x - r, y - r, 1 - y - r])
    jacobian = np.zeros((len(gaps), 3 * N))
    for offset, slope in ((0, dx / distance), (N, dy / distance)):
        jacobian[PAIRS, offset + FIRST] = slope
        jacobian[PAIRS, offset + SECOND] = -slope
    jacobian[PAIRS, 2 * N + FIRST] = jacobian[PAIRS, 2 * N + SECOND] = -1.0
    jacobian[len(PAIRS) :] = WALLS
    return gaps, jacobian


def random(rng: np.random.Generator) -> np.ndarray:
    """Centres anywhere, radii zero: the linear programs blow them up."""
    return _blown_up(rng.random(2 * N))


def refill(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Take one circle out, often a small one, and put it where there is room or, sometimes, anywhere."""
    x, y, r = z.reshape(3, N).copy()
    out = int(rng.integers(N)) if rng.random() < 0.5 else int(np.argsort(r, kind="stable")[rng.integers(4)])
    stay = np.arange(N) != out
    x[out], y[out] = _hole(x[stay], y[stay], r[stay], rng) if rng.random() < 0.7 else rng.random(2)
    return _blown_up(np.concatenate([x, y]))


def refill_two(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Take out and put back twice."""
    return refill(refill(z, rng), rng)


def jiggle_corner(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shake three to eight neighbours."""
    centres = z[: 2 * N].reshape(2, N).copy()
    place = rng.random((2, 1))
    near = np.argsort(((centres - place) ** 2).sum(axis=0), kind="stable")[: rng.integers(3, 9)]
    centres[:, near] += rng.normal(0.0, rng.choice([0.03, 0.06, 0.1]), (2, len(near)))
    return _blown_up(centres.ravel())


def jiggle_all(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shake all centres."""
    return _blown_up(z[: 2 * N] + rng.normal(0.0, rng.choice([0.01, 0.03, 0.06, 0.1]), 2 * N))


def _hole(x: np.ndarray, y: np.ndarray, r: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One of the roomiest places of a shaken grid."""
    places = GRID + rng.uniform(-0.0125, 0.0125, GRID.shape)
    room = np.hypot(places[:, :1] - x, places[:, 1:] - y) - r
    room = np.minimum(room.min(axis=1), np.minimum(places.min(axis=1), 1 - places.max(axis=1)))
    return places[np.argsort(-room, kind="stable")[5 * rng.integers(4)]]


def _blown_up(centres: np.ndarray) -> np.ndarray:
    return np.concatenate([np.clip(centres, 0.0, 1.0), np.zeros(N)])


def to_construction(z: np.ndarray) -> list[list[float]]:
    """[[x, y, r], ...]."""
    return z.reshape(3, N).T.tolist()


def from_construction(circles: list[list[float]]) -> np.ndarray:
    """The unknowns, all x first."""
    return np.asarray(circles, dtype=float).T.ravel()


def problem() -> Nlp:
    """What `polish` works on."""
    return Nlp(
        random=random,
        objective=objective,
        constraints=constraints,
        bounds=(np.zeros(3 * N), np.ones(3 * N)),
        perturb={
            "refill": refill,
            "refill two": refill_two,
            "jiggle a corner": jiggle_corner,
            "jiggle all": jiggle_all,
        },
        to_construction=to_construction,
        from_construction=from_construction,
        hops=30,
    )
