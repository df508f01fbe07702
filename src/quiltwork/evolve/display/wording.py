"""How a run's values are said to people: against the known ones, and why programs were refused."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from quiltwork.text.numbers import decimals, small

LEAST_DECIMALS_THAT_ARE_ROUNDED = 4
"""A known value with fewer decimals (593, 207.45) is taken as exact; one with more was rounded by its source."""

REASONS = {
    "nothing": "no proposal",
    "answer": "no program in the answer",
    "request": "not answerable",
    "wall": "over time",
    "cpu": "over CPU time",
    "memory": "over memory",
}


class Standing(NamedTuple):
    """Where a run's value stands to a known one. `difference` is positive where the run is better."""

    word: Literal["ahead", "behind", "level"]
    difference: float


def standing(value: float, known: float, *, maximize: bool) -> Standing:
    """Compare a value with a known one: "level" when they agree to the digits that the known one is given in."""
    difference = (value - known) if maximize else (known - value)
    places = decimals(f"{known!r}")
    tolerance = 0.5 * 10.0**-places if places >= LEAST_DECIMALS_THAT_ARE_ROUNDED else 0.0
    if not math.isfinite(difference) or abs(difference) <= tolerance:
        return Standing("level", 0.0 if not math.isfinite(difference) else difference)
    return Standing("ahead" if difference > 0 else "behind", difference)


def say_standing(found: Standing, whose: str = "") -> str:
    """Say "ahead by 0.000115", "behind by 5.7e-06" or "level"; with a name "ahead of NAME by 0.000115"."""
    joined = {"ahead": f" of {whose}", "behind": f" {whose}", "level": f" with {whose}"}[found.word] if whose else ""
    return f"{found.word}{joined}" + ("" if found.word == "level" else f" by {small(abs(found.difference))}")


def reason(verdict: str) -> str:
    """Say why a program was refused, where its verdict alone would puzzle."""
    return REASONS.get(verdict, verdict)
