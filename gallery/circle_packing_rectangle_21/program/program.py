"""21 circles in a rectangle of perimeter 4: choose its sides, place centres, improve them, grow the radii."""

import numpy as np

N = 21


# EVOLVE-BLOCK-START
SEED = 1
TRIES = 60
STEP = 0.05
WIDTH = 1.0


def place(sides, rng):
    """Centres (N, 2) from nothing: four rows of five, and one more."""
    grid = np.array([((i + 0.5) / 5, (j + 0.5) / 4) for j in range(4) for i in range(5)])
    return np.vstack([grid, [[0.4, 0.5]]])[:N] * sides


def grow(centres, sides):
    """Radii (N,) for given centres: half the way to the nearest neighbour, then what room is left, in turn."""
    walls = np.minimum(centres, sides - centres).min(axis=1)
    apart = np.hypot(*(centres[:, None] - centres[None]).transpose(2, 0, 1)) + 9 * np.eye(N)
    radii = np.minimum(walls, apart.min(axis=1) / 2)
    for _ in range(3):
        for i in range(N):
            radii[i] = max(radii[i], min(walls[i], (apart[i] - radii).min()))
    return np.maximum(radii, 0)


def improve(centres, sides, rng):
    """Better centres and sides: move one centre at a time, keep what does not lose."""
    best = grow(centres, sides).sum()
    for _ in range(TRIES):
        moved = centres.copy()
        i = rng.integers(N)
        moved[i] = np.clip(moved[i] + rng.normal(0, STEP, 2), 0, sides)
        total = grow(moved, sides).sum()
        if total >= best:
            centres, best = moved, total
    return centres, sides


def build(start):
    """A packing from the best one at hand, or from nothing."""
    rng = np.random.default_rng(SEED)
    if start is None:
        sides = np.array([WIDTH, 2 - WIDTH])
        centres = place(sides, rng)
    else:
        centres, sides = fitted(start)
    centres, sides = improve(centres, sides, rng)
    return np.column_stack([centres, grow(centres, sides)])


# EVOLVE-BLOCK-END


def fitted(circles):
    """Centres (N, 2) and sides (2,) of a packing that is moved and scaled into its rectangle of perimeter 4."""
    x, y, r = np.array(circles, dtype=float).T
    corner, size = np.array([(x - r).min(), (y - r).min()]), np.array([np.ptp(np.r_[x - r, x + r]), np.ptp(np.r_[y - r, y + r])])
    scale = 2 / size.sum()
    return (np.column_stack([x, y]) - corner) * scale, size * scale


def total(circles):
    """The sum of the radii when the packing is scaled to perimeter 4."""
    x, y, r = np.array(circles, dtype=float).T
    return 2 * r.sum() / ((x + r).max() - (x - r).min() + (y + r).max() - (y - r).min())


def construct(start):
    """What the evaluator calls: the new packing, or the one that was given if that is better."""
    built = np.asarray(build(start), dtype=float)
    if start is not None and total(start) >= total(built):
        return start
    return built
