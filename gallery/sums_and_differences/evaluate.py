"""Sums and differences of finite sets (AlphaEvolve B.6): counts of integers, and logarithms between rational bounds."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from quiltwork.evolve import Certificate, InvalidScore, Score
from quiltwork.evolve.exact import float_below, log_bounds

MOST = 10_000
"""Elements at most: all pairs are looked at."""

LARGEST = 2**24
"""Largest element: sums and differences are marked in a table."""

PARTS = 2**64
"""A certificate's value is a multiple of 1/PARTS."""


def evaluate(candidate):
    """The exponent that the set proves, rounded down."""
    elements = _elements(candidate.call("construct"))
    sums, differences = counts(elements)
    largest = int(elements[-1])
    bound = theta(sums, differences, largest)
    return Score(
        metrics={"theta": float_below(bound)},
        descriptors={"elements": float(np.log10(len(elements))), "bits": float(largest.bit_length())},
        artifacts={
            "feedback.txt": f"{len(elements)} elements up to {largest} have {differences} differences and {sums} sums: "
            f"{differences / sums:.4f} as many. Smallest elements: {elements[:12].tolist()}. A smaller largest element "
            "helps as much as a larger quotient: theta = 1 + log(quotient) / log(2 max + 1).",
            "picture.svg": picture(elements),
        },
        construction=elements.tolist(),
    )


def _elements(reply) -> np.ndarray:
    """The set in order, as integers; raises `InvalidScore` for anything else."""
    if isinstance(reply, np.ndarray) and reply.dtype.kind in "iu" and reply.ndim == 1:
        reply = reply.tolist()
    if not isinstance(reply, list) or not all(type(element) is int for element in reply):
        raise InvalidScore("construct() must return the elements of the set: a list or an array of integers")
    elements = sorted(set(reply))
    if not 2 <= len(elements) <= MOST:
        raise InvalidScore(f"there must be 2 to {MOST} different elements, not {len(elements)}")
    if elements[0] != 0 or elements[-1] > LARGEST:
        raise InvalidScore(
            f"elements go from 0, which must be one of them, to {LARGEST} at most; not {elements[0]} to {elements[-1]}"
        )
    return np.array(elements, dtype=np.int64)


def counts(elements: np.ndarray) -> tuple[int, int]:
    """How many numbers are sums of two elements, and how many are differences: every pair is marked, so nothing is estimated."""
    largest = int(elements[-1])
    sums, differences = np.zeros(2 * largest + 1, dtype=bool), np.zeros(2 * largest + 1, dtype=bool)
    for element in elements.tolist():
        sums[elements + element] = True
        differences[elements + (largest - element)] = True
    return int(np.count_nonzero(sums)), int(np.count_nonzero(differences))


def theta(sums: int, differences: int, largest: int) -> Fraction:
    """A rational that is below 1 + log(differences / sums) / log(2 largest + 1), by less than 1e-18."""
    above = log_bounds(differences)[0] - log_bounds(sums)[1]
    scale = log_bounds(2 * largest + 1)
    bound = 1 + above / scale[1 if above > 0 else 0]
    return Fraction(bound * PARTS // 1, PARTS)


def certify(construction) -> Certificate:
    """The elements themselves: they can be counted again."""
    elements = _elements(construction)
    bound = theta(*counts(elements), int(elements[-1]))
    claim = f"a set of {len(elements)} integers shows that theta is at least {float_below(bound):.13f}"
    return Certificate(bound, claim, {"elements": elements.tolist()})


def picture(elements: np.ndarray) -> str:
    """Where the elements lie (left: each as a line), and how many lie below each place (the curve), as SVG."""
    places = 400 * elements / elements[-1]
    shown = places[:: max(1, len(places) // 1_500)]
    lines = "".join(f"M{x:.2f} 0v40" for x in shown)
    rise = " ".join(f"{x:.2f},{200 - 150 * (i + 1) / len(shown):.2f}" for i, x in enumerate(shown))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-2 -2 404 204" width="600">'
        f'<path d="{lines}" stroke="#24506f" stroke-width="0.3" fill="none"/>'
        f'<polyline points="{rise}" fill="none" stroke="#24506f"/></svg>'
    )
