"""Online bin packing with Weibull item sizes (FunSearch, Romera-Paredes et al. 2023): the mean number of bins of a policy."""

from __future__ import annotations

import numpy as np

from quiltwork.evolve import InvalidScore, Score

from .packing import CAPACITY, fresh, lower_bounds, pack

TRAINING = fresh(8, seed=20_231_214)
"""What selection sees."""

HELD_OUT = fresh(5, seed=48_475)
"""As many instances as in the paper, of the same size; selection never sees them."""


def evaluate(candidate):
    """Mean bins over the training instances."""
    return _score(_table(candidate), TRAINING)


def held_out(candidate):
    """Mean bins over other instances of the same distribution."""
    return _score(_table(candidate), HELD_OUT)


def _table(candidate):
    table = candidate.call("table", capacity=CAPACITY)
    if not isinstance(table, np.ndarray) or table.shape != (CAPACITY, CAPACITY + 1) or table.dtype.kind not in "iuf":
        raise InvalidScore(f"table() must return real numbers of shape ({CAPACITY}, {CAPACITY + 1}): item, capacity")
    table = table.astype(np.float64)
    if not np.isfinite(table).all():
        raise InvalidScore("priority() returned a number that is not finite: the table cannot be used")
    return table


def _score(table, instances):
    used, left = pack(table, instances)
    bounds = lower_bounds(instances)
    mean, bound = float(used.mean()), float(bounds.mean())
    by_level = left.mean(axis=0)
    waste = by_level * np.arange(CAPACITY + 1)
    stretches = [(0, 0), (1, 4), (5, 9), (10, 19), (20, 39), (40, CAPACITY)]
    lines = [f"{low} to {high} left: {by_level[low : high + 1].sum():.1f} bins" for low, high in stretches]
    return Score(
        metrics={"bins": mean, "excess_percent": 100.0 * (mean / bound - 1.0)},
        descriptors={
            "full": float(by_level[0] / mean),
            "small_waste": float(waste[1:20].sum() / max(1.0, waste.sum())),
        },
        artifacts={
            "feedback.txt": f"{mean:.2f} bins on average, lower bound {bound:.2f}. At the end, on average:\n"
            + "\n".join(lines)
        },
    )
