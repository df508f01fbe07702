"""Check a certificate: vectors over {0, 1, 2} in 8 dimensions, no three of them on a line.

    python check.py certificate.json

Prints their number and VALID, or says what is wrong and exits with 1. Needs nothing but Python.
"""

import json
import sys
from fractions import Fraction
from itertools import combinations

N = 8


def check(certificate):
    """How many vectors there are; raises ValueError where the certificate is wrong."""
    vectors = [tuple(vector) for vector in certificate["data"]["vectors"]]
    for vector in vectors:
        if len(vector) != N or any(type(x) is not int or x not in (0, 1, 2) for x in vector):
            raise ValueError(f"{vector!r} is no vector of {N} numbers from 0, 1, 2")
    cap = set(vectors)
    if len(cap) != len(vectors):
        raise ValueError("a vector is there twice")
    for a, b in combinations(vectors, 2):
        third = tuple(-(x + y) % 3 for x, y in zip(a, b, strict=True))
        if third in cap:
            raise ValueError(f"{a}, {b} and {third} are on a line")
    if Fraction(certificate["value"]) != len(vectors):
        raise ValueError(f"there are {len(vectors)} vectors, not as many as are claimed")
    return len(vectors)


if __name__ == "__main__":
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            value = check(json.load(file))
    except (ValueError, KeyError, TypeError, ZeroDivisionError, OSError, IndexError) as error:
        sys.exit(f"INVALID: {error}")
    print(f"size = {value}\nVALID")
