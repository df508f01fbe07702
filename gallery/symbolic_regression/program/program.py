"""Saturation pressure of water. What stands between the markers may change; `pressure` must be a formula in t."""

import math


# EVOLVE-BLOCK-START
def pressure(t):
    return 0.6 + 0.05 * t + 0.01 * t * math.sqrt(t)


# EVOLVE-BLOCK-END


def table(ts):
    """What the evaluator calls: kilopascals at each temperature in degrees Celsius."""
    return [pressure(t) for t in ts]
