"""A step function, of either sign, with a low autoconvolution."""

import numpy as np


# EVOLVE-BLOCK-START
def construct(start=None):
    """The heights of the steps, of either sign, all of the same width. `start` holds the best known so far, or None."""
    return np.ones(100)


# EVOLVE-BLOCK-END
