import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.text.numbers import aligned, amount, duration, number, rate, size, small


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "40 ms"),
        (0.0, "0.0 s"),
        (0.34, "0.3 s"),
        (9.96, "10 s"),
        (59.7, "1 min 00 s"),
        (185, "3 min 05 s"),
        (7_620, "2 h 07 min"),
        (356_400, "4 d 03 h"),
        (float("nan"), "?"),
        (-1, "?"),
    ],
)
def test_durations_have_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_values_in_a_column_have_the_same_decimals() -> None:
    assert aligned([2.6358627564, 2.63598, 2.0]) == ["2.6358627564", "2.6359800000", "2.0000000000"]
    assert aligned([207.45, 208.0]) == ["207.45", "208.00"]
    assert aligned([593.0, 592.0]) == ["593", "592"]
    assert aligned([]) == []
    assert aligned([float("nan"), 1.5]) == ["nan", "1.5"]


def test_a_difference_keeps_three_digits() -> None:
    assert small(0.000114639) == "1.15e-04"
    assert small(0.0203) == "0.0203"
    assert small(12.0) == "12"


def test_amounts_are_short() -> None:
    assert [amount(v) for v in (184.23, 3.25, 12.0, 12_345.0, 1e15)] == ["184", "3.2", "12", "12,345", "1e+15"]


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (23_456_789, "23.5 MB"), (4e13, "40.0 TB")]
)
def test_sizes_go_by_powers_of_a_thousand(count: float, text: str) -> None:
    assert size(count) == text


@given(st.floats(), st.floats())
def test_there_are_words_for_every_value(value: float, other: float) -> None:
    for words in (
        number(value),
        small(value),
        duration(value),
        rate(value),
        amount(value),
        size(value),
        *aligned([value, other]),
    ):
        assert "\n" not in words
        assert len(words) <= 400
    if math.isfinite(value):
        assert float(number(value, 17)) == value
