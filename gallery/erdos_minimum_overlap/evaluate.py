"""Erdos's minimum overlap problem (AlphaEvolve B.5): the largest overlap of a step function with its complement, exactly."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from quiltwork.evolve import Certificate, InvalidScore, Score
from quiltwork.evolve.exact import float_above

MOST_STEPS = 2_000
SHARES = 2**50
"""Heights are judged as whole multiples of 1/SHARES that sum to n/2 exactly, so that all arithmetic is on integers."""

MEAN_TOLERANCE = 1e-6
"""How far the mean may be from 1/2 before a function is refused instead of repaired. The repaired one is judged."""

DIGIT = 16
"""Bytes per coefficient when polynomials are multiplied as integers: 2000 products of 50 bits each fit in 111 bits."""


def evaluate(candidate):
    """The bound that a construction proves. What is judged, and carried on, are heights that are valid exactly."""
    heights = in_shares(candidate.construct("construct"))
    overlaps = all_overlaps(heights)
    bound = value(heights, overlaps)
    largest = max(overlaps)
    flat = sum(1 for overlap in overlaps if overlap > 0.999 * largest)
    full = sum(1 for height in heights if height > 0.999 * SHARES) / len(heights)
    return Score(
        metrics={"overlap": float_above(bound)},
        descriptors={"steps": float(len(heights)), "full": full},
        artifacts={
            "feedback.txt": f"{len(heights)} steps; the overlap is largest at shift "
            f"{overlaps.index(largest) - len(heights) + 1} and within 0.1 % of that at {flat} of {len(overlaps)} shifts; "
            f"{100 * full:.0f} % of the steps are at 1",
            "picture.svg": picture(heights, overlaps),
        },
        construction=[height / SHARES for height in heights],
    )


def in_shares(reply) -> list[int]:
    """Heights as integers from 0 to SHARES with mean SHARES / 2 exactly; raises `InvalidScore` for what is too far from it.

    The rounded sum is put right in the heights that have room, in proportion to it, the rest one share at a time.
    """
    heights = _real_numbers(reply)
    if not 2 <= len(heights) <= MOST_STEPS:
        raise InvalidScore(f"there must be 2 to {MOST_STEPS} steps, not {len(heights)}")
    if not np.isfinite(heights).all():
        raise InvalidScore("a height is not finite")
    if heights.min() < 0.0 or heights.max() > 1.0:
        raise InvalidScore(f"heights reach from {heights.min():.9g} to {heights.max():.9g}; they must stay in [0, 1]")
    if abs(heights.mean() - 0.5) > MEAN_TOLERANCE:
        raise InvalidScore(f"the heights have the mean {heights.mean():.9g}; it must be 1/2")
    shares = [int(share) for share in np.rint(heights * SHARES)]
    missing = len(shares) * SHARES // 2 - sum(shares)
    room = [SHARES - share if missing > 0 else share for share in shares]
    sign = 1 if missing > 0 else -1
    parts = [abs(missing) * each // max(1, sum(room)) for each in room]
    left = abs(missing) - sum(parts)
    for i, each in enumerate(room):
        extra = min(left, each - parts[i])
        shares[i] += sign * (parts[i] + extra)
        left -= extra
    return shares


def _real_numbers(reply) -> np.ndarray:
    if isinstance(reply, list) and all(type(height) in (int, float) for height in reply):
        try:
            reply = np.array(reply, dtype=np.float64)
        except OverflowError:
            raise InvalidScore("a height is too large for a float") from None
    if not isinstance(reply, np.ndarray) or reply.dtype.kind not in "iuf" or reply.ndim != 1:
        raise InvalidScore("construct() must return the heights of the steps: a list or an array of real numbers")
    return reply.astype(np.float64)


def all_overlaps(heights: list[int]) -> list[int]:
    """The sum of h[i + k] (SHARES - h[i]) for every shift k, exactly: a product of polynomials, read off one large integer."""
    count = 2 * len(heights) - 1
    inside = b"".join(height.to_bytes(DIGIT, "little") for height in heights)
    outside = b"".join((SHARES - height).to_bytes(DIGIT, "little") for height in reversed(heights))
    product = (int.from_bytes(inside, "little") * int.from_bytes(outside, "little")).to_bytes(
        DIGIT * (count + 1), "little"
    )
    return [int.from_bytes(product[at : at + DIGIT], "little") for at in range(0, DIGIT * count, DIGIT)]


def value(heights: list[int], overlaps: list[int]) -> Fraction:
    """2/n max over k of the overlap at shift k: between multiples of the width the overlap is linear in the shift."""
    return Fraction(2 * max(overlaps), len(heights) * SHARES**2)


def certify(construction) -> Certificate:
    """The heights as integers, and the integer that stands for 1."""
    heights = in_shares(construction)
    bound = value(heights, all_overlaps(heights))
    claim = f"a step function with {len(heights)} steps shows that the constant is at most {float_above(bound):.13f}"
    return Certificate(bound, claim, {"one": SHARES, "heights": heights})


def picture(heights, overlaps):
    """The function, and its overlaps below, as SVG."""
    drawn = []
    for row, numbers in ((0, heights), (110, overlaps)):
        top, width = max(numbers), 400 / len(numbers)
        spots = " ".join(f"{i * width:.2f},{row + 100 - 95 * number / top:.2f}" for i, number in enumerate(numbers))
        drawn.append(f'<polyline points="0,{row + 100} {spots} 400,{row + 100}"/>')
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 212" width="600">'
        f'<g fill="#7fb2d9" stroke="#24506f" stroke-width="0.6">{"".join(drawn)}</g></svg>'
    )
