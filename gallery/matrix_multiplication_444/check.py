"""Check a certificate: products that multiply a 4 x 4 with a 4 x 4 matrix, by Brent's equations in whole Gaussian numbers.

    python check.py certificate.json

Prints their number and VALID, or says what is wrong and exits with 1. Needs nothing but Python.
"""

import json
import sys
from collections import Counter
from fractions import Fraction

N, M, P = 4, 4, 4


def check(certificate):
    """How many products there are; raises ValueError where the certificate is wrong. Coefficients are doubled [re, im]."""
    factors = [certificate["data"]["doubled"][name] for name in "uvw"]
    for rows, size in zip(factors, (N * M, M * P, N * P), strict=True):
        if len(rows) != len(factors[0]) or any(len(row) != size for row in rows):
            raise ValueError("u, v and w need one row per product, with one coefficient per entry of the matrix")
        if any(type(part) is not int for row in rows for re, im in row for part in (re, im)):
            raise ValueError("doubled coefficients are whole")
    real, imaginary = Counter(), Counter()
    for u, v, w in zip(*factors, strict=True):
        nonzero = [[(i, re, im) for i, (re, im) in enumerate(row) if re or im] for row in (u, v, w)]
        for a, ar, ai in nonzero[0]:
            for b, br, bi in nonzero[1]:
                pr, pi = ar * br - ai * bi, ar * bi + ai * br
                for c, cr, ci in nonzero[2]:
                    real[a, b, c] += pr * cr - pi * ci
                    imaginary[a, b, c] += pr * ci + pi * cr
    wanted = {(i * M + j, j * P + k, i * P + k): 8 for i in range(N) for j in range(M) for k in range(P)}
    if {key: x for key, x in real.items() if x} != wanted or any(imaginary.values()):
        raise ValueError("the products do not add up to the product of the matrices")
    if Fraction(certificate["value"]) != len(factors[0]):
        raise ValueError(f"there are {len(factors[0])} products, not as many as are claimed")
    return len(factors[0])


if __name__ == "__main__":
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            value = check(json.load(file))
    except (ValueError, KeyError, TypeError, ZeroDivisionError, OSError, IndexError) as error:
        sys.exit(f"INVALID: {error}")
    print(f"rank <= {value}\nVALID")
