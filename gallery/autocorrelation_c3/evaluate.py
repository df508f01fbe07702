"""The third autocorrelation inequality (AlphaEvolve B.3), in its form C3': the largest |f * f| of a step function, exactly."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from quiltwork.evolve import Certificate, InvalidScore, Score
from quiltwork.evolve.exact import float_above

MOST_STEPS = 2_000
SHARES = 2**52
"""Heights are judged as whole multiples of 1/SHARES of the largest one in absolute value, so that all is integers."""

DIGIT = 16
"""Bytes per coefficient when polynomials are multiplied as integers: 2000 products of 53 bits each fit in 117 bits."""


def evaluate(candidate):
    """The bound that a construction proves. What is judged, and carried on, are its heights as multiples of 2**-52."""
    heights = in_shares(candidate.construct("construct"))
    corners = autoconvolution(heights)
    bound = value(heights, corners)
    peak = max(map(abs, corners))
    above = sum(1 for corner in corners if corner > 0.999 * peak)
    below = sum(1 for corner in corners if corner < -0.999 * peak)
    negative = sum(1 for height in heights if height < 0) / len(heights)
    return Score(
        metrics={"c3": float_above(bound)},
        descriptors={"steps": float(len(heights)), "negative": negative},
        artifacts={
            "feedback.txt": f"{len(heights)} steps, {100 * negative:.0f} % of them below zero; of {len(corners)} corners of "
            f"the autoconvolution {above} come within 0.1 % of the largest absolute value from above zero, {below} from below",
            "picture.svg": picture(heights, corners),
        },
        construction=[height / SHARES for height in heights],
    )


def in_shares(reply) -> list[int]:
    """Heights as integers from -SHARES to SHARES, one of them at the end; raises `InvalidScore` for what has no score."""
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
    largest = np.abs(heights).max()
    if largest < 1e-280:
        raise InvalidScore("every height is zero, or nearly")
    shares = [int(share) for share in np.rint(heights / largest * SHARES)]
    if sum(shares) == 0:
        raise InvalidScore("the heights cancel: their sum is zero")
    return shares


def autoconvolution(heights: list[int]) -> list[int]:
    """Every sum of heights[i] * heights[k - i], exactly: the coefficients of a square, read off one large integer.

    A height h is packed as h + SHARES, which is not negative; what that adds to a coefficient is known and taken off again.
    """
    n = len(heights)
    packed = int.from_bytes(b"".join((height + SHARES).to_bytes(DIGIT, "little") for height in heights), "little")
    count = 2 * n - 1
    square = (packed * packed).to_bytes(DIGIT * (count + 1), "little")
    sums = [0]
    for height in heights:
        sums.append(sums[-1] + height)
    corners = []
    for k in range(count):
        first, last = max(0, k - n + 1), min(k, n - 1)
        shifted = int.from_bytes(square[DIGIT * k : DIGIT * (k + 1)], "little")
        added = 2 * SHARES * (sums[last + 1] - sums[first]) + (last - first + 1) * SHARES**2
        corners.append(shifted - added)
    return corners


def value(heights: list[int], corners: list[int]) -> Fraction:
    """2 n max |h * h| / (sum h)^2 for n steps: f * f is linear between multiples of the width, so |f * f| peaks at one."""
    return Fraction(2 * len(heights) * max(map(abs, corners)), sum(heights) ** 2)


def certify(construction) -> Certificate:
    """The heights as integers: only their ratios count."""
    heights = in_shares(construction)
    bound = value(heights, autoconvolution(heights))
    claim = f"a step function with {len(heights)} signed steps shows that C3' is at most {float_above(bound):.13f}"
    return Certificate(bound, claim, {"heights": heights})


def picture(heights, corners):
    """The function, and its autoconvolution below, as SVG: zero is the middle of each."""
    drawn = []
    for row, numbers in ((0, heights), (110, corners)):
        top, width = max(map(abs, numbers)), 400 / len(numbers)
        spots = " ".join(f"{i * width:.2f},{row + 50 - 48 * number / top:.2f}" for i, number in enumerate(numbers))
        drawn.append(f'<polyline points="0,{row + 50} {spots} 400,{row + 50}"/>')
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 212" width="600">'
        f'<g fill="#7fb2d9" stroke="#24506f" stroke-width="0.6">{"".join(drawn)}</g></svg>'
    )
