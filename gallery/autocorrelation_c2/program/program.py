"""A step function with a flat autoconvolution."""

import numpy as np


# EVOLVE-BLOCK-START
def construct(start=None):
    """The heights of the steps, none negative, all of the same width. `start` holds the best known so far, or None."""
    return np.ones(100)


# EVOLVE-BLOCK-END
