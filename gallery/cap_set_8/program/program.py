"""A ranking of the vectors over {0, 1, 2}, from which a cap set is built greedily."""

import itertools

import numpy as np

N = 8


# EVOLVE-BLOCK-START
def priority(el, n):
    """How early the vector `el`, n numbers from {0, 1, 2}, is tried: the highest first, and among equals in order of digits.

    Equal numbers for all, as here, give the 256 vectors without a 2.
    """
    return 0.0


# EVOLVE-BLOCK-END


def priorities():
    """The priority of every vector, in order of digits: (6561,)."""
    return np.array([float(priority(el, N)) for el in itertools.product((0, 1, 2), repeat=N)])
