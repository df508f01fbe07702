"""Check a certificate: points in space and (largest / smallest distance) squared, in exact arithmetic.

    python check.py certificate.json

Prints the value and VALID, or says what is wrong and exits with 1. Needs nothing but Python.
"""

import json
import sys
from fractions import Fraction
from itertools import combinations

N, DIMENSION = 16, 2


def check(certificate):
    """The ratio; raises ValueError where the certificate is wrong."""
    points = [[Fraction(number) for number in point] for point in certificate["data"]["points"]]
    if len(points) != N or any(len(point) != DIMENSION for point in points):
        raise ValueError(f"not {N} points of {DIMENSION} coordinates")
    squares = [sum((a - b) ** 2 for a, b in zip(p, q, strict=True)) for p, q in combinations(points, 2)]
    if min(squares) == 0:
        raise ValueError("two points coincide")
    value = max(squares) / min(squares)
    if value != Fraction(certificate["value"]):
        raise ValueError(f"the ratio is {float(value)!r}, not the value that is claimed")
    return value


if __name__ == "__main__":
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            value = check(json.load(file))
    except (ValueError, KeyError, TypeError, ZeroDivisionError, OSError, IndexError) as error:
        sys.exit(f"INVALID: {error}")
    print(f"ratio squared = {value} = {float(value):.15f}\nVALID")
