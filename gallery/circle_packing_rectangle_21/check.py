"""Check a certificate: 21 disjoint circles in a rectangle of perimeter 4 and the sum of their radii, in exact arithmetic.

    python check.py certificate.json

The certificate gives the packing at any scale: the value is the sum of the radii after scaling the smallest upright rectangle
around it to perimeter 4. Prints the value and VALID, or says what is wrong and exits with 1. Needs nothing but Python.
"""

import json
import sys
from fractions import Fraction

N = 21


def check(certificate):
    """The sum of the radii at perimeter 4; raises ValueError where the certificate is wrong."""
    circles = [[Fraction(number) for number in circle] for circle in certificate["data"]["circles"]]
    if len(circles) != N or any(len(circle) != 3 for circle in circles):
        raise ValueError(f"not {N} circles x, y, r")
    for i, (x, y, r) in enumerate(circles):
        if r < 0:
            raise ValueError(f"circle {i} has a negative radius")
        for j, (u, v, s) in enumerate(circles[:i]):
            if (x - u) ** 2 + (y - v) ** 2 < (r + s) ** 2:
                raise ValueError(f"circles {j} and {i} overlap")
    width = max(x + r for x, _, r in circles) - min(x - r for x, _, r in circles)
    height = max(y + r for _, y, r in circles) - min(y - r for _, y, r in circles)
    value = sum(r for _, _, r in circles) * 2 / (width + height)
    if value != Fraction(certificate["value"]):
        raise ValueError(f"the radii sum to {float(value)!r}, not to the value that is claimed")
    return value


if __name__ == "__main__":
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            value = check(json.load(file))
    except (ValueError, KeyError, TypeError, ZeroDivisionError, OSError, IndexError) as error:
        sys.exit(f"INVALID: {error}")
    print(f"sum of radii = {value} = {float(value):.15f}\nVALID")
