"""Check a certificate: 14 points and the smallest area that three of them span, over their hull's, in exact arithmetic.

    python check.py certificate.json

Prints the value and VALID, or says what is wrong and exits with 1. Needs nothing but Python.
"""

import json
import sys
from fractions import Fraction
from itertools import combinations

N = 14


def doubled(p, q, r):
    """Twice the signed area of a triangle."""
    return (q[0] - p[0]) * (r[1] - p[1]) - (r[0] - p[0]) * (q[1] - p[1])


def hull_area(points):
    """Twice the area of the convex hull: walk around it, always to the point that leaves all others on the left."""
    start = here = min(points)
    area = 0
    while area == 0 or here != start:
        there = next(q for q in points if q != here and all(doubled(here, q, r) >= 0 for r in points))
        area, here = area + doubled(start, here, there), there
    return area


def check(certificate):
    """The smallest share of the hull; raises ValueError where the certificate is wrong."""
    points = [tuple(Fraction(number) for number in point) for point in certificate["data"]["points"]]
    if len(points) != N or any(len(point) != 2 for point in points):
        raise ValueError(f"not {N} points x, y")
    least = min(abs(doubled(p, q, r)) for p, q, r in combinations(points, 3))
    value = least / hull_area(points) if least > 0 else Fraction(0)
    if value != Fraction(certificate["value"]):
        raise ValueError(f"the smallest share is {float(value)!r}, not the value that is claimed")
    return value


if __name__ == "__main__":
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            value = check(json.load(file))
    except (ValueError, KeyError, TypeError, ZeroDivisionError, OSError, IndexError) as error:
        sys.exit(f"INVALID: {error}")
    print(f"smallest share = {value} = {float(value):.18f}\nVALID")
