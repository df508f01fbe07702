import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.evolve.display.wording import (
    aligned,
    amount,
    duration,
    number,
    one_line,
    rate,
    reason,
    say_standing,
    small,
    standing,
)


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


def test_standing_knows_the_direction() -> None:
    assert standing(2.0, 1.0, maximize=True) == ("ahead", 1.0)
    assert standing(2.0, 1.0, maximize=False) == ("behind", -1.0)
    assert say_standing(standing(1.0, 1.25, maximize=False)) == "ahead by 0.25"
    assert say_standing(standing(1.0, 1.25, maximize=False), "Ann") == "ahead of Ann by 0.25"
    assert say_standing(standing(1.5, 1.25, maximize=False), "Ann") == "behind Ann by 0.25"
    assert say_standing(standing(1.0, 1.0, maximize=False), "Ann") == "level with Ann"


def test_a_rounded_known_value_is_level_to_the_digits_it_has() -> None:
    assert standing(2.63598308534, 2.6359830853, maximize=True).word == "level"
    assert standing(2.63598308536, 2.6359830853, maximize=True).word == "ahead"
    assert standing(593.2, 593.0, maximize=True).word == "ahead"
    assert standing(207.452, 207.45, maximize=False).word == "behind"


def test_a_verdict_that_would_puzzle_is_put_in_words() -> None:
    assert [reason("nothing"), reason("raised")] == ["no proposal", "raised"]


def test_one_line_holds_no_escape_and_no_line_end() -> None:
    assert one_line("a\x1b[31mred\nb\u202ec") == "a·[31mred b·c"
    assert one_line("x" * 50, 10) == "x" * 9 + "…"


@given(st.floats(), st.floats(), st.booleans(), st.text())
def test_there_are_words_for_every_value(value: float, other: float, maximize: bool, text: str) -> None:
    for words in (
        number(value),
        small(value),
        duration(value),
        rate(value),
        amount(value),
        say_standing(standing(value, other, maximize=maximize)),
        *aligned([value, other]),
        one_line(text),
    ):
        assert "\n" not in words
        assert len(words) <= 400
    if math.isfinite(value):
        assert float(number(value, 17)) == value
