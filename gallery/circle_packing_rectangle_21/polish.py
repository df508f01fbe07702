"""The packing as a nonlinear program: 64 unknowns x, y, r and the width w of a rectangle w by 2 - w; the radii shall grow.

Distances are convex in the centres, and the walls are linear in everything, the width included: from radii of zero, every step of
the linear programs is a valid packing.
"""

from __future__ import annotations

import numpy as np

from quiltwork.evolve import Nlp

N = 21
FIRST, SECOND = np.triu_indices(N, 1)
PAIRS = np.arange(len(FIRST))
GRID = np.stack(np.meshgrid(*[(np.arange(40) + 0.5) / 40] * 2), axis=-1).reshape(-1, 2)
OBJECTIVE = np.append(np.repeat([0.0, 0.0, -1.0], N), 0.0)
NARROW, WIDE = 0.4, 1.6
"""Least and largest width."""


def _walls() -> np.ndarray:
    """The Jacobian of x - r, w - x - r, y - r, 2 - w - y - r: (4 N, 3 N + 1)."""
    one, none = np.eye(N), np.zeros((N, N))
    table = np.block([[one, none, -one], [-one, none, -one], [none, one, -one], [none, -one, -one]])
    return np.column_stack([table, np.repeat([0.0, 1.0, 0.0, -1.0], N)])


WALLS = _walls()


def objective(z: np.ndarray) -> tuple[float, np.ndarray]:
    """Minus the sum of the radii."""
    return -float(z[2 * N : 3 * N].sum()), OBJECTIVE


def constraints(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gaps between circles, then gaps to the walls."""
    x, y, r = z[:-1].reshape(3, N)
    dx, dy = x[FIRST] - x[SECOND], y[FIRST] - y[SECOND]
    distance = np.maximum(np.hypot(dx, dy), 1e-12)
    gaps = np.concatenate([distance - r[FIRST] - r[SECOND], x - r, z[-1] - x - r, y - r, 2 - z[-1] - y - r])
    jacobian = np.zeros((len(gaps), 3 * N + 1))
    for offset, slope in ((0, dx / distance), (N, dy / distance)):
        jacobian[PAIRS, offset + FIRST] = slope
        jacobian[PAIRS, offset + SECOND] = -slope
    jacobian[PAIRS, 2 * N + FIRST] = jacobian[PAIRS, 2 * N + SECOND] = -1.0
    jacobian[len(PAIRS) :] = WALLS
    return gaps, jacobian


def random(rng: np.random.Generator) -> np.ndarray:
    """A rectangle of some shape, centres anywhere in it, radii zero: the linear programs blow them up."""
    width = rng.uniform(0.6, 1.4)
    return _blown_up(rng.random((N, 2)) * [width, 2 - width], width)


def refill(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Take one circle out, often a small one, and put it where there is room or, sometimes, anywhere."""
    centres, radii, width = z[: 2 * N].reshape(2, N).T.copy(), z[2 * N : 3 * N], z[-1]
    out = int(rng.integers(N)) if rng.random() < 0.5 else int(np.argsort(radii, kind="stable")[rng.integers(4)])
    stay = np.arange(N) != out
    room = np.array([width, 2 - width])
    centres[out] = _hole(centres[stay], radii[stay], room, rng) if rng.random() < 0.7 else rng.random(2) * room
    return _blown_up(centres, width)


def refill_two(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Take out and put back twice."""
    return refill(refill(z, rng), rng)


def jiggle_corner(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shake three to eight neighbours."""
    centres, width = z[: 2 * N].reshape(2, N).T.copy(), z[-1]
    place = rng.random(2) * [width, 2 - width]
    near = np.argsort(((centres - place) ** 2).sum(axis=1), kind="stable")[: rng.integers(3, 9)]
    centres[near] += rng.normal(0.0, rng.choice([0.03, 0.06, 0.1]), (len(near), 2))
    return _blown_up(centres, width)


def reshape(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Stretch the rectangle with everything in it, and shake all centres."""
    centres, width = z[: 2 * N].reshape(2, N).T, z[-1]
    other = float(np.clip(width + rng.normal(0.0, 0.05), NARROW, WIDE))
    shaken = centres * [other / width, (2 - other) / (2 - width)]
    return _blown_up(shaken + rng.normal(0.0, rng.choice([0.01, 0.03, 0.06, 0.1]), (N, 2)), other)


def _hole(centres: np.ndarray, radii: np.ndarray, room: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One of the roomiest places of a shaken grid."""
    places = (GRID + rng.uniform(-0.0125, 0.0125, GRID.shape)) * room
    free = (np.hypot(*(places[:, None] - centres).transpose(2, 0, 1)) - radii).min(axis=1)
    free = np.minimum(free, np.minimum(places, room - places).min(axis=1))
    return places[np.argsort(-free, kind="stable")[5 * rng.integers(4)]]


def _blown_up(centres: np.ndarray, width: float) -> np.ndarray:
    return np.concatenate([np.clip(centres, 0.0, [width, 2 - width]).T.ravel(), np.zeros(N), [width]])


def to_construction(z: np.ndarray) -> list[list[float]]:
    """[[x, y, r], ...]."""
    return z[:-1].reshape(3, N).T.tolist()


def from_construction(circles: list[list[float]]) -> np.ndarray:
    """The unknowns, all x first, the width last: the packing moved and scaled into its rectangle of perimeter 4."""
    x, y, r = np.asarray(circles, dtype=float).T
    x, y = x - (x - r).min(), y - (y - r).min()
    scale = 2.0 / ((x + r).max() + (y + r).max())
    return np.concatenate([x, y, r, [(x + r).max()]]) * scale


def problem() -> Nlp:
    """What `polish` works on."""
    return Nlp(
        random=random,
        objective=objective,
        constraints=constraints,
        bounds=(np.append(np.zeros(3 * N), NARROW), np.full(3 * N + 1, WIDE)),
        perturb={"refill": refill, "refill two": refill_two, "jiggle a corner": jiggle_corner, "reshape": reshape},
        to_construction=to_construction,
        from_construction=from_construction,
        hops=40,
    )
