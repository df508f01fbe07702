"""Check a certificate: integer vectors in 11 dimensions, no two closer to each other than the longest is long.

    python check.py certificate.json

So many unit spheres can touch a unit sphere. Prints the value and VALID, or says what is wrong and exits with 1.
Needs nothing but Python.
"""

import json
import sys
from fractions import Fraction
from itertools import combinations

DIMENSION = 11


def check(certificate):
    """The number of vectors; raises ValueError where the certificate is wrong."""
    vectors = certificate["data"]["vectors"]
    if any(len(vector) != DIMENSION or any(type(x) is not int for x in vector) for vector in vectors):
        raise ValueError(f"not rows of {DIMENSION} integers")
    longest = max(sum(x * x for x in vector) for vector in vectors)
    if not all(any(vector) for vector in vectors):
        raise ValueError("a vector is zero")
    for v, w in combinations(vectors, 2):
        if sum((x - y) ** 2 for x, y in zip(v, w, strict=True)) < longest:
            raise ValueError(f"{v} and {w} are too close")
    if len(vectors) != Fraction(certificate["value"]):
        raise ValueError(f"there are {len(vectors)} vectors, not the number that is claimed")
    return len(vectors)


if __name__ == "__main__":
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            value = check(json.load(file))
    except (ValueError, KeyError, TypeError, ZeroDivisionError, OSError, IndexError) as error:
        sys.exit(f"INVALID: {error}")
    print(f"spheres = {value}\nVALID")
