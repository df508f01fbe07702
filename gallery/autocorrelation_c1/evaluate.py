"""The first autocorrelation inequality (AlphaEvolve B.1): the peak of a step function's autoconvolution, exactly."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from quiltwork.evolve import Certificate, InvalidScore, Score
from quiltwork.evolve.exact import float_above

MOST_STEPS = 2_000
SHARES = 2**52
"""Heights are judged as whole multiples of 1/SHARES of the highest step, so that all arithmetic is on integers."""

DIGIT = 16
"""Bytes per coefficient when polynomials are multiplied as integers: 2000 products of 52 bits each fit in 115 bits."""


def evaluate(candidate):
    """The bound that a construction proves. What is judged, and carried on, are its heights as multiples of 2**-52."""
    heights = in_shares(candidate.construct("construct"))
    peaks = autoconvolution(heights)
    bound = value(heights, peaks)
    step = max(range(len(peaks)), key=peaks.__getitem__)
    empty = sum(1 for height in heights if height < SHARES // 1_000) / len(heights)
    flat = sum(1 for peak in peaks if peak > 0.999 * peaks[step])
    return Score(
        metrics={"c1": float_above(bound)},
        descriptors={"steps": float(len(heights)), "empty": empty},
        artifacts={
            "feedback.txt": f"{len(heights)} steps; the autoconvolution peaks at {step} of {len(peaks)} and comes within "
            f"0.1 % of the peak at {flat} places; {100 * empty:.0f} % of the steps are nearly zero",
            "picture.svg": picture(heights, peaks),
        },
        construction=[height / SHARES for height in heights],
    )


def in_shares(reply) -> list[int]:
    """Heights as integers from 0 to SHARES, the highest at SHARES; raises `InvalidScore` for what is no step function."""
    if isinstance(reply, list) and all(type(height) in (int, float) for height in reply):
        try:
            reply = np.array(reply, dtype=np.float64)
        except OverflowError:
            raise InvalidScore("a height is too large for a float") from None
    if not isinstance(reply, np.ndarray) or reply.dtype.kind not in "iuf" or reply.ndim != 1:
        raise InvalidScore("construct() must return the heights of the steps: a list or an array of real numbers")
    if not 1 <= len(reply) <= MOST_STEPS:
        raise InvalidScore(f"there must be 1 to {MOST_STEPS} steps, not {len(reply)}")
    heights = reply.astype(np.float64)
    if not np.isfinite(heights).all():
        raise InvalidScore("a height is not finite")
    if heights.min() < 0.0:
        raise InvalidScore(f"step {heights.argmin()} has the height {heights.min():.3g}; none may be negative")
    if heights.max() < 1e-280:
        raise InvalidScore("every height is zero, or nearly")
    return [int(share) for share in np.rint(heights / heights.max() * SHARES)]


def autoconvolution(heights: list[int]) -> list[int]:
    """Every sum of heights[i] * heights[k - i], exactly: the coefficients of a square, read off one large integer."""
    packed = int.from_bytes(b"".join(height.to_bytes(DIGIT, "little") for height in heights), "little")
    count = 2 * len(heights) - 1
    square = (packed * packed).to_bytes(DIGIT * (count + 1), "little")
    return [int.from_bytes(square[at : at + DIGIT], "little") for at in range(0, DIGIT * count, DIGIT)]


def value(heights: list[int], peaks: list[int]) -> Fraction:
    """2 n max (h * h) / (sum h)^2 for n steps: f * f is linear between multiples of the width, so it peaks at one."""
    return Fraction(2 * len(heights) * max(peaks), sum(heights) ** 2)


def certify(construction) -> Certificate:
    """The heights as integers: only their ratios count."""
    heights = in_shares(construction)
    bound = value(heights, autoconvolution(heights))
    claim = f"a step function with {len(heights)} steps shows that C1 is at most {float_above(bound):.13f}"
    return Certificate(bound, claim, {"heights": heights})


def picture(heights, peaks):
    """The function, and its autoconvolution below, as SVG."""
    drawn = []
    for row, numbers in ((0, heights), (110, peaks)):
        top, width = max(numbers), 400 / len(numbers)
        spots = " ".join(f"{i * width:.2f},{row + 100 - 95 * number / top:.2f}" for i, number in enumerate(numbers))
        drawn.append(f'<polyline points="0,{row + 100} {spots} 400,{row + 100}"/>')
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 212" width="600">'
        f'<g fill="#7fb2d9" stroke="#24506f" stroke-width="0.6">{"".join(drawn)}</g></svg>'
    )
