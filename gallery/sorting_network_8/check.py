"""Check a certificate: a network of comparators that sorts every sequence of 8 numbers, by the 0-1 principle.

    python check.py certificate.json

Prints the number of comparators and VALID, or says what is wrong and exits with 1. Needs nothing but Python.
"""

import json
import sys
from fractions import Fraction
from itertools import product

N = 8


def check(certificate):
    """The number of comparators; raises ValueError where the certificate is wrong."""
    network = certificate["data"]["comparators"]
    for i, j in network:
        if type(i) is not int or type(j) is not int or not 0 <= i < j < N:
            raise ValueError(f"({i!r}, {j!r}) is not a pair of wires i < j")
    for word in product((0, 1), repeat=N):
        line = list(word)
        for i, j in network:
            line[i], line[j] = min(line[i], line[j]), max(line[i], line[j])
        if line != sorted(word):
            raise ValueError(f"the input {word} becomes {line}")
    if Fraction(certificate["value"]) != len(network):
        raise ValueError(f"there are {len(network)} comparators, not the value that is claimed")
    return len(network)


if __name__ == "__main__":
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            value = check(json.load(file))
    except (ValueError, KeyError, TypeError, ZeroDivisionError, OSError, IndexError) as error:
        sys.exit(f"INVALID: {error}")
    print(f"comparators = {value}\nVALID")
