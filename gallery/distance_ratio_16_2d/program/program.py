"""16 points in the plane: place them, then move them so that the ratio of distances falls."""

import numpy as np

N, DIMENSION = 16, 2
FIRST, SECOND = np.triu_indices(N, 1)


def ratio(points):
    """(Largest / smallest distance) squared."""
    squares = ((points[FIRST] - points[SECOND]) ** 2).sum(axis=1)
    return squares.max() / max(squares.min(), 1e-12)


# EVOLVE-BLOCK-START
SEED = 1
TRIES = 300
STEP = 0.1


def place(rng):
    """Points (N, DIMENSION) from nothing: anywhere in the unit cube."""
    return rng.random((N, DIMENSION))


def improve(points, rng):
    """Better points: move one at a time, keep what does not lose."""
    best = ratio(points)
    for _ in range(TRIES):
        moved = points.copy()
        moved[rng.integers(N)] += rng.normal(0, STEP, DIMENSION)
        value = ratio(moved)
        if value <= best:
            points, best = moved, value
    return points


def build(start):
    """A set of points from the best one at hand, or from nothing."""
    rng = np.random.default_rng(SEED)
    points = place(rng) if start is None else np.array(start, dtype=float)
    points = points / np.ptp(points)
    return improve(points, rng)


# EVOLVE-BLOCK-END


def construct(start):
    """What the evaluator calls: the new points, or those that were given if they are better."""
    built = np.asarray(build(start), dtype=float)
    if start is not None and ratio(np.array(start, dtype=float)) <= ratio(built):
        return start
    return built
