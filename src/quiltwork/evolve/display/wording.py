"""How numbers are written for people: values in a column, differences, durations. Odd values have words too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

DIGITS = 11
"""Significant digits of a value: the best known packings differ in the seventh to tenth."""

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

HUGE = 1e12
"""From here on a number is not written out, and a time or a speed is not believed."""


class Standing(NamedTuple):
    """Where a run's value stands to a known one. `difference` is positive where the run is better."""

    word: Literal["ahead", "behind", "level"]
    difference: float


def standing(value: float, known: float, *, maximize: bool) -> Standing:
    """Compare a value with a known one: "level" when they agree to the digits that the known one is given in."""
    difference = (value - known) if maximize else (known - value)
    decimals = _decimals(f"{known!r}")
    tolerance = 0.5 * 10.0**-decimals if decimals >= LEAST_DECIMALS_THAT_ARE_ROUNDED else 0.0
    if not math.isfinite(difference) or abs(difference) <= tolerance:
        return Standing("level", 0.0 if not math.isfinite(difference) else difference)
    return Standing("ahead" if difference > 0 else "behind", difference)


def say_standing(found: Standing, whose: str = "") -> str:
    """Say "ahead by 0.000115", "behind by 5.7e-06" or "level"; with a name "ahead of NAME by 0.000115"."""
    joined = {"ahead": f" of {whose}", "behind": f" {whose}", "level": f" with {whose}"}[found.word] if whose else ""
    return f"{found.word}{joined}" + ("" if found.word == "level" else f" by {small(abs(found.difference))}")


def number(value: float, digits: int = DIGITS) -> str:
    """Write a value with up to `digits` significant digits, without an exponent where that is short."""
    if not math.isfinite(value):
        return f"{value}"
    return f"{value:.{digits}g}"


def amount(value: float) -> str:
    """Write what is spent or may be: whole from 100 on, with thousands apart."""
    if not abs(value) < HUGE:
        return number(value, 4)
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.1f}"


def small(value: float) -> str:
    """Write a difference with three significant digits."""
    if not math.isfinite(value):
        return f"{value}"
    text = f"{value:.3g}"
    return f"{value:.2e}" if "e" in text or 0 < abs(value) < 1e-3 else text


def aligned(values: Sequence[float], digits: int = DIGITS) -> list[str]:
    """Write values with the same number of decimals, so that they compare by eye in one column."""
    texts = [number(value, digits) for value in values]
    if any("e" in text or "n" in text for text in texts):  # exponents, inf and nan cannot be aligned
        return texts
    decimals = max(map(_decimals, texts), default=0)
    return [f"{value:.{decimals}f}" for value in values]


def _decimals(text: str) -> int:
    mantissa, _, fraction = text.partition(".")
    if "e" in text or "n" in mantissa or fraction in ("", "0"):
        return 0
    return len(fraction)


def duration(seconds: float) -> str:
    """Write a time with its two largest units: "24 ms", "0.4 s", "12 s", "3 min 05 s", "2 h 07 min", "4 d 03 h"."""
    if not 0.0 <= seconds < HUGE:
        return "?"
    if 0.0 < seconds < 0.0995:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, name, part, part_name in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size:,} {name} {whole % size // part:02d} {part_name}"
    return f"{whole} s"


def rate(per_second: float) -> str:
    """Write how many per second."""
    if not 0.0 <= per_second < HUGE:
        return "?/s"
    return f"{per_second:,.0f}/s" if per_second >= 99.95 else f"{per_second:.1f}/s"


def reason(verdict: str) -> str:
    """Say why a program was refused, where its verdict alone would puzzle."""
    return REASONS.get(verdict, verdict)


def one_line(text: str, limit: int = 400) -> str:
    """Make a text fit for one line of a terminal: no escapes, no line ends, no direction marks, bounded."""
    seen = " ".join(text[: 4 * limit].split())
    clean = "".join(letter if letter.isprintable() else "\N{MIDDLE DOT}" for letter in seen)
    return clean if len(clean) <= limit else clean[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"
