"""Online bin packing (FunSearch, Romera-Paredes et al. 2023): the mean number of bins that a policy needs."""

from __future__ import annotations

import numpy as np

from quiltwork.evolve import InvalidScore, Score

from .packing import CAPACITY, CROWD, LARGEST, SHAPE, SMALLEST, fresh, lower_bounds, or3, pack

TRAINING = fresh(60, seed=20_231_214)
"""What selection sees. OR3, which the run reports at its end, comes from another generator."""


def evaluate(candidate):
    """Mean bins over the training instances, and the space lost in bins that take no more items."""
    return _score(_table(candidate), TRAINING)


def held_out(candidate):
    """OR3, the data set of the paper: best fit needs 212.00 bins, FunSearch's policy 207.45, the L1 bound is 201.20."""
    return _score(_table(candidate), or3())


def _table(candidate):
    table = candidate.call("table", smallest=SMALLEST, largest=LARGEST, most=CROWD, capacity=CAPACITY)
    if not isinstance(table, np.ndarray) or table.shape != SHAPE or table.dtype.kind not in "iuf":
        raise InvalidScore(f"table() must return real numbers of shape {SHAPE}: item, crowd, remaining capacity")
    table = table.astype(np.float64)
    if not np.isfinite(table).all():
        raise InvalidScore("priority() returned a number that is not finite")
    return table


def _score(table, instances):
    used, remaining = pack(table, instances)
    bounds = lower_bounds(instances)
    dead = np.where(remaining < SMALLEST, remaining, 0).sum() / used.sum()
    open_bins = ((remaining >= SMALLEST) & (remaining < CAPACITY)).sum() / len(instances)
    mean, bound = float(used.mean()), float(bounds.mean())
    worst = int((used - bounds).argmax())
    return Score(
        metrics={"bins": mean, "excess_percent": 100.0 * (mean / bound - 1.0)},
        descriptors={"dead": float(dead), "open_bins": float(open_bins)},
        artifacts={
            "feedback.txt": (
                f"{mean:.2f} bins on average, lower bound {bound:.2f}. A bin that takes no more items has {dead:.2f} of "
                f"{CAPACITY} left on average; {open_bins:.1f} bins are still open at the end. Worst instance: "
                f"{used[worst]} bins, bound {bounds[worst]}."
            )
        },
    )
