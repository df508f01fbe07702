"""Spheres around a sphere in 11 dimensions (AlphaEvolve B.11): integer vectors, all arithmetic exact.

If no two of the vectors are closer than the longest is long, then unit spheres in their directions, put around a unit sphere,
touch it and do not overlap (lemma of AlphaEvolve, arXiv 2506.13131, B.11).
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from quiltwork.evolve import Certificate, InvalidScore, Score

DIMENSION = 11
MOST = 900
"""Vectors looked at: more than any arrangement can have (868 is the upper bound known: Machado and de Oliveira Filho 2018)."""

LARGEST = 10**15
"""Coordinates beyond this are refused."""

SMALL = 2**28
"""Up to this, squared distances (11 times the square of twice as much) fit into 64 bits."""


def evaluate(candidate):
    """Count the vectors of a valid set; a set that is not valid is refused with a pair that is too close."""
    vectors = _vectors(candidate.construct("construct"))
    gram = _gram(vectors)
    norms = gram.diagonal()
    longest = int(norms.max())
    squares = norms[:, None] + norms[None, :] - 2 * gram
    np.fill_diagonal(squares, 4 * longest)
    if squares.min() < longest:
        i, j = np.unravel_index(np.argmin(squares), squares.shape)
        raise InvalidScore(
            f"{int((squares < longest).sum()) // 2} pairs are too close, for example vectors {j} and {i}: their squared "
            f"distance is {squares[i, j]}, and the longest vector has the squared length {longest}"
        )
    touching = int((squares == longest).sum())
    present = {tuple(vector) for vector in vectors}
    opposite = sum(tuple(-x for x in vector) in present for vector in vectors)
    return Score(
        metrics={"spheres": float(len(vectors))},
        descriptors={"opposite": opposite / len(vectors), "contacts": touching / len(vectors)},
        artifacts={
            "feedback.txt": f"{len(vectors)} vectors, squared lengths from {norms.min()} to {longest}; {touching // 2} pairs are "
            f"exactly as close as they may be; {opposite} vectors have their negative in the set",
            "picture.svg": picture(gram, longest),
        },
        construction=vectors,
    )


def certify(construction) -> Certificate:
    """The vectors: integers that anyone can check again."""

    class Given:
        def construct(self, _function):
            return construction

    vectors = evaluate(Given()).construction
    claim = f"{len(vectors)} unit spheres can touch a unit sphere in {DIMENSION} dimensions without overlap"
    return Certificate(Fraction(len(vectors)), claim, {"vectors": vectors})


def _vectors(reply) -> list[list[int]]:
    """A stranger's vectors as plain integers; raises `InvalidScore` for anything else, for zero, for coordinates too large."""
    if isinstance(reply, np.ndarray) and reply.dtype.kind in "iu":
        reply = reply.tolist()
    whole = isinstance(reply, list) and all(
        isinstance(row, list) and len(row) == DIMENSION and all(type(x) is int for x in row) for row in reply
    )
    if not whole:
        raise InvalidScore(f"construct() must return rows of {DIMENSION} integers")
    if not 1 <= len(reply) <= MOST:
        raise InvalidScore(f"there must be 1 to {MOST} vectors, not {len(reply)}")
    for index, row in enumerate(reply):
        if not any(row) or max(map(abs, row)) > LARGEST:
            raise InvalidScore(f"vector {index} is zero, or has a coordinate beyond {LARGEST}")
    return reply


def _gram(vectors):
    """All scalar products, exactly: in 64 bits where they fit, else as integers of any size."""
    largest = max(abs(x) for vector in vectors for x in vector)
    table = np.array(vectors, dtype=np.int64 if largest <= SMALL else object)
    return table @ table.T


def picture(gram, longest):
    """How often each cosine occurs among the pairs, on a logarithmic scale, as SVG: 0.5 is contact."""
    cosines = gram[np.triu_indices(len(gram), 1)].astype(float) / float(longest)
    heights, _ = np.histogram(cosines, bins=60, range=(-1.0, 0.51))
    bars = "".join(
        f'<rect x="{6.6 * i:.1f}" y="{180 - 16 * np.log1p(count):.1f}" width="6" height="{16 * np.log1p(count):.1f}"/>'
        for i, count in enumerate(heights)
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-4 -4 408 206" width="600">'
        f'<g fill="#7fb2d9" stroke="#24506f" stroke-width="0.5">{bars}</g>'
        '<g font-size="12" text-anchor="middle"><text x="6" y="196">-1</text><text x="264" y="196">0</text>'
        '<text x="394" y="196">1/2</text></g></svg>'
    )
