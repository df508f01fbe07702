"""The step function as an unconstrained problem: the ratio of norms with a soft maximum, to be raised.

The maximum in the ratio has no gradient to follow. Moves therefore shake a function and climb again on a maximum that hardens
from soft to `HARD`; the search then finishes, and compares, at `HARD`. The evaluator looks at the true maximum only.
"""

from __future__ import annotations

import numpy as np

from quiltwork.evolve import Nlp

STEPS, MOST = 256, 1024
"""Steps to begin with, and beyond which none is cut in two."""

HARD = 50_000.0
"""At this hardness the soft maximum lies at most log(2048) / HARD = 0.00016 above the true one, relatively."""

ROUNDS = 2_500
"""Of one climb: half a second for 1024 steps."""


def objective(heights: np.ndarray) -> tuple[float, np.ndarray]:
    """The soft ratio of norms with its sign turned, and its gradient."""
    ratio, slope = soft_ratio(heights, HARD)
    return -ratio, -slope * ratio


def soft_ratio(heights: np.ndarray, hardness: float) -> tuple[float, np.ndarray]:
    """||g||_2^2 / (||g||_1 |g|) for g = h * h with the norm of order `hardness` for |g|, and the gradient of its logarithm."""
    steps, size = len(heights), 1 << (2 * len(heights) - 1).bit_length()
    spectrum = np.fft.rfft(heights, size)
    corners = np.maximum(np.fft.irfft(spectrum * spectrum, size)[: 2 * steps - 1], 1e-300)
    peak = corners.max()
    weights = (corners / peak) ** hardness
    total = weights.sum()
    around = 4.0 * corners
    around[1:] += corners[:-1]
    around[:-1] += corners[1:]
    square = 0.5 * corners @ around
    area = corners.sum()
    slope = around / square - 1.0 / area - weights / (total * corners)
    pull = np.fft.irfft(np.fft.rfft(slope, size) * np.conj(spectrum), size)[:steps]
    return float(square / (3.0 * area * peak * total ** (1.0 / hardness))), 2.0 * pull


def climb(heights: np.ndarray, rate: float, hardness: float) -> np.ndarray:
    """Adam (Kingma and Ba 2015) in the square roots of the heights, while the maximum hardens."""
    heights = heights / heights.mean() + 1e-6
    steps = len(heights)
    roots, mean, square = np.sqrt(heights), np.zeros(steps), np.zeros(steps)
    for k in range(ROUNDS):
        done = k / ROUNDS
        slope = soft_ratio(roots * roots, hardness * (HARD / hardness) ** done)[1] * roots * steps
        mean += 0.1 * (slope - mean)
        square += 0.001 * (slope * slope - square)
        ahead, spread = mean / (1.0 - 0.9 ** (k + 1)), square / (1.0 - 0.999 ** (k + 1))
        roots += rate * (1.0 - 0.99 * done) * ahead / (np.sqrt(spread) + 1e-9)
    return roots * roots


def random(rng: np.random.Generator) -> np.ndarray:
    """Independent heights, climbed from a soft start."""
    return climb(rng.random(STEPS) + 0.05, rate=0.02, hardness=30.0)


def shake(heights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change all heights by factors near 1."""
    factors = np.exp(rng.choice([0.01, 0.05, 0.2, 0.5]) * rng.normal(size=len(heights)))
    return _climb_again(heights * factors, rng)


def redraw(heights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shuffle the heights of a stretch."""
    length = int(rng.integers(2, max(3, len(heights) // 4)))
    first = int(rng.integers(max(1, len(heights) - length + 1)))
    drawn = heights.copy()
    drawn[first : first + length] = rng.permutation(drawn[first : first + length]) * rng.uniform(0.5, 1.5)
    return _climb_again(drawn, rng)


def slide(heights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Move the steps sideways along a smooth wave."""
    places = np.linspace(0.0, 1.0, len(heights))
    wave = rng.choice([0.001, 0.003, 0.01]) * np.sin(places * rng.uniform(1.0, 30.0) + rng.uniform(0.0, 6.3))
    return _climb_again(np.interp(places + wave, places, heights), rng)


def refine(heights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cut every step in two, which changes nothing, and use the freedom."""
    if 2 * len(heights) > MOST:
        return shake(heights, rng)
    return shake(np.repeat(heights, 2), rng)


def _climb_again(heights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    heights = np.clip(heights, 0.0, None) + rng.choice([0.001, 0.01, 0.1, 0.5]) * heights.mean() * rng.random(
        len(heights)
    )
    return climb(heights, rate=rng.choice([0.005, 0.02, 0.05]), hardness=rng.choice([100.0, 300.0, 1000.0]))


def problem() -> Nlp:
    """What `polish` works on. Bounds of one element stand for every unknown, since the number of steps varies."""
    return Nlp(
        random=random,
        objective=objective,
        bounds=(np.zeros(1), np.full(1, np.inf)),
        perturb={"shake": shake, "redraw": redraw, "slide": slide, "refine": refine},
        to_construction=lambda heights: np.clip(heights, 0.0, None).tolist(),
        from_construction=lambda heights: np.asarray(heights, dtype=float) / np.mean(heights),
        hops=1,
    )
