"""Numbers a + b sqrt(3) with rational a and b, as pairs: closed under what regular hexagons need, and compared exactly."""

from __future__ import annotations

from fractions import Fraction

Number = tuple[Fraction, Fraction]
Vector = tuple[Number, Number]

HALF = Fraction(1, 2)
ZERO, ONE = Fraction(0), Fraction(1)
_FIRST: list[Vector] = [((ONE, ZERO), (ZERO, ZERO)), ((HALF, ZERO), (ZERO, HALF)), ((-HALF, ZERO), (ZERO, HALF))]
_NORMALS: list[Vector] = [((ZERO, HALF), (HALF, ZERO)), ((ZERO, ZERO), (ONE, ZERO)), ((ZERO, -HALF), (HALF, ZERO))]


def plus(p: Number, q: Number) -> Number:
    """The sum."""
    return p[0] + q[0], p[1] + q[1]


def times(p: Number, q: Number) -> Number:
    """The product."""
    return p[0] * q[0] + 3 * p[1] * q[1], p[0] * q[1] + p[1] * q[0]


def dot(v: Vector, w: Vector) -> Number:
    """The scalar product."""
    return plus(times(v[0], w[0]), times(v[1], w[1]))


def sign(p: Number) -> int:
    """-1, 0 or 1. Where a and b differ in sign, the larger of a**2 and 3 b**2 decides; equal they are at 0 alone."""
    a, b = p
    if a * b >= 0:
        return (a + b > 0) - (a + b < 0)
    return (1 if a > 0 else -1) * ((a * a > 3 * b * b) - (a * a < 3 * b * b))


def not_below(p: Number, q: Number) -> bool:
    """Whether p >= q."""
    return sign((p[0] - q[0], p[1] - q[1])) >= 0


def largest(numbers: list[Number]) -> Number:
    """The greatest of them."""
    best = numbers[0]
    for number in numbers[1:]:
        if not not_below(best, number):
            best = number
    return best


def turned(vector: Vector, cosine: Fraction, sine: Fraction) -> Vector:
    """The vector after a rotation by a rational cosine and sine."""
    (a, b), (c, d) = vector
    return (a * cosine - c * sine, b * cosine - d * sine), (a * sine + c * cosine, b * sine + d * cosine)


def opposite(vector: Vector) -> Vector:
    """Minus the vector."""
    (a, b), (c, d) = vector
    return (-a, -b), (-c, -d)


CORNERS: list[Vector] = [*_FIRST, *map(opposite, _FIRST)]
"""Corners of a hexagon of side 1 that is not turned, at 0, 60, ... degrees."""

NORMALS: list[Vector] = [*_NORMALS, *map(opposite, _NORMALS)]
"""Its sides' unit normals, at 30, 90, ... degrees."""
