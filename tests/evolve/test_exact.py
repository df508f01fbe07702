from __future__ import annotations

import math
from decimal import Context, Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.evolve.exact import (
    doubled_area,
    float_above,
    float_below,
    integers,
    log_bounds,
    numbers,
    smallest_repair,
    squared_distance,
    total,
)
from quiltwork.evolve.score import InvalidScore

finite = st.floats(allow_nan=False, allow_infinity=False)
fractions = st.fractions(min_value=-1000, max_value=1000)
points = st.tuples(st.integers(-(2**60), 2**60), st.integers(-(2**60), 2**60))


@given(st.lists(st.lists(finite, min_size=2, max_size=2), min_size=1, max_size=5))
def test_integers_are_the_floats_times_one_power_of_two(table: list[list[float]]) -> None:
    exact, scale = integers(table)
    assert scale & (scale - 1) == 0
    assert [[Fraction(value, scale) for value in row] for row in exact] == [[Fraction(v) for v in row] for row in table]


@given(fractions)
def test_a_rational_lies_between_neighbouring_floats(value: Fraction) -> None:
    below, above = float_below(value), float_above(value)
    assert Fraction(below) <= value <= Fraction(above)
    assert above in (below, math.nextafter(below, math.inf))


@given(st.lists(finite.filter(lambda v: abs(v) < 1e300), max_size=8))
def test_a_total_is_exact_in_any_order(values: list[float]) -> None:
    assert total(values) == total(reversed(values)) == sum(map(Fraction, values))


@given(points, points, points)
def test_the_area_of_a_triangle_changes_its_sign_with_its_orientation(
    p: tuple[int, int], q: tuple[int, int], r: tuple[int, int]
) -> None:
    assert doubled_area(p, q, r) == doubled_area(q, r, p) == -doubled_area(q, p, r)


def test_points_on_a_line_have_no_area_where_floats_would_see_one() -> None:
    line = [[0.1, 0.1], [0.2, 0.2], [0.7, 0.7]]
    assert doubled_area(*integers(line)[0]) == 0


def test_distances_are_exact_in_three_dimensions() -> None:
    (p, q), scale = integers([[0.1, 0.2, 0.3], [0.4, 0.5, 0.7]])
    wanted = sum((Fraction(a) - Fraction(b)) ** 2 for a, b in ((0.1, 0.4), (0.2, 0.5), (0.3, 0.7)))
    assert Fraction(squared_distance(p, q), scale**2) == wanted


@pytest.mark.parametrize(
    "data",
    [
        np.zeros((2, 3)),
        np.zeros((2, 3), dtype=int),
        [[0, 0, 0], [0.0, 0.0, 0.0]],
        [np.zeros(3), (0.0, 0.0, 0.0)],
    ],
)
def test_tables_of_real_numbers_are_taken_in_any_form(data: object) -> None:
    assert numbers(data, 2, 3, "it") == [[0.0] * 3] * 2


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (None, "NoneType"),
        ("ab", "str of 2"),
        ({"a": 1}, "dict of 1"),
        (np.zeros((3, 2)), "list of 3"),
        (np.zeros((2, 3), dtype=complex), "complex"),
        (np.zeros((2, 3), dtype=bool), "bool"),
        (np.zeros(2), "row 0 is float"),
        ([[0.0, 0.0, math.nan], [0.0] * 3], "row 0 holds nan"),
        ([[0.0] * 3, [0.0, -math.inf, 0.0]], "row 1 holds -inf"),
        ([[0.0] * 3, [0.0, 0.0, 1j]], "no real number"),
        ([[0.0] * 3, [0.0, 0.0, True]], "no real number"),
        ([[0.0] * 3, [0.0, 0.0, "1"]], "no real number"),
        ([[0.0] * 3, [0.0, 0.0, 10**400]], "too large"),
        ([[0.0] * 3, [0.0] * 4], "row 1 is list of 4"),
        ([[0.0] * 3], "list of 1"),
    ],
)
def test_anything_else_is_refused_with_the_reason(data: object, reason: str) -> None:
    with pytest.raises(InvalidScore, match=r"it must be 2 rows of 3 numbers") as refusal:
        numbers(data, 2, 3, "it")
    assert reason in str(refusal.value)


def test_the_smallest_repair_that_is_valid_is_taken() -> None:
    assert smallest_repair(lambda by: 1.0 + by, lambda value: value >= 1.0 + 2.0**-40) == 1.0 + 2.0**-40


def test_what_no_small_repair_mends_is_not_mended() -> None:
    assert smallest_repair(lambda by: by, lambda value: value > 1e-3) is None


@given(st.integers(1, 10**30))
def test_a_logarithm_lies_between_its_rational_bounds(number: int) -> None:
    below, above = log_bounds(number)
    exact = Fraction(Context(prec=60).ln(Decimal(number)))
    assert below <= exact <= above
    assert above - below < Fraction(1, 10**40)


def test_zero_has_no_logarithm() -> None:
    with pytest.raises(ValueError, match="0 has no logarithm"):
        log_bounds(0)
