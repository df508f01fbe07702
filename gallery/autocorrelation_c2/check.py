"""Check a certificate: three norms of a step function's autoconvolution, in exact arithmetic, and the bound on C2.

    python check.py certificate.json

Prints the value and VALID, or says what is wrong and exits with 1. Needs nothing but Python.
"""

import json
import sys
from fractions import Fraction
from itertools import pairwise


def check(certificate):
    """||f*f||_2^2 / (||f*f||_1 ||f*f||_inf); raises ValueError where the certificate is wrong."""
    heights = certificate["data"]["heights"]
    if not heights or any(type(height) is not int or height < 0 for height in heights) or sum(heights) == 0:
        raise ValueError("heights are integers, none negative, not all zero")
    n = len(heights)
    corners = [0]
    for k in range(2 * n - 1):
        first = max(0, k - n + 1)
        corners.append(sum(heights[i] * heights[k - i] for i in range(first, min(k, n - 1) + 1)))
    corners.append(0)
    # f*f is linear between two corners a and b: its square integrates to (a^2 + ab + b^2) / 3, itself to (a + b) / 2
    square = area = Fraction(0)
    for a, b in pairwise(corners):
        square += Fraction(a * a + a * b + b * b, 3)
        area += Fraction(a + b, 2)
    value = square / (area * max(corners))
    if value != Fraction(certificate["value"]):
        raise ValueError(f"the bound is {float(value)!r}, not the value that is claimed")
    return value


if __name__ == "__main__":
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            value = check(json.load(file))
    except (ValueError, KeyError, TypeError, ZeroDivisionError, OSError, IndexError) as error:
        sys.exit(f"INVALID: {error}")
    print(f"C2 >= {float(value):.15f}\nVALID")
