"""Check a certificate: 12 disjoint hexagons of side 1 in a hexagon, all regular, exactly, in numbers a + b sqrt(3) as (a, b).

A hexagon is x, y, t: its centre, and the tangent of half its angle. The outer one stands at the angle 0 around the origin.
Prints the value and VALID, or says what is wrong and exits with 1."""

import json
import sys
from fractions import Fraction as Q
from itertools import combinations

N, H = 12, Q(1, 2)
CORNERS = [(s * a, s * b) for s in (1, -1) for a, b in ((2 * H, 0 * H), (H, H), (-H, H))]  # a, b sqrt(3)
NORMALS = [(s * a, s * b) for s in (1, -1) for a, b in ((H, H), (0 * H, 2 * H), (-H, H))]  # a sqrt(3), b


def negative(a, b):
    """Whether a + b sqrt(3) < 0: where the signs differ, the larger square decides."""
    return a + b < 0 if a * b >= 0 else (a * a > 3 * b * b) == (a < 0)


def reach(normal, t, x, y, s):
    """n . p for a normal n turned by t and every corner p of the hexagon x, y, s."""
    (m, n), (a, b), (c, d) = normal, *(((1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)) for t in (t, s))
    for e, f in CORNERS:  # n = (m a sqrt 3 - n b, m b sqrt 3 + n a), p = (x + e c - f d sqrt 3, y + e d + f c sqrt 3)
        u, v = x + e * c, y + e * d
        yield n * (a * v - b * u) + 3 * m * f * (b * c - a * d), m * (a * u + b * v) + n * f * (b * d + a * c)


def separated(p, q):
    (x, y, t), (u, v, s) = p, q  # a side of the one must have all corners of the other beyond it
    return any(all(not negative(a, b - H) for a, b in reach(n, t, u - x, v - y, s)) for n in NORMALS)


def check(certificate):
    """The outer side; raises ValueError where the certificate is wrong."""
    value, rows = Q(certificate["value"]), [[Q(x) for x in row] for row in certificate["data"]["hexagons"]]
    if len(rows) != N or any(not separated(p, q) and not separated(q, p) for p, q in combinations(rows, 2)):
        raise ValueError(f"not {N} hexagons, or two of them overlap")
    if any(negative(-a, value / 2 - b) for row in rows for n in NORMALS for a, b in reach(n, Q(0), *row)):
        raise ValueError("a hexagon sticks out of the outer hexagon")
    return value


if __name__ == "__main__":
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            value = check(json.load(file))
    except (ValueError, KeyError, TypeError, ZeroDivisionError, OSError, IndexError) as error:
        sys.exit(f"INVALID: {error}")
    print(f"side = {value} = {float(value):.15f}\nVALID")
