"""The side of a hexagon around 12 unit hexagons, judged exactly in Q(sqrt 3) (AlphaEvolve B.7).

A hexagon is given by its centre and t, the tangent of half its angle: then sine and cosine are rational, and corners, normals
and distances are numbers a + b sqrt(3) with rational a and b, which are compared exactly. Nothing is rounded before the end.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from quiltwork.evolve import Certificate, InvalidScore, Score
from quiltwork.evolve.certify import ratios
from quiltwork.evolve.exact import float_above, numbers, smallest_repair

from .surd import CORNERS, HALF, NORMALS, ZERO, dot, largest, not_below, plus, times, turned

N = 12
FARTHEST = 20.0
"""Centres beyond this are refused."""

PARTS = 2**64
"""A side is rounded up to a multiple of 1/PARTS."""

CLEAR = 1e-9
"""A gap in floats beyond which no exact look is needed: with coordinates up to 20 floats are off by less than 1e-13."""


def evaluate(candidate):
    """Score a packing: rows x, y, t, made disjoint by the smallest spreading that does it."""
    hexagons = packed(numbers(candidate.construct("construct"), N, 3, "construct()"))
    value = side(hexagons)
    angles = [round(math.degrees(2 * math.atan(t)) % 60, 2) % 60 for _, _, t in hexagons]
    pairs = [(i, j) for j in range(N) for i in range(j) if _gap(hexagons[i], hexagons[j])[0] < 1e-7]
    return Score(
        metrics={"side": float_above(value)},
        descriptors={"turned": float(sum(angle != 0 for angle in angles)), "angles": float(len(set(angles)))},
        artifacts={
            "feedback.txt": f"side {float(value):.9f}; {len(pairs)} pairs touch; angles against the outer hexagon, in degrees: "
            f"{sorted(angles)}",
            "picture.svg": picture(hexagons),
        },
        construction=hexagons,
    )


def packed(hexagons):
    """The hexagons themselves where they are disjoint, else with centres spread a little; raises InvalidScore beyond that."""
    for index, (x, y, t) in enumerate(hexagons):
        if max(abs(x), abs(y)) > FARTHEST or abs(t) > 1:
            raise InvalidScore(
                f"hexagon {index} at ({x}, {y}) with t = {t}: keep |x|, |y| <= {FARTHEST:.0f} and |t| <= 1"
            )
    if is_packing(hexagons):
        return hexagons
    repaired = smallest_repair(
        lambda by: [[x * (1 + by), y * (1 + by), t] for x, y, t in hexagons], is_packing, finest=52
    )
    if repaired is None:
        worst = min((_gap(hexagons[i], hexagons[j])[0], i, j) for j in range(N) for i in range(j))
        raise InvalidScore(f"hexagons {worst[1]} and {worst[2]} overlap by {-worst[0]:.3g}; move them apart")
    return repaired


def is_packing(hexagons):
    """Whether no two hexagons overlap: a side of one of the two separates them (theorem of separating axes)."""
    for j in range(N):
        for i in range(j):
            gap, owner, axis = _gap(hexagons[i], hexagons[j])
            first, second = (hexagons[i], hexagons[j]) if owner == 0 else (hexagons[j], hexagons[i])
            if gap < CLEAR and (gap < -CLEAR or not _separates(first, axis, second)):
                return False
    return True


def _gap(p, q):
    """In floats: the widest gap that a side of one of two hexagons leaves to the other, whose side it is, and which."""
    best = (-math.inf, 0, 0)
    for owner, ((x, y, t), (u, v, s)) in enumerate(((p, q), (q, p))):
        normal = 2 * math.atan(t) + math.pi / 6 + math.pi / 3 * np.arange(6)
        reach = 2 * math.atan(s) - normal + math.pi / 3 * np.arange(6)[:, None]
        gaps = np.cos(normal) * (u - x) + np.sin(normal) * (v - y) + np.cos(reach).min(axis=0) - math.sqrt(0.75)
        best = max(best, (float(gaps.max()), owner, int(gaps.argmax())))
    return best


def _turn(t):
    t = Fraction(t)
    return (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)


def _separates(hexagon, axis, other):
    """Whether one side of a hexagon has all corners of another beyond it, exactly."""
    normal = turned(NORMALS[axis], *_turn(hexagon[2]))
    apart = tuple((Fraction(b) - Fraction(a), ZERO) for a, b in zip(hexagon[:2], other[:2], strict=True))
    return all(
        not_below(plus(dot(normal, apart), dot(normal, turned(corner, *_turn(other[2])))), (ZERO, HALF))
        for corner in CORNERS
    )


def side(hexagons):
    """The side of the smallest regular hexagon around the origin, corners at 0, 60, ... degrees, that holds the packing.

    It is 2 / sqrt(3) times the packing's farthest reach along a normal, rounded up in the 64th bit.
    """
    corners = [_corner(hexagon, corner) for hexagon in hexagons for corner in CORNERS]
    exact = times((ZERO, Fraction(2, 3)), largest([dot(normal, corner) for normal in NORMALS for corner in corners]))
    low = Fraction(math.floor((float(exact[0]) + float(exact[1]) * math.sqrt(3)) * 2**40) - 4, 2**40)
    high = low + Fraction(8, 2**40)
    while high - low > Fraction(1, PARTS):
        middle = (low + high) / 2
        low, high = (low, middle) if not_below((middle, ZERO), exact) else (middle, high)
    return high


def _corner(hexagon, corner):
    x, y, t = hexagon
    a, b = turned(corner, *_turn(t))
    return plus(a, (Fraction(x), ZERO)), plus(b, (Fraction(y), ZERO))


def certify(construction) -> Certificate:
    """The packing as rationals, and a bound of the outer side that is proven in Q(sqrt 3)."""
    hexagons = packed(numbers(construction, N, 3, "the construction"))
    value = side(hexagons)
    claim = f"{N} disjoint regular hexagons of side 1 fit into a regular hexagon of side {float_above(value):.13f}"
    return Certificate(value, claim, {"hexagons": ratios(hexagons)})


def picture(hexagons):
    """The packing as SVG, in its outer hexagon."""
    points = [[_place(hexagon, k) for k in range(6)] for hexagon in hexagons]
    outer = float(side(hexagons))
    around = [(outer * math.cos(math.pi / 3 * k), outer * math.sin(math.pi / 3 * k)) for k in range(6)]

    def polygon(corners):
        return f'<polygon points="{" ".join(f"{x:.4f},{-y:.4f}" for x, y in corners)}"/>'

    box = f"{-outer - 0.1:.3f} {-outer - 0.1:.3f} {2 * outer + 0.2:.3f} {2 * outer + 0.2:.3f}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" width="480" height="480" stroke-width="0.02">'
        f'<g fill="#fff" stroke="#333">{polygon(around)}</g>'
        f'<g fill="#7fb2d9" stroke="#24506f">{"".join(map(polygon, points))}</g></svg>'
    )


def _place(hexagon, k):
    x, y, t = hexagon
    angle = 2 * math.atan(t) + math.pi / 3 * k
    return x + math.cos(angle), y + math.sin(angle)
