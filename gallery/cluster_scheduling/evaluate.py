"""Cluster scheduling on a simulated fleet, a stand-in for Borg (AlphaEvolve, section 3.3.1): the work that a heuristic loses."""

from __future__ import annotations

import numpy as np

from quiltwork.evolve import InvalidScore, Score

from .fleet import JOBS, MOST_CPU, MOST_MEMORY, SHAPE, fresh, simulate

TRAINING = fresh(20, seed=2_506_131)
"""What selection sees."""

HELD_OUT = fresh(20, seed=48_475)
"""Other fleets and other jobs, which selection never sees."""


def evaluate(candidate):
    """The work that is lost on the training fleets."""
    return _score(_table(candidate), TRAINING)


def held_out(candidate):
    """The work that is lost on fleets that selection never saw."""
    return _score(_table(candidate), HELD_OUT)


def _table(candidate):
    jobs = [[cpu, memory] for cpu, memory, _ in JOBS]
    table = candidate.call("table", jobs=jobs, most_cpu=MOST_CPU, most_memory=MOST_MEMORY)
    if not isinstance(table, np.ndarray) or table.shape != SHAPE or table.dtype.kind not in "iuf":
        raise InvalidScore(
            f"table() must return real numbers of shape {SHAPE}: kind of job, free processors, free memory"
        )
    table = table.astype(np.float64)
    if not np.isfinite(table).all():
        raise InvalidScore("score() returned a number that is not finite: the table cannot be used")
    return table


def _score(table, instances):
    outcome = simulate(table, instances)
    lost = 50.0 * (outcome.cpu_lost + outcome.memory_lost)
    return Score(
        metrics={
            "lost_percent": float(lost.mean()),
            "cpu_lost_percent": 100.0 * float(outcome.cpu_lost.mean()),
            "memory_lost_percent": 100.0 * float(outcome.memory_lost.mean()),
        },
        descriptors={
            "cpu_free": float(outcome.cpu_free.mean()),
            "memory_free": float(outcome.memory_free.mean()),
        },
        artifacts={
            "feedback.txt": f"{100 * outcome.cpu_lost.mean():.2f} % of the processor time and "
            f"{100 * outcome.memory_lost.mean():.2f} % of the memory time that jobs asked for found no machine, while "
            f"{100 * outcome.cpu_free.mean():.2f} % of all processors and {100 * outcome.memory_free.mean():.2f} % of all memory "
            f"were free; worst fleet {lost.max():.2f} %, best {lost.min():.2f} %"
        },
    )
