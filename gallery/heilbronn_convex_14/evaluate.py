"""The smallest triangle among 14 points, over the area of their convex hull, in exact arithmetic (AlphaEvolve B.10)."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, pairwise

import numpy as np

from quiltwork.evolve import Certificate, InvalidScore, Score
from quiltwork.evolve.certify import ratios
from quiltwork.evolve.exact import doubled_area, float_below, integers, numbers

N = 14
FARTHEST = 1e6
"""Coordinates beyond this are refused: the ratio needs none of them, and pictures and feedback are drawn in floats."""

EQUAL = 1e-9
"""Difference of ratios below which triangles count as equal, for feedback and pictures only."""


def evaluate(candidate):
    """Score a set of points: rows x, y, anywhere; nothing is repaired, since every set of points is valid."""
    points = _points(candidate.construct("construct"), "construct()")
    shares, corners = _shares(points)
    least = min(shares.values())
    tight = [triple for triple, share in shares.items() if share - least <= EQUAL]
    return Score(
        metrics={"smallest_area": float_below(least)},
        descriptors={"hull": float(len(corners)), "largest": float(max(shares.values()))},
        artifacts={
            "feedback.txt": f"{len(tight)} triangles are the smallest, for example {tight[:4]}. "
            f"The hull has {len(corners)} corners: {corners}.",
            "picture.svg": picture(points, corners, tight),
        },
        construction=points,
    )


def certify(construction):
    """The points as rationals, and the exact smallest share of the hull."""
    points = _points(construction, "the construction")
    value = min(_shares(points)[0].values())
    claim = f"{N} points with a convex hull of area 1 span no triangle of an area below {float_below(value):.15f}"
    return Certificate(value, claim, {"points": ratios(points)})


def _points(reply, what):
    points = numbers(reply, N, 2, what)
    for index, point in enumerate(points):
        if max(map(abs, point)) > FARTHEST:
            raise InvalidScore(
                f"point {index} is beyond a million; only ratios of areas count, so scale the points down"
            )
    return points


def _shares(points):
    """Each triangle's share of the hull, by its three points, and the hull's corners in order: exact."""
    exact, _ = integers(points)
    corners = _hull(exact)
    whole = sum(doubled_area(exact[corners[0]], exact[i], exact[j]) for i, j in pairwise(corners[1:]))
    if whole <= 0:
        raise InvalidScore("all points lie on a line")
    triples = combinations(range(N), 3)
    return {(i, j, k): Fraction(abs(doubled_area(exact[i], exact[j], exact[k])), whole) for i, j, k in triples}, corners


def _hull(exact):
    """Indices of the hull's corners, counterclockwise: Andrew's monotone chain (1979)."""
    order = sorted(range(N), key=exact.__getitem__)
    corners = []
    for way in (order, order[::-1]):
        chain = []
        for index in way:
            while len(chain) > 1 and doubled_area(exact[chain[-2]], exact[chain[-1]], exact[index]) <= 0:
                chain.pop()
            chain.append(index)
        corners += chain[:-1]
    return corners


def picture(points, corners, tight):
    """The points and their hull as SVG, drawn so that the cloud is round, the smallest triangles shaded."""
    seen = np.array(points) - np.mean(points, axis=0)
    _, stretch, axes = np.linalg.svd(seen, full_matrices=False)
    seen = seen @ axes.T / np.maximum(stretch, 1e-300)
    seen = 0.9 * seen / np.abs(seen).max()

    def polygon(indices):
        return f'<polygon points="{" ".join(f"{seen[i, 0]:.4f},{seen[i, 1]:.4f}" for i in indices)}"/>'

    dots = "".join(f'<circle cx="{x:.4f}" cy="{y:.4f}" r="0.02"/>' for x, y in seen)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-1 -1 2 2" width="480" height="480">'
        f'<g fill="#fff" stroke="#333" stroke-width="0.008">{polygon(corners)}</g>'
        f'<g fill="#7fb2d9" fill-opacity="0.25">{"".join(map(polygon, tight))}</g>{dots}</svg>'
    )
