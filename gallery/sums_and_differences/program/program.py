"""A set of integers: sums of a few generators, then refined."""

import math

import numpy as np


def sums_of(generators, most, each):
    """All sums of at most `most` generators, each taken at most `each` times: sorted, from 0."""
    values, used = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    for generator in generators:
        values = np.concatenate([values + k * int(generator) for k in range(int(each) + 1)])
        used = np.concatenate([used + k for k in range(int(each) + 1)])
        values, used = values[used <= most], used[used <= most]
        order = np.lexsort((used, values))
        values, used = values[order], used[order]
        first = np.append(True, values[1:] != values[:-1])
        values, used = values[first], used[first]
        if len(values) > 10_000:
            raise ValueError("too many sums")
    return values - values[0]


def theta(elements):
    """1 + log(|U - U| / |U + U|) / log(2 max U + 1)."""
    largest = int(elements.max())
    if not 0 < largest <= 2**24:
        return 0.0
    sums, differences = np.zeros(2 * largest + 1, dtype=bool), np.zeros(2 * largest + 1, dtype=bool)
    for element in elements.tolist():
        sums[elements + element] = True
        differences[elements + (largest - element)] = True
    return 1 + math.log(np.count_nonzero(differences) / np.count_nonzero(sums)) / math.log(2 * largest + 1)


# EVOLVE-BLOCK-START
SEED = 1


def generators(rng):
    """The generators, how many are summed at most, and how often each one at most."""
    return [1, 5, 25], 2, 2


def refine(elements, rng):
    """A better set: try a few changes of one element, keep what does not lose."""
    best = theta(elements)
    for _ in range(20):
        flipped = np.setxor1d(elements, rng.integers(1, elements.max() + 1))
        value = theta(flipped)
        if value >= best:
            elements, best = flipped, value
    return elements


# EVOLVE-BLOCK-END


def construct():
    """What the evaluator calls."""
    rng = np.random.default_rng(SEED)
    return refine(sums_of(*generators(rng)), rng)
