"""The signed step function as an unconstrained problem: a soft maximum of its autoconvolution's absolute value, to be lowered.

A hard maximum has no gradient to follow. Moves therefore shake a function and descend again on a maximum that hardens from
soft to `HARD`; the search then finishes, and compares, at `HARD`. The evaluator looks at the true maximum only.
"""

from __future__ import annotations

import numpy as np

from quiltwork.evolve import Nlp

STEPS, MOST = 150, 600
"""Steps to begin with, and beyond which none is cut in two."""

HARD = 50_000.0
"""At this hardness the soft maximum lies at most log(1200) / HARD = 0.00014 above the true one, relatively."""

ROUNDS = 3_000
"""Of one descent: a fifth of a second for 512 steps."""


def objective(heights: np.ndarray) -> tuple[float, np.ndarray]:
    """The soft bound on C3', and its gradient."""
    bound, slope = soft_bound(heights, HARD)
    return bound, slope * bound


def soft_bound(heights: np.ndarray, hardness: float) -> tuple[float, np.ndarray]:
    """2 n |h * h| / (sum h)^2 with the norm of order `hardness` for the largest, and the gradient of its logarithm."""
    steps, size = len(heights), 1 << (2 * len(heights) - 1).bit_length()
    spectrum = np.fft.rfft(heights, size)
    corners = np.fft.irfft(spectrum * spectrum, size)[: 2 * steps - 1]
    sizes = np.maximum(np.abs(corners), 1e-300)
    peak, area = sizes.max(), heights.sum()
    weights = (sizes / peak) ** hardness
    total = weights.sum()
    norm = peak * total ** (1.0 / hardness)
    slope = np.copysign(weights / (total * sizes), corners)
    pull = np.fft.irfft(np.fft.rfft(slope, size) * np.conj(spectrum), size)[:steps]
    return float(2.0 * steps * norm / area**2), 2.0 * pull - 2.0 / area


def descend(heights: np.ndarray, rate: float, hardness: float) -> np.ndarray:
    """Adam (Kingma and Ba 2015) in the heights, in units of their mean, while the maximum hardens."""
    heights = heights / heights.mean()
    steps = len(heights)
    mean, square = np.zeros(steps), np.zeros(steps)
    for k in range(ROUNDS):
        done = k / ROUNDS
        slope = soft_bound(heights, hardness * (HARD / hardness) ** done)[1] * steps
        mean += 0.1 * (slope - mean)
        square += 0.001 * (slope * slope - square)
        ahead, spread = mean / (1.0 - 0.9 ** (k + 1)), square / (1.0 - 0.999 ** (k + 1))
        heights = heights - rate * (1.0 - 0.999 * done) * ahead / (np.sqrt(spread) + 1e-9)
    return heights


def random(rng: np.random.Generator) -> np.ndarray:
    """Independent heights round 1, descended from a soft start."""
    return descend(1.0 + rng.normal(size=STEPS), rate=0.1, hardness=30.0)


def shake(heights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change all heights."""
    size = rng.choice([0.03, 0.1, 0.3, 1.0])
    return _descend_again(heights + size * rng.normal(size=len(heights)), rng)


def redraw(heights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shuffle the heights of a stretch."""
    length = int(rng.integers(2, max(3, len(heights) // 4)))
    first = int(rng.integers(max(1, len(heights) - length + 1)))
    drawn = heights.copy()
    drawn[first : first + length] = rng.permutation(drawn[first : first + length])
    return _descend_again(drawn, rng)


def slide(heights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Move the steps sideways along a smooth wave."""
    places = np.linspace(0.0, 1.0, len(heights))
    wave = rng.choice([0.001, 0.003, 0.01]) * np.sin(places * rng.uniform(1.0, 30.0) + rng.uniform(0.0, 6.3))
    return _descend_again(np.interp(places + wave, places, heights), rng)


def refine(heights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cut every step in two, which changes nothing, and use the freedom."""
    if 2 * len(heights) > MOST:
        return shake(heights, rng)
    return shake(np.repeat(heights, 2), rng)


def _descend_again(heights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    mean = heights.mean()
    if abs(mean) < 1e-3:
        heights = heights + 1.0
    return descend(
        heights, rate=rng.choice([0.003, 0.01, 0.03, 0.1]), hardness=rng.choice([30.0, 100.0, 300.0, 1000.0])
    )


def problem() -> Nlp:
    """What `polish` works on."""
    return Nlp(
        random=random,
        objective=objective,
        perturb={"shake": shake, "redraw": redraw, "slide": slide, "refine": refine},
        to_construction=lambda heights: heights.tolist(),
        from_construction=lambda heights: np.asarray(heights, dtype=float) / np.mean(heights),
        hops=2,
    )
