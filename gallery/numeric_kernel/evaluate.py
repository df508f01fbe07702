"""The speed of a numeric kernel against the one that the search starts from, measured side by side, from outside."""

from __future__ import annotations

import math
import secrets
import time

import numpy as np

from quiltwork.evolve import InvalidScore, Score

from .reference import kernel

SIZES = {"full": (128, 128), "held_out": (96, 160)}
"""Rows and columns. A pair of such grids is 256 KiB: to send it, and back, takes a small part of what the kernel takes."""

STEPS = 60
ROUNDS = 12
"""Grids of one race: reference and candidate take turns, and both are timed over all of them."""

DEVIATION = 1e-9
"""How far a concentration (from 0 to 1) may be from the reference's. Another order of adding makes 1e-14, 32 bits make 1e-6."""


def evaluate(candidate):
    """How many times as much processor time the reference takes, for grids that are drawn when they are needed."""
    return _race(candidate, *SIZES["full"])


def held_out(candidate):
    """The same for grids of another shape."""
    return _race(candidate, *SIZES["held_out"])


def _race(candidate, rows, columns):
    rng = np.random.default_rng(secrets.randbits(128))
    own, largest = 0.0, 0.0
    for _ in range(ROUNDS):
        problem = drawn(rng, rows, columns)
        started = time.thread_time()
        right = kernel(**problem)
        own += time.thread_time() - started
        largest = max(largest, deviation(candidate.call("kernel", **problem), right))
    theirs = spent(candidate)
    digits = min(16.0, -math.log10(max(largest, 1e-16)))
    return Score(
        metrics={"speedup": own / theirs, "milliseconds": 1e3 * theirs / ROUNDS, "deviation": largest},
        descriptors={"digits": digits},
        artifacts={
            "feedback.txt": f"{1e3 * theirs / ROUNDS:.2f} ms of processor time for {STEPS} steps on {rows} x {columns}, where "
            f"the program to start from takes {1e3 * own / ROUNDS:.2f} ms; largest deviation {largest:.1e} of {DEVIATION:.0e}"
        },
    )


def spent(candidate):
    """Processor seconds of the candidate's process, all its threads, from its start to its end: as the kernel counts them.

    They are known once the process has ended, so it is ended here. Nothing that it says enters into them.
    """
    candidate.session.close()
    return candidate.session.usage.cpu_s


def drawn(rng, rows, columns):
    """Arguments that nobody can know beforehand: the entropy is the operating system's, and not the run's seed."""
    v = np.where(rng.random((rows, columns)) < 0.3, 0.5, 0.0) * rng.random((rows, columns))
    return {
        "u": 1.0 - v,
        "v": v,
        "steps": STEPS,
        "feed": float(rng.uniform(0.02, 0.06)),
        "kill": float(rng.uniform(0.05, 0.065)),
    }


def deviation(reply, right):
    """The largest difference between a reply and the right result; raises `InvalidScore` where it is too large."""
    if not isinstance(reply, list) or len(reply) != 2:
        raise InvalidScore("kernel() must return [u, v]")
    for given, wanted in zip(reply, right, strict=True):
        if not isinstance(given, np.ndarray) or given.shape != wanted.shape or given.dtype != np.float64:
            raise InvalidScore(f"kernel() must return two arrays of 64-bit floats of shape {wanted.shape}")
    largest = max(float(np.abs(given - wanted).max()) for given, wanted in zip(reply, right, strict=True))
    if not largest <= DEVIATION:
        raise InvalidScore(f"a concentration is {largest:.3g} from what it should be; {DEVIATION:.0e} is allowed")
    return largest
