"""How numbers are written for people: values in a column, differences, durations, sizes. Odd values have words too."""

from __future__ import annotations

import math
from collections.abc import Sequence

DIGITS = 11
"""Significant digits of a value: the best known packings differ in the seventh to tenth."""

HUGE = 1e12
"""From here on a number is not written out, and a time or a speed is not believed."""


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
    places = max(map(decimals, texts), default=0)
    return [f"{value:.{places}f}" for value in values]


def decimals(text: str) -> int:
    """Count the digits behind the point of a number as it is written; one with an exponent has none."""
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


def size(count: float) -> str:
    """Write a number of bytes as people do, in powers of a thousand."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
