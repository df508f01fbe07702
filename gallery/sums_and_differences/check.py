"""Check a certificate: a set of integers, its sums and differences, and the bound that follows, in exact arithmetic.

    python check.py certificate.json

The claim is 1 + ln(|U - U| / |U + U|) / ln(2 max U + 1) >= value; 10,000 elements take a minute.
Prints the value and VALID, or says what is wrong and exits with 1. Needs nothing but Python.
"""

import json
import sys
from fractions import Fraction

ONE = 2**160


def atanh(above, below):
    """2 atanh(above / below) * ONE by its series, for a ratio of at most 1/3: never too large, too small by less than 1,000."""
    return 2 * sum(ONE * above**k // below**k // k for k in range(1, 104, 2))


def ln(n):
    """Rational bounds of the natural logarithm: n = 2**k (1 - z) / (1 + z) with 0 <= z <= 1/3, and 2 = (1 + 1/3) / (1 - 1/3)."""
    k = n.bit_length()
    near = k * atanh(1, 3) - atanh(2**k - n, 2**k + n)
    return Fraction(near - 2_000, ONE), Fraction(near + 2_000 * k, ONE)


def check(certificate):
    """The value; raises ValueError where it does not follow from the set."""
    elements, value = certificate["data"]["elements"], Fraction(certificate["value"])
    if any(type(u) is not int or u < 0 for u in elements) or 0 not in elements or not any(elements):
        raise ValueError("the elements are integers, none negative, 0 among them, and not 0 alone")
    sums = differences = 0
    marks = sum(1 << u for u in set(elements))
    for u in elements:
        sums, differences = sums | marks << u, differences | marks >> u
    above = ln(2 * differences.bit_count() - 1)[0] - ln(sums.bit_count())[1]
    if (value - 1) * ln(2 * max(elements) + 1)[1 if value >= 1 else 0] > above:
        raise ValueError("the set does not prove the value that is claimed")
    return value


if __name__ == "__main__":
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            value = check(json.load(file))
    except (ValueError, KeyError, TypeError, ZeroDivisionError, OSError, IndexError) as error:
        sys.exit(f"INVALID: {error}")
    print(f"theta >= {value} = {float(value):.15f}\nVALID")
