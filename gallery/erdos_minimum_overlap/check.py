"""Check a certificate: the largest overlap of a step function with its complement, in exact arithmetic.

    python check.py certificate.json

Prints the value and VALID, or says what is wrong and exits with 1. Needs nothing but Python.
"""

import json
import sys
from fractions import Fraction


def check(certificate):
    """2/n max over k of sum h[i + k] (1 - h[i]); raises ValueError where the certificate is wrong."""
    one, heights = certificate["data"]["one"], certificate["data"]["heights"]
    if any(type(number) is not int for number in [one, *heights]) or one <= 0 or not heights:
        raise ValueError("heights and one are integers")
    if min(heights) < 0 or max(heights) > one:
        raise ValueError("a height is not between 0 and 1")
    n = len(heights)
    if 2 * sum(heights) != n * one:
        raise ValueError("the mean is not 1/2")
    largest = 0
    for k in range(1 - n, n):
        shifted = range(max(0, -k), min(n, n - k))
        largest = max(largest, sum(heights[i + k] * (one - heights[i]) for i in shifted))
    value = Fraction(2 * largest, n * one**2)
    if value != Fraction(certificate["value"]):
        raise ValueError(f"the overlap is {float(value)!r}, not the value that is claimed")
    return value


if __name__ == "__main__":
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            value = check(json.load(file))
    except (ValueError, KeyError, TypeError, ZeroDivisionError, OSError, IndexError) as error:
        sys.exit(f"INVALID: {error}")
    print(f"overlap <= {float(value):.15f}\nVALID")
