"""Exact geometry for evaluators: what a stranger's numbers are, as rationals, and which side of zero they fall on.

A float is a rational with a power of two below it, so nothing has to be rounded to judge it: all tolerances are zero. An
evaluator may look at floats first and compute exactly where rounding could have changed the sign.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import TypeVar

import numpy as np

from quiltwork.evolve.score import Data, InvalidScore

Table = list[list[float]]
Repaired = TypeVar("Repaired")

FINEST, COARSEST = 54, 20
"""Exponents of the smallest and the largest repair, 2**-54 and 2**-20: one for rounding, one for a loose solver's tolerance."""

LOG_UNIT, LOG_SLACK = 2**160, 1_000
"""Logarithms are computed in whole units of 1/LOG_UNIT, and are off by less than LOG_SLACK of them per series."""


def numbers(data: Data, rows: int, columns: int, what: str) -> Table:
    """A stranger's table of numbers as plain floats; raises `InvalidScore` for any other shape, type, or non-finite value.

    Accepts a numpy array (rows, columns) of integers or floats, or a list of lists. `what` names it in the message.
    """
    wanted = f"{what} must be {rows} rows of {columns} numbers"
    if isinstance(data, np.ndarray):
        if data.dtype.kind not in "iuf":
            raise InvalidScore(f"{wanted}, not an array of {data.dtype}")
        data = data.tolist()
    if not isinstance(data, list | tuple) or len(data) != rows:
        raise InvalidScore(f"{wanted}, not {_describe(data)}")
    return [_row(row, columns, f"{wanted}: row {index}") for index, row in enumerate(data)]


def _row(data: Data, columns: int, where: str) -> list[float]:
    if isinstance(data, np.ndarray) and data.dtype.kind in "iuf":
        data = data.tolist()
    if not isinstance(data, list | tuple) or len(data) != columns:
        raise InvalidScore(f"{where} is {_describe(data)}")
    return [_number(value, where) for value in data]


def _number(value: Data, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidScore(f"{where} holds {value!r:.60}, which is no real number")
    try:
        number = float(value)
    except OverflowError:
        raise InvalidScore(f"{where} holds an integer too large for a float") from None
    if not math.isfinite(number):
        raise InvalidScore(f"{where} holds {number}")
    return number


def _describe(data: Data) -> str:
    if isinstance(data, np.ndarray):
        return f"an array of shape {data.shape} and {data.dtype}"
    size = f" of {len(data)}" if isinstance(data, list | tuple | dict | str) else ""
    return f"{type(data).__name__}{size}"


def integers(table: Sequence[Sequence[float]]) -> tuple[list[list[int]], int]:
    """The table times a common power of two, as integers, and that power: exact, and ten times as fast as fractions."""
    ratios = [[float(value).as_integer_ratio() for value in row] for row in table]
    scale = max((below for row in ratios for _, below in row), default=1)
    return [[above * (scale // below) for above, below in row] for row in ratios], scale


def squared_distance(p: Sequence[int], q: Sequence[int]) -> int:
    """|p - q|**2 in any dimension, exactly for integers."""
    return sum((a - b) ** 2 for a, b in zip(p, q, strict=True))


def doubled_area(p: Sequence[int], q: Sequence[int], r: Sequence[int]) -> int:
    """Twice the signed area of the triangle p, q, r: positive when they turn left, zero when they lie on a line."""
    return (q[0] - p[0]) * (r[1] - p[1]) - (r[0] - p[0]) * (q[1] - p[1])


def total(values: Iterable[float]) -> Fraction:
    """The exact sum of floats."""
    return sum(map(Fraction, values), Fraction(0))


def float_below(value: Fraction) -> float:
    """The largest float that is not above a rational."""
    near = float(value)
    return near if Fraction(near) <= value else math.nextafter(near, -math.inf)


def float_above(value: Fraction) -> float:
    """The smallest float that is not below a rational."""
    return -float_below(-value)


def log_bounds(number: int) -> tuple[Fraction, Fraction]:
    """Rationals below and above the natural logarithm of a positive integer, less than 1e-40 apart.

    With 2**k > n >= 2**(k - 1): ln n = k ln 2 + ln(n / 2**k) = 2 k atanh(1/3) - 2 atanh((2**k - n) / (2**k + n)).
    """
    if number < 1:
        raise ValueError(f"{number} has no logarithm")
    k = number.bit_length()
    two, rest = _doubled_atanh(1, 3), _doubled_atanh(2**k - number, 2**k + number)
    return Fraction(k * two - rest - LOG_SLACK, LOG_UNIT), Fraction(k * (two + LOG_SLACK) - rest, LOG_UNIT)


def _doubled_atanh(above: int, below: int) -> int:
    """2 atanh(above / below) in units of 1/LOG_UNIT, for a ratio of at most 1/3: never too large, short by less than LOG_SLACK.

    Floors cost a term less than 3 units, and after 51 terms at most the powers vanish.
    """
    power, total, odd = LOG_UNIT * above // below, 0, 1
    while power:
        total += power // odd
        odd, power = odd + 2, power * above * above // (below * below)
    return 2 * total


def smallest_repair(
    shrunk: Callable[[float], Repaired],
    valid: Callable[[Repaired], bool],
    *,
    finest: int = FINEST,
    coarsest: int = COARSEST,
) -> Repaired | None:
    """The first valid one of `shrunk(2**-finest)`, ..., `shrunk(2**-coarsest)`: the price of rounding, paid and not forgiven.

    `valid` decides in exact arithmetic. None when even the coarsest repair does not do.
    """
    for exponent in range(finest, coarsest - 1, -1):
        repaired = shrunk(2.0**-exponent)
        if valid(repaired):
            return repaired
    return None
