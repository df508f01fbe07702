"""Largest over smallest distance of points, squared, in exact arithmetic (AlphaEvolve B.8)."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

from quiltwork.evolve import Certificate, InvalidScore, Score
from quiltwork.evolve.certify import ratios
from quiltwork.evolve.exact import float_above, integers, numbers, squared_distance

N, DIMENSION = 14, 3
EQUAL = 10**7
"""Squared distances that differ by less than one part in this many count as equal, for descriptors and pictures only."""

LARGEST_RATIO = 10**6
"""Beyond it two points as good as coincide."""


def evaluate(candidate):
    """Score a set of points: rows of coordinates."""
    points = _points(candidate.construct("construct"), "construct()")
    squares = _squares(points)
    ratio = _ratio(squares)
    least, most = min(squares.values()), max(squares.values())
    shortest = [pair for pair, square in squares.items() if (square - least) * EQUAL <= least]
    longest = [pair for pair, square in squares.items() if (most - square) * EQUAL <= most]
    return Score(
        metrics={"ratio_squared": float_above(ratio)},
        descriptors={"shortest": float(len(shortest)), "longest": float(len(longest))},
        artifacts={
            "feedback.txt": f"{len(shortest)} pairs are at the smallest distance, {len(longest)} at the largest. "
            f"Points of most short pairs: {_busiest(shortest)}; of most long pairs: {_busiest(longest)}.",
            "picture.svg": picture(points, shortest, longest),
        },
        construction=points,
    )


def certify(construction):
    """The points as rationals, and the exact ratio."""
    points = _points(construction, "the construction")
    value = _ratio(_squares(points))
    claim = f"{N} points in dimension {DIMENSION} with (largest / smallest distance)^2 below {float_above(value):.13f}"
    return Certificate(value, claim, {"points": ratios(points)})


def _points(data, what):
    points = numbers(data, N, DIMENSION, what)
    if any(abs(value) > 1e6 for point in points for value in point):
        raise InvalidScore(f"{what}: coordinates beyond a million; scale the points down, the ratio stays the same")
    return points


def _squares(points):
    exact, _ = integers(points)
    return {(i, j): squared_distance(exact[i], exact[j]) for i, j in combinations(range(N), 2)}


def _ratio(squares):
    least, most = min(squares.values()), max(squares.values())
    if least * LARGEST_RATIO <= most:
        i, j = min(squares, key=squares.__getitem__)
        raise InvalidScore(f"points {i} and {j} coincide, or nearly; move them apart")
    return Fraction(most, least)


def _busiest(pairs):
    points = [point for pair in pairs for point in pair]
    return ", ".join(map(str, sorted(set(points), key=lambda point: (-points.count(point), point))[:3]))


def picture(points, shortest, longest):
    """The points as SVG, with the smallest distances drawn and the largest dashed; beyond the plane, seen from above."""
    low = [min(p[axis] for p in points) for axis in (0, 1)]
    size = max(max(p[axis] for p in points) - low[axis] for axis in (0, 1))
    seen = [((p[0] - low[0]) / size, 1 - (p[1] - low[1]) / size) for p in points]

    def lines(pairs):
        return "".join(
            f'<line x1="{seen[i][0]:.4f}" y1="{seen[i][1]:.4f}" x2="{seen[j][0]:.4f}" y2="{seen[j][1]:.4f}"/>'
            for i, j in pairs
        )

    dots = "".join(f'<circle cx="{x:.4f}" cy="{y:.4f}" r="0.012"/>' for x, y in seen)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-0.05 -0.05 1.1 1.1" width="480" height="480">'
        f'<g stroke="#24506f" stroke-width="0.006">{lines(shortest)}</g>'
        f'<g stroke="#c96f2d" stroke-width="0.003" stroke-dasharray="0.02">{lines(longest)}</g>{dots}</svg>'
    )
