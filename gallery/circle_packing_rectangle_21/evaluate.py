"""The sum of the radii of 21 circles in a rectangle of perimeter 4, judged in exact arithmetic (AlphaEvolve B.13)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from quiltwork.evolve import Certificate, InvalidScore, Score
from quiltwork.evolve.certify import ratios
from quiltwork.evolve.exact import float_below, integers, numbers, smallest_repair, squared_distance

N = 21
FARTHEST = 4.0
"""Centres and radii beyond this are refused, so that floats tell which pairs are far apart."""

TOUCHING = 1e-7
"""Gap below which two circles count as touching, for descriptors and pictures only."""


def evaluate(candidate):
    """Score a packing: rows of x, y, r, made disjoint by the smallest shrinking that does it."""
    circles = packed(numbers(candidate.construct("construct"), N, 3, "construct()"))
    value = scaled_sum(circles)
    gaps, walls = _gaps(circles), _wall_gaps(circles)
    radii = np.array([r for _, _, r in circles])
    width, height = (float(side) for side in sides(circles))
    on_walls = int((walls < TOUCHING).any(axis=1).sum())
    pairs = int((gaps < TOUCHING).sum()) // 2
    return Score(
        metrics={"sum_of_radii": float_below(value)},
        descriptors={
            "aspect": min(width, height) / max(width, height),
            "spread": float(radii.std() / max(radii.mean(), 1e-9)),
        },
        artifacts={
            "feedback.txt": f"{pairs} pairs touch, {on_walls} circles touch a wall; the box around them is {width:.5f} wide "
            f"and {height:.5f} high; radii from {radii.min():.4f} to {radii.max():.4f}. "
            f"The widest free gap to a nearest neighbour is {np.max(gaps.min(axis=1)):.2e}.",
            "picture.svg": picture(circles),
        },
        construction=circles,
    )


def packed(circles):
    """The circles themselves where they are disjoint, else shrunk a little; raises InvalidScore beyond that."""
    for index, (x, y, r) in enumerate(circles):
        if r < 0 or max(abs(x), abs(y), r) > FARTHEST:
            raise InvalidScore(
                f"circle {index} has radius {r} and centre ({x}, {y}): keep within {FARTHEST:.0f}, and r >= 0"
            )
    if not any(r > 0 for _, _, r in circles):
        raise InvalidScore("every circle has radius 0")
    if is_packing(circles):
        return circles
    repaired = smallest_repair(lambda by: [[x, y, max(0.0, r - by)] for x, y, r in circles], is_packing)
    if repaired is None or not any(r > 0 for _, _, r in repaired):
        gaps = _gaps(circles)
        i, j = np.unravel_index(gaps.argmin(), gaps.shape)
        raise InvalidScore(f"circles {i} and {j} overlap by {-gaps.min():.3g}; shrink them")
    return repaired


def is_packing(circles):
    """Whether no two circles overlap, exactly. Floats only find the pairs that are far apart."""
    exact, _ = integers(circles)
    # With all numbers within 4 the float gap is off by less than 1e-13: pairs beyond 1e-9 need no second look.
    return all(
        squared_distance(exact[i][:2], exact[j][:2]) >= (exact[i][2] + exact[j][2]) ** 2
        for i, j in np.argwhere(np.triu(_gaps(circles) < 1e-9, 1)).tolist()
    )


def sides(circles):
    """Width and height of the smallest upright rectangle around the circles, exactly."""
    exact, scale = integers(circles)
    return [Fraction(max(c[axis] + c[2] for c in exact) - min(c[axis] - c[2] for c in exact), scale) for axis in (0, 1)]


def scaled_sum(circles):
    """The sum of the radii when the packing is scaled such that width and height sum to 2: a ratio, exact at any scale."""
    return 2 * sum(Fraction(r) for _, _, r in circles) / sum(sides(circles))


def certify(construction):
    """The packing as rationals, and the exact sum of its radii at perimeter 4."""
    circles = packed(numbers(construction, N, 3, "the construction"))
    value = scaled_sum(circles)
    claim = (
        f"{N} disjoint circles in a rectangle of perimeter 4 have radii that sum to at least {float_below(value):.13f}"
    )
    return Certificate(value, claim, {"circles": ratios(circles)})


def _gaps(circles):
    x, y, r = np.array(circles).T
    return np.hypot(x[:, None] - x, y[:, None] - y) - r[:, None] - r + 99 * np.eye(len(r))


def _wall_gaps(circles):
    x, y, r = np.array(circles).T
    edges = (x - r, -x - r, y - r, -y - r)
    return np.stack([edge - edge.min() for edge in edges], axis=1)


def picture(circles):
    """The packing as SVG."""
    x, y, r = np.array(circles).T
    left, low, right, high = (x - r).min(), (y - r).min(), (x + r).max(), (y + r).max()
    one = (right - left + high - low) / 2
    wide, tall = right - left, high - low
    discs = "".join(f'<circle cx="{a:.6g}" cy="{-b:.6g}" r="{c:.6g}"/>' for a, b, c in circles)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{left:.5g} {-high:.5g} {wide:.5g} {tall:.5g}" '
        f'width="480" height="{480 * tall / wide:.0f}">'
        f'<rect x="{left:.5g}" y="{-high:.5g}" width="100%" height="100%" fill="#fff" stroke="#333" '
        f'stroke-width="{one / 125:.5g}"/>'
        f'<g fill="#7fb2d9" stroke="#24506f" stroke-width="{one / 500:.5g}">{discs}</g></svg>'
    )
