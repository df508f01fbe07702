"""Integer vectors in 11 dimensions: bundles of candidates, a choice among them that fits together, additions."""

import itertools

import numpy as np

D = 11


def fits(vectors, others, longest):
    """Whether each vector (m, D) is far enough from each of the others (k, D), or is the same: (m, k). Exact below 2**50."""
    exact = np.float32 if longest < 2**20 else np.float64
    squares = vectors.astype(exact) @ (-2 * others.T.astype(exact))
    squares += (vectors**2).sum(axis=1, dtype=exact)[:, None]
    squares += (others**2).sum(axis=1, dtype=exact)
    return (squares >= longest) | (squares == 0)


def signed(vector):
    """The vector with all signs of its coordinates: (2**nonzeros, D)."""
    choices = [(x, -x) if x else (0,) for x in vector]
    return np.array(list(itertools.product(*choices)))


def agree(bundles):
    """Which bundles may stand side by side, (n, n); on the diagonal, whether a bundle fits by itself."""
    vectors, sizes = np.vstack(bundles), [len(bundle) for bundle in bundles]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    good = fits(vectors, vectors, (vectors**2).sum(axis=1).max())
    return np.logical_and.reduceat(np.logical_and.reduceat(good, starts, axis=0), starts, axis=1)


# EVOLVE-BLOCK-START
SEED = 1


def candidates(rng):
    """Bundles of vectors, a list of arrays (k, D), that are taken together or not at all: the roots of D11, one by one."""
    roots = []
    for i, j in itertools.combinations(range(D), 2):
        vector = np.zeros(D, dtype=int)
        vector[[i, j]] = 1
        roots.extend(signed(vector))
    return [root[None] for root in roots]


def choose(sizes, good, rng):
    """Numbers of bundles that fit together, given their sizes and which pairs agree: the first that come, in random order."""
    chosen = []
    for i in rng.permutation(len(sizes)):
        if good[i, i] and good[i, chosen].all():
            chosen.append(i)
    return chosen


def extend(vectors, rng):
    """A larger set, or the same."""
    return vectors


def build(start):
    """The better one of what is chosen now and what is at hand, extended."""
    rng = np.random.default_rng(SEED)
    bundles = candidates(rng)
    chosen = choose(np.array([len(bundle) for bundle in bundles]), agree(bundles), rng)
    vectors = np.vstack([bundles[i] for i in chosen])
    if start is not None and len(start) >= len(vectors):
        vectors = np.array(start)
    return extend(vectors, rng)


# EVOLVE-BLOCK-END


def construct(start):
    """What the evaluator calls: the new set, or the one that was given if that is larger."""
    built = np.asarray(build(start))
    return start if start is not None and len(start) > len(built) else built
