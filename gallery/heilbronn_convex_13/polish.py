"""The points as a nonlinear program: coordinates u, v and a bound t on every triangle's share of the hull, to be raised.

Shares do not change under affine maps, so three points that span the largest triangle are held at (0, 0), (1, 0), (0, 1). While t
is positive no triangle can turn over, so a descent keeps the orientations, and the hull, that it begins with. Some starts, and
most moves, therefore end with sweeps: one point after another goes to the best place of a grid, all others fixed.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from quiltwork.evolve import Nlp

N = 13
A, B, C = np.array(list(combinations(range(N), 3))).T
TRIPLES = np.arange(len(A))
FIRST, SECOND = np.triu_indices(N - 1, 1)
FINE = 30
TICKS = (np.arange(FINE) + 0.5) / FINE
GRID = np.stack(np.meshgrid(TICKS, TICKS), axis=-1).reshape(-1, 2)
OBJECTIVE = np.append(np.zeros(2 * N), -1.0)
LEAST, MOST = np.full(2 * N + 1, -1.0), np.full(2 * N + 1, 1.0)
for _bound in (LEAST, MOST):
    _bound[[0, 1, 2, N, N + 1, N + 2]] = 0.0, 1.0, 0.0, 0.0, 0.0, 1.0
LEAST[-1] = 0.0
TRIES = 120
"""Places that an orbit is tried at."""


def _group(order: int) -> np.ndarray:
    """The turns by multiples of 1/order of a circle: (order, 2, 2)."""
    angle = 2 * np.pi * np.arange(order) / order
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]).transpose(2, 0, 1)


MIRROR = np.array([np.eye(2), np.diag([-1.0, 1.0])])
GROUPS = [MIRROR] + [_group(order) for order in (2, 3) if N % order <= 1]


def objective(z: np.ndarray) -> tuple[float, np.ndarray]:
    """Minus the bound t."""
    return -float(z[-1]), OBJECTIVE


def constraints(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Areas minus t times the hull's, all doubled, with the orientations and the hull as they are at z."""
    u, v = z[:-1].reshape(2, N)
    ub, vb, uc, vc = u[B] - u[A], v[B] - v[A], u[C] - u[A], v[C] - v[A]
    areas = ub * vc - uc * vb
    turn = np.where(areas >= 0, 1.0, -1.0)
    jacobian = np.zeros((len(A), len(z)))
    for points, offset, slope in ((B, 0, vc), (C, 0, -vb), (A, 0, vb - vc), (B, N, -uc), (C, N, ub), (A, N, uc - ub)):
        jacobian[TRIPLES, offset + points] = turn * slope
    points = np.column_stack([u, v])
    corners = hull(points)
    after, before = np.roll(corners, -1), np.roll(corners, 1)
    whole = hull_area(points[corners])
    jacobian[:, corners] -= z[-1] * (v[after] - v[before])
    jacobian[:, N + corners] -= z[-1] * (u[before] - u[after])
    jacobian[:, -1] = -whole
    return turn * areas - z[-1] * whole, jacobian


def hull(points: np.ndarray) -> np.ndarray:
    """Indices of the hull's corners, counterclockwise."""
    from scipy.spatial import ConvexHull, QhullError

    try:
        return ConvexHull(points).vertices
    except QhullError:
        return np.arange(3)


def hull_area(corners: np.ndarray) -> float:
    """Twice the area of a polygon (m, 2), counterclockwise."""
    x, y = corners.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1))


def random(rng: np.random.Generator) -> np.ndarray:
    """A swept start without symmetry, or with one: the best sets often have an axis, or are equal to themselves turned."""
    if rng.random() < 0.5:
        return _unknowns(_symmetric(GROUPS[rng.integers(len(GROUPS))], rng))
    points = _disc(rng, N)
    for _ in range(3):
        points = _swept(points, rng)
    return _unknowns(points)


