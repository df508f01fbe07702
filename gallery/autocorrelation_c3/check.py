"""Check a certificate: a signed step function's autoconvolution, in exact arithmetic, and the bound on C3'.

    python check.py certificate.json

Prints the value and VALID, or says what is wrong and exits with 1. Needs nothing but Python.
"""

import json
import sys
from fractions import Fraction


def check(certificate):
    """2 n max |h * h| / (sum h)^2; raises ValueError where the certificate is wrong."""
    heights = certificate["data"]["heights"]
    if not heights or any(type(height) is not int for height in heights) or sum(heights) == 0:
        raise ValueError("heights are integers whose sum is not zero")
    n = len(heights)
    peak = 0
    for k in range(2 * n - 1):
        first = max(0, k - n + 1)
        peak = max(peak, abs(sum(heights[i] * heights[k - i] for i in range(first, min(k, n - 1) + 1))))
    value = Fraction(2 * n * peak, sum(heights) ** 2)
    if value != Fraction(certificate["value"]):
        raise ValueError(f"the bound is {float(value)!r}, not the value that is claimed")
    return value


if __name__ == "__main__":
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            value = check(json.load(file))
    except (ValueError, KeyError, TypeError, ZeroDivisionError, OSError, IndexError) as error:
        sys.exit(f"INVALID: {error}")
    print(f"C3' <= {float(value):.15f}\nVALID")
