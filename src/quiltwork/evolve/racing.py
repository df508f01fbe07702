"""Racing: when a noisy candidate has been run often enough to say that it is worse than the incumbent."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev

ERROR_RATE = 0.05
"""Chance of dropping a candidate that is as good as the incumbent, over all looks together."""

FEWEST_RUNS = 3
"""A spread that two runs show says too little."""


def is_worse(values: Sequence[float], incumbent: float, *, looks: int) -> bool:
    """Whether the mean of `values` (larger is better) is below `incumbent`, with confidence.

    A one-sided Student test; its level is divided by the number of looks (Bonferroni), so that looking after every run
    does not drop good candidates more often than `ERROR_RATE` (racing: Maron and Moore 1994; Birattari's F-race 2002).
    """
    if len(values) < FEWEST_RUNS:
        return False
    spread = stdev(values)
    mean = fmean(values)
    if spread == 0.0:
        return mean < incumbent
    from scipy.special import stdtrit

    quantile = float(stdtrit(len(values) - 1, 1.0 - ERROR_RATE / looks))
    upper: float = mean + quantile * spread / len(values) ** 0.5
    return upper < incumbent
