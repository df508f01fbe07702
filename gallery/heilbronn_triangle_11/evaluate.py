"""The smallest triangle among 11 points of a triangle, in exact arithmetic (AlphaEvolve B.9)."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations

from quiltwork.evolve import Certificate, InvalidScore, Score
from quiltwork.evolve.certify import ratios
from quiltwork.evolve.exact import doubled_area, float_below, integers, numbers

N = 11
SLIP = 1e-6
"""How far a point may be outside and be put back on the side."""

EQUAL = 1e-9
"""Difference of areas below which they count as equal, for feedback and pictures only."""


def evaluate(candidate):
    """Score a set of points: rows u, v in the triangle (0, 0), (1, 0), (0, 1)."""
    points = [
        _inside(index, u, v)
        for index, (u, v) in enumerate(numbers(candidate.construct("construct"), N, 2, "construct()"))
    ]
    areas = _areas(points)
    least = min(areas.values())
    tight = [corners for corners, area in areas.items() if area - least <= EQUAL]
    on_sides = sum(u == 0 or v == 0 or 1 - u - v < EQUAL for u, v in points)
    return Score(
        metrics={"smallest_area": float_below(least)},
        descriptors={"on_sides": float(on_sides), "hull": float(_hull_size(points))},
        artifacts={
            "feedback.txt": f"{len(tight)} triangles are the smallest, for example {tight[:4]}. "
            f"{on_sides} points lie on the sides.",
            "picture.svg": picture(points, tight),
        },
        construction=points,
    )


def certify(construction):
    """The points as rationals, and the exact smallest area."""
    points = [_inside(index, u, v) for index, (u, v) in enumerate(numbers(construction, N, 2, "the construction"))]
    value = min(_areas(points).values())
    claim = f"{N} points of a triangle of area 1 span no triangle of an area below {float_below(value):.15f}"
    return Certificate(value, claim, {"points": ratios(points)})


def _inside(index, u, v):
    """The point itself, or the nearest float on a side where it slipped out."""
    if min(u, v, 1 - u - v) < -SLIP:
        raise InvalidScore(f"point {index} at ({u}, {v}) is outside the triangle u, v >= 0, u + v <= 1")
    u, v = max(u, 0.0), max(v, 0.0)
    while Fraction(u) + Fraction(v) > 1:
        u, v = (math.nextafter(1 - v, 0), v) if u > v else (u, math.nextafter(1 - u, 0))
    return [u, v]


def _areas(points):
    exact, scale = integers(points)
    return {
        (i, j, k): Fraction(abs(doubled_area(exact[i], exact[j], exact[k])), scale**2)
        for i, j, k in combinations(range(N), 3)
    }


def _hull_size(points):
    exact = sorted(integers(points)[0])
    size = 0
    for order in (exact, exact[::-1]):
        chain = []
        for point in order:
            while len(chain) > 1 and doubled_area(chain[-2], chain[-1], point) <= 0:
                chain.pop()
            chain.append(point)
        size += len(chain) - 1
    return size


def picture(points, tight):
    """The points as SVG in an equilateral triangle, the smallest triangles shaded."""
    seen = [(u + v / 2, 0.8660254 * (1 - v)) for u, v in points]
    shades = "".join(
        f'<polygon points="{" ".join(f"{seen[i][0]:.4f},{seen[i][1]:.4f}" for i in corners)}"/>' for corners in tight
    )
    dots = "".join(f'<circle cx="{x:.4f}" cy="{y:.4f}" r="0.01"/>' for x, y in seen)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-0.03 -0.03 1.06 0.93" width="480" height="421">'
        '<polygon points="0,0.8660254 1,0.8660254 0.5,0" fill="#fff" stroke="#333" stroke-width="0.004"/>'
        f'<g fill="#7fb2d9" fill-opacity="0.25">{shades}</g>{dots}</svg>'
    )
