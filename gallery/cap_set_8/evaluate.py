"""Cap sets in 8 dimensions (FunSearch, Romera-Paredes et al. 2023): the size of what a ranking builds greedily, exactly."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np

from quiltwork.evolve import Certificate, InvalidScore, Score

N = 8
VECTORS = np.array(list(product((0, 1, 2), repeat=N)), dtype=np.int64)
"""Every vector over {0, 1, 2}, in order of digits: (6561, 8)."""

PLACES = 3 ** np.arange(N - 1, -1, -1)
"""Worth of each digit in a vector's number."""


def evaluate(candidate):
    """The size of the cap set that the candidate's priorities lead to."""
    chosen = greedy(_priorities(candidate.call("priorities")))
    vectors = VECTORS[chosen]
    within = np.zeros(len(VECTORS), dtype=bool)
    within[chosen] = True
    mirrored = [within[_changed_sign(vectors, axis) @ PLACES].mean() for axis in range(N)]
    nonzero = (vectors != 0).sum(axis=1)
    weights = ", ".join(f"{(nonzero == k).sum()} with {k}" for k in range(N + 1) if (nonzero == k).any())
    return Score(
        metrics={"size": float(len(chosen))},
        descriptors={"nonzero": float(nonzero.mean()), "mirrored": float(np.mean(mirrored))},
        artifacts={
            "feedback.txt": f"{len(chosen)} vectors; by coordinates that are not 0: {weights}. Changing the sign of a "
            "coordinate (1 for 2) keeps a vector in the set for this share of them, coordinate by coordinate: "
            + ", ".join(f"{share:.2f}" for share in mirrored)
        },
        construction=vectors.tolist(),
    )


def greedy(priorities) -> list[int]:
    """Numbers of the vectors that are taken: the highest priority first, each unless it is on a line with two taken before.

    Three vectors are on a line when they are distinct and sum to zero in every coordinate modulo 3.
    """
    blocked = np.zeros(len(VECTORS), dtype=bool)
    taken: list[int] = []
    for number in np.argsort(-priorities, kind="stable").tolist():
        if blocked[number]:
            continue
        blocked[(-(VECTORS[taken] + VECTORS[number]) % 3) @ PLACES] = True
        taken.append(number)
    return taken


def certify(construction) -> Certificate:
    """The vectors; raises `InvalidScore` where two of them are on a line with a third, or are the same."""
    vectors = np.array(construction, dtype=np.int64)
    numbers = vectors @ PLACES
    within = np.zeros(len(VECTORS), dtype=bool)
    within[numbers] = True
    if within.sum() != len(numbers):
        raise InvalidScore("a vector is there twice")
    for index, vector in enumerate(vectors):
        others = vectors[:index]
        if within[(-(others + vector) % 3) @ PLACES].any():
            raise InvalidScore(f"{vector.tolist()} is on a line with two others")
    claim = f"{len(vectors)} vectors over the field of three elements, no three of them on a line, in {N} dimensions"
    return Certificate(Fraction(len(vectors)), claim, {"vectors": vectors.tolist()})


def _priorities(reply):
    if not isinstance(reply, np.ndarray) or reply.shape != (len(VECTORS),) or reply.dtype.kind != "f":
        raise InvalidScore(f"priorities() must return {len(VECTORS)} real numbers, one per vector")
    if not np.isfinite(reply).all():
        raise InvalidScore("priority() returned a number that is not finite")
    return reply


def _changed_sign(vectors, axis):
    changed = vectors.copy()
    changed[:, axis] = -changed[:, axis] % 3
    return changed
