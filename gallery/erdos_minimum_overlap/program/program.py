"""A step function that overlaps little with its complement."""

import numpy as np


# EVOLVE-BLOCK-START
def construct(start=None):
    """Heights in [0, 1] with mean 1/2, for steps of equal width. `start` holds the best known so far, or None."""
    return np.full(50, 0.5)


# EVOLVE-BLOCK-END
