"""The second autocorrelation inequality (AlphaEvolve B.2): three norms of a step function's autoconvolution, exactly."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np

from quiltwork.evolve import Certificate, InvalidScore, Score
from quiltwork.evolve.exact import float_below

MOST_STEPS = 5_000
SHARES = 2**52
"""Heights are judged as whole multiples of 1/SHARES of the highest step, so that all arithmetic is on integers."""

DIGIT = 16
"""Bytes per coefficient when polynomials are multiplied as integers: 5000 products of 52 bits each fit in 117 bits."""

DRAWN = 1_000
"""Points of a curve in the picture."""


def evaluate(candidate):
    """The bound that a construction proves. What is judged, and carried on, are its heights as multiples of 2**-52."""
    heights = in_shares(candidate.construct("construct"))
    corners = autoconvolution(heights)
    bound = value(corners)
    peak = max(corners)
    empty = sum(1 for height in heights if height < SHARES // 1_000) / len(heights)
    flat = sum(1 for corner in corners if corner > 0.999 * peak) / len(corners)
    low = sum(1 for corner in corners if corner < 0.1 * peak) / len(corners)
    return Score(
        metrics={"c2": float_below(bound)},
        descriptors={"steps": float(len(heights)), "empty": empty},
        artifacts={
            "feedback.txt": f"{len(heights)} steps, {100 * empty:.0f} % of them nearly zero; the autoconvolution is within "
            f"0.1 % of its peak at {100 * flat:.0f} % of its corners, and below a tenth of it at {100 * low:.0f} %",
            "picture.svg": picture(heights, corners),
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
    """f * f at its 2 n - 1 inner corners, in units of the width, exactly: a square, read off one large integer."""
    packed = int.from_bytes(b"".join(height.to_bytes(DIGIT, "little") for height in heights), "little")
    count = 2 * len(heights) - 1
    square = (packed * packed).to_bytes(DIGIT * (count + 1), "little")
    return [int.from_bytes(square[at : at + DIGIT], "little") for at in range(0, DIGIT * count, DIGIT)]


def value(corners: list[int]) -> Fraction:
    """||g||_2^2 / (||g||_1 ||g||_inf) of the function that is linear between corners and zero at both ends.

    Between corners a and b the square integrates to (a^2 + a b + b^2) / 3, so the ends of each piece add up to two thirds of
    all squares and the middle terms to a third of all products of neighbours.
    """
    squares = 2 * sum(a * a for a in corners) + sum(a * b for a, b in pairwise(corners))
    return Fraction(squares, 3 * sum(corners) * max(corners))


def certify(construction) -> Certificate:
    """The heights as integers: only their ratios count."""
    heights = in_shares(construction)
    bound = value(autoconvolution(heights))
    claim = f"a step function with {len(heights)} steps shows that C2 is at least {float_below(bound):.13f}"
    return Certificate(bound, claim, {"heights": heights})


def picture(heights, corners):
    """The function, and its autoconvolution below, as SVG."""
    drawn = []
    for row, numbers in ((0, heights), (110, corners)):
        shown = numbers[:: -(-len(numbers) // DRAWN)]
        top, width = max(shown), 400 / len(shown)
        spots = " ".join(f"{i * width:.2f},{row + 100 - 95 * number / top:.2f}" for i, number in enumerate(shown))
        drawn.append(f'<polyline points="0,{row + 100} {spots} 400,{row + 100}"/>')
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 212" width="600">'
        f'<g fill="#7fb2d9" stroke="#24506f" stroke-width="0.6">{"".join(drawn)}</g></svg>'
    )
