"""Check a certificate: 11 points of a triangle and the smallest area that three of them span, in exact arithmetic.

    python check.py certificate.json

The triangle has corners (0, 0), (1, 0), (0, 1); areas are told as parts of its own.
Prints the value and VALID, or says what is wrong and exits with 1. Needs nothing but Python.
"""

import json
import sys
from fractions import Fraction
from itertools import combinations

N = 11


def check(certificate):
    """The smallest area; raises ValueError where the certificate is wrong."""
    points = [[Fraction(number) for number in point] for point in certificate["data"]["points"]]
    if len(points) != N or any(len(point) != 2 for point in points):
        raise ValueError(f"not {N} points u, v")
    for index, (u, v) in enumerate(points):
        if u < 0 or v < 0 or u + v > 1:
            raise ValueError(f"point {index} is outside the triangle")
    value = min(abs((b - a) * (z - x) - (c - a) * (y - x)) for (a, x), (b, y), (c, z) in combinations(points, 3))
    if value != Fraction(certificate["value"]):
        raise ValueError(f"the smallest area is {float(value)!r}, not the value that is claimed")
    return value


if __name__ == "__main__":
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            value = check(json.load(file))
    except (ValueError, KeyError, TypeError, ZeroDivisionError, OSError, IndexError) as error:
        sys.exit(f"INVALID: {error}")
    print(f"smallest area = {value} = {float(value):.18f}\nVALID")
