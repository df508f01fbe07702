"""The sum of the radii of 32 circles in the unit square, judged in exact arithmetic (AlphaEvolve B.12)."""

from __future__ import annotations

import numpy as np

from quiltwork.evolve import Certificate, InvalidScore, Score
from quiltwork.evolve.certify import ratios
from quiltwork.evolve.exact import float_below, integers, numbers, smallest_repair, squared_distance, total

N = 32
TOUCHING = 1e-7
"""Gap below which two circles count as touching, for descriptors and pictures only."""


def evaluate(candidate):
    """Score a packing: rows of x, y, r, made valid by the smallest shrinking that does it."""
    circles = packed(numbers(candidate.construct("construct"), N, 3, "construct()"))
    gaps, walls = _gaps(circles), _wall_gaps(circles)
    radii = np.array([r for _, _, r in circles])
    on_walls = int((walls < TOUCHING).any(axis=1).sum())
    pairs = int((gaps < TOUCHING).sum()) // 2
    return Score(
        metrics={"sum_of_radii": float_below(total(radii))},
        descriptors={"on_walls": float(on_walls), "spread": float(radii.std() / max(radii.mean(), 1e-9))},
        artifacts={
            "feedback.txt": f"{pairs} pairs touch, {on_walls} circles touch a wall; radii from {radii.min():.4f} to "
            f"{radii.max():.4f}. The widest free gap to a nearest neighbour is {np.max(gaps.min(axis=1)):.2e}.",
            "picture.svg": picture(circles),
        },
        construction=circles,
    )


def packed(circles):
    """The circles themselves where they are disjoint and inside, else shrunk a little; raises InvalidScore beyond that."""
    for index, (x, y, r) in enumerate(circles):
        if r < 0 or not (0 <= x <= 1 and 0 <= y <= 1):
            raise InvalidScore(f"circle {index} has radius {r} and centre ({x}, {y}): it is not in the unit square")
    if is_packing(circles):
        return circles
    repaired = smallest_repair(lambda by: [[x, y, max(0.0, r - by)] for x, y, r in circles], is_packing)
    if repaired is None:
        raise InvalidScore(_worst(circles))
    return repaired


def is_packing(circles):
    """Whether all circles lie in the square and no two overlap, exactly. Floats only find the pairs that are far apart."""
    exact, one = integers(circles)
    if any(r > min(x, y, one - x, one - y) for x, y, r in exact):
        return False
    # With all numbers in [0, 1] the float gap is off by less than 1e-14: pairs beyond 1e-9 need no second look.
    return all(
        squared_distance(exact[i][:2], exact[j][:2]) >= (exact[i][2] + exact[j][2]) ** 2
        for i, j in np.argwhere(np.triu(_gaps(circles) < 1e-9, 1)).tolist()
    )


def certify(construction):
    """The packing and its sum of radii as rationals."""
    circles = packed(numbers(construction, N, 3, "the construction"))
    value = total(r for _, _, r in circles)
    claim = f"{N} disjoint circles in the unit square have radii that sum to more than {float_below(value):.13f}"
    return Certificate(value, claim, {"circles": ratios(circles)})


def _gaps(circles):
    x, y, r = np.array(circles).T
    return np.hypot(x[:, None] - x, y[:, None] - y) - r[:, None] - r + 9 * np.eye(len(r))


def _wall_gaps(circles):
    x, y, r = np.array(circles).T
    return np.stack([x - r, 1 - x - r, y - r, 1 - y - r], axis=1)


def _worst(circles):
    gaps, walls = _gaps(circles), _wall_gaps(circles)
    if gaps.min() < walls.min():
        i, j = np.unravel_index(gaps.argmin(), gaps.shape)
        return f"circles {i} and {j} overlap by {-gaps.min():.3g}; shrink them"
    return f"circle {walls.min(axis=1).argmin()} sticks out of the square by {-walls.min():.3g}; shrink or move it"


def picture(circles):
    """The packing as SVG."""
    discs = "".join(f'<circle cx="{x:.5f}" cy="{1 - y:.5f}" r="{r:.5f}"/>' for x, y, r in circles)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-0.01 -0.01 1.02 1.02" width="480" height="480">'
        '<rect width="1" height="1" fill="#fff" stroke="#333" stroke-width="0.004"/>'
        f'<g fill="#7fb2d9" stroke="#24506f" stroke-width="0.002">{discs}</g></svg>'
    )
