"""An online packing policy: which bin the item that has just arrived goes to."""

import numpy as np


# EVOLVE-BLOCK-START
def priority(item, bins):
    """One number per remaining capacity in `bins`, all of which `item` fits in: a bin of the highest takes it.

    The fullest one takes it among equals. The capacity 100 is an empty bin. Equal numbers for all, as here, are best fit.
    """
    return np.zeros(len(bins))


# EVOLVE-BLOCK-END


def table(capacity):
    """All priorities that there are, by item and remaining capacity: what the evaluator packs with."""
    priorities = np.zeros((capacity, capacity + 1))
    for item in range(1, capacity + 1):
        bins = np.arange(item, capacity + 1)
        priorities[item - 1, item:] = priority(item, bins)
    return priorities