def _symmetric(maps: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Orbits under a group of maps (g, 2, 2), put to good places in turn; the points left over lie where all maps fix them."""
    fixed = N % len(maps) + (2 * int(rng.integers(3)) if np.linalg.det(maps[-1]) < 0 else 0)
    rest = rng.uniform(-1.0, 1.0, (fixed, 2)) @ maps.mean(axis=0).T
    heads = _disc(rng, (N - fixed) // len(maps))
    for reach in (1.0, 1.0, 0.2):
        for i in rng.permutation(len(heads)):
            tried = np.repeat(heads[None], TRIES, axis=0)
            tried[1:, i] = _disc(rng, TRIES - 1) if reach == 1.0 else heads[i] + reach * _disc(rng, TRIES - 1)
            heads = tried[_smallest_shares(_orbits(maps, tried, rest)).argmax()]
    return _orbits(maps, heads[None], rest)[0]


def _orbits(maps: np.ndarray, heads: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """All images of the heads (m, k, 2) with the rest (f, 2): (m, g k + f, 2)."""
    moved = np.einsum("gab,mkb->mgka", maps, heads).reshape(len(heads), -1, 2)
    return np.concatenate([moved, np.repeat(rest[None], len(heads), axis=0)], axis=1)


def _smallest_shares(sets: np.ndarray) -> np.ndarray:
    """The smallest share of the hull, for each set of points (m, N, 2): (m,)."""
    side = sets[:, None] - sets[:, :, None]
    turns = side[..., :, None, 0] * side[..., None, :, 1] - side[..., :, None, 1] * side[..., None, :, 0]
    edges = (turns >= -1e-12).all(axis=3) & ~np.eye(N, dtype=bool)
    x, y = sets[..., 0], sets[..., 1]
    whole = (edges * (x[:, :, None] * y[:, None] - y[:, :, None] * x[:, None])).sum(axis=(1, 2))
    return np.abs(turns[:, A, B, C]).min(axis=1) / np.maximum(whole, 1e-9)


def _disc(rng: np.random.Generator, count: int) -> np.ndarray:
    angle, distance = rng.uniform(0.0, 2 * np.pi, count), np.sqrt(rng.random(count))
    return np.column_stack([np.cos(angle), np.sin(angle)]) * distance[:, None]


def replace(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Put one to three points at other good places, or anywhere; then, mostly, sweep."""
    points = z[:-1].reshape(2, N).T.copy()
    for _ in range(rng.integers(1, 4)):
        index = int(rng.integers(N))
        places = _places(points, rng)
        good = np.argsort(-_share_with(points, index, places), kind="stable")[:30]
        points[index] = places[rng.choice(good) if rng.random() < 0.8 else rng.integers(len(places))]
    return _unknowns(_swept(points, rng) if rng.random() < 0.8 else points)


def jiggle(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shake some points or all; then, mostly, sweep."""
    points = z[:-1].reshape(2, N).T
    shaken = rng.random((N, 1)) < rng.choice([0.2, 0.5, 1.0])
    points = points + shaken * rng.normal(0.0, rng.choice([0.03, 0.08, 0.15, 0.3]), (N, 2))
    return _unknowns(_swept(points, rng) if rng.random() < 0.8 else points)


def _swept(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each point once, in random order, moved to the best place of a shaken grid, or left where that is better."""
    points = points.copy()
    for index in rng.permutation(N):
        places = np.vstack([_places(points, rng), points[index]])
        points[index] = places[_share_with(points, index, places).argmax()]
    return points


def _places(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A shaken grid over the box around the points, and a little beyond."""
    low, high = points.min(axis=0), points.max(axis=0)
    shaken = GRID + rng.uniform(-0.5 / FINE, 0.5 / FINE, GRID.shape)
    return low - 0.1 * (high - low) + 1.2 * (high - low) * shaken


def _share_with(points: np.ndarray, index: int, places: np.ndarray) -> np.ndarray:
    """The smallest share of the hull, for each place (m, 2) that the point of an index could take: (m,)."""
    others = np.delete(points, index, axis=0)
    smallest = np.abs(_turns(others[FIRST], others[SECOND], places)).min(axis=1)
    corners = others[hull(others)]
    beyond = np.minimum(_turns(corners, np.roll(corners, -1, axis=0), places), 0.0)
    whole = hull_area(corners) - beyond.sum(axis=1)
    return np.minimum(smallest, _smallest_among(others)) / whole


def _turns(p: np.ndarray, q: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Twice the signed area of the sides p to q (k, 2) with each place (m, 2): (m, k)."""
    side = q - p
    return side[:, 0] * (places[:, 1:] - p[:, 1]) - side[:, 1] * (places[:, :1] - p[:, 0])


def _smallest_among(points: np.ndarray) -> float:
    return float(np.abs(_areas(points)).min())


def _areas(points: np.ndarray) -> np.ndarray:
    i, j, k = np.array(list(combinations(range(len(points)), 3))).T
    side, other = points[j] - points[i], points[k] - points[i]
    return side[:, 0] * other[:, 1] - side[:, 1] * other[:, 0]


def _unknowns(points: np.ndarray) -> np.ndarray:
    """The points after the affine map that puts the largest triangle at the corners, and in front; t is 0."""
    areas = _areas(points)
    largest = int(np.abs(areas).argmax())
    corners = np.array([A[largest], B[largest], C[largest]])
    points = np.vstack([points[corners], np.delete(points, corners, axis=0)])
    frame = (points[1:3] - points[0]).T
    mapped = np.linalg.solve(frame, (points - points[0]).T) if abs(areas[largest]) > 1e-12 else points.T.copy()
    mapped[:, :3] = [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    return np.append(mapped.ravel(), 0.0)


def to_construction(z: np.ndarray) -> list[list[float]]:
    """Rows x, y."""
    return z[:-1].reshape(2, N).T.tolist()


def from_construction(points: list[list[float]]) -> np.ndarray:
    """The unknowns; t is the smallest share."""
    z = _unknowns(np.asarray(points, dtype=float))
    z[-1] = _smallest_shares(z[:-1].reshape(1, 2, N).transpose(0, 2, 1))[0]
    return z


def problem() -> Nlp:
    """What `polish` works on."""
    return Nlp(
        random=random,
        objective=objective,
        constraints=constraints,
        bounds=(LEAST, MOST),
        perturb={"replace": replace, "jiggle": jiggle},
        to_construction=to_construction,
        from_construction=from_construction,
        radius=0.05,
        hops=10,
    )
