"""An online packing policy: which bin the item that has just arrived goes to."""

import numpy as np


# EVOLVE-BLOCK-START
def priority(item, bins, crowd):
    """One number per bin in which `item` fits: the highest takes it, the earliest opened one among equals.

    `bins` are remaining capacities (150: an empty bin), `crowd` says for each how many open bins (up to 6) already have
    the capacity that would be left. Equal numbers for all, as here, are first fit.
    """
    return np.zeros(len(bins))


# EVOLVE-BLOCK-END


def table(smallest, largest, most, capacity):
    """All priorities that there are, by item, crowd and remaining capacity: what the evaluator packs with."""
    priorities = np.zeros((largest - smallest + 1, most + 1, capacity + 1))
    for item in range(smallest, largest + 1):
        bins = np.arange(item, capacity + 1)
        crowd = np.repeat(np.arange(most + 1), len(bins))
        of_item = priority(item, np.tile(bins, most + 1), crowd)
        priorities[item - smallest, :, item:] = np.reshape(of_item, (most + 1, len(bins)))
    return priorities
