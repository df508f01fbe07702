"""Deadlines and speeds: hand-computed cases, and what one wrong measurement may do."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.pretrain.deadlines import FASTEST, SPEED_SCALE, Speed, deadline, median

SECOND = 10**9
TIMES = st.integers(1, 10**13)


@given(st.lists(st.integers(-(10**15), 10**15), min_size=1))
def test_the_median_is_the_middle_value(values: list[int]) -> None:
    assert median(values) == (statistics.median_low(values) + statistics.median_high(values)) // 2


def test_there_is_no_median_of_nothing() -> None:
    with pytest.raises(ValueError, match="nothing"):
        median([])


def wait(*seconds: float, mads: float = 6, floor: float = 0, ceiling: float = 1_000) -> float:
    offsets = [round(second * SECOND) for second in seconds]
    return deadline(offsets, mads=mads, floor=round(floor * SECOND), ceiling=round(ceiling * SECOND)) / SECOND


@pytest.mark.parametrize(
    ("offsets", "mads", "waits"),
    [
        ((10, 11, 12, 13, 14), 6, 12 + 6 * 1.5),  # MAD 1 is less than an eighth of the median
        ((8, 10, 16, 22, 24), 2, 16 + 2 * 6),
        ((8, 10, 16, 22, 900), 2, 16 + 2 * 6),  # how late the latest is does not matter
        ((8, 8, 8, 8), 6, 8 + 6 * 1),  # all at the same instant
        ((2, 4, 6, 8), 1, 5 + 2),  # even counts: the mean of the two in the middle
    ],
)
def test_a_deadline_is_the_median_and_some_deviations(offsets: tuple[float, ...], mads: float, waits: float) -> None:
    assert wait(*offsets, mads=mads) == waits


def test_too_few_arrivals_say_nothing() -> None:
    assert wait(1, 1, 1, ceiling=60) == 60
    assert wait(ceiling=60) == 60
    assert deadline([], mads=1, floor=0, ceiling=7, least=0) == 7
    assert wait(1, 1, 1, 1, ceiling=60) < 2


def test_floor_and_ceiling_hold_and_the_ceiling_is_stronger() -> None:
    assert wait(1, 1, 1, 1, floor=5) == 5
    assert wait(100, 200, 300, 400, ceiling=150) == 150
    assert wait(1, 1, 1, 1, floor=50, ceiling=10) == 10


@given(st.lists(TIMES, min_size=4, max_size=64), st.floats(1, 100), TIMES, TIMES)
def test_a_deadline_lies_within_its_bounds(offsets: list[int], mads: float, floor: int, ceiling: int) -> None:
    waits = deadline(offsets, mads=mads, floor=floor, ceiling=ceiling)
    assert min(floor, ceiling) <= waits <= ceiling


@given(st.lists(TIMES, min_size=4, max_size=64), st.floats(1, 100))
def test_at_least_half_of_the_members_would_have_been_in_time(offsets: list[int], mads: float) -> None:
    waits = deadline(offsets, mads=mads, floor=0, ceiling=10**18)
    assert 2 * sum(offset <= waits for offset in offsets) >= len(offsets)


@given(st.lists(st.integers(10**9, 2 * 10**9), min_size=9, max_size=64), st.lists(TIMES, min_size=4, max_size=4))
def test_a_minority_of_late_members_cannot_stretch_the_deadline_at_will(punctual: list[int], late: list[int]) -> None:
    offsets = punctual + late
    # Fewer than half are outside of 1 to 2 s, so the median lies inside, and so does the median distance from it.
    assert deadline(offsets, mads=6, floor=0, ceiling=10**18) <= 2 * 10**9 + 6 * 10**9


def measured(*rates: float, units: int = 1) -> Speed:
    """Measurements in units per second."""
    speed = Speed()
    for rate in rates:
        speed = speed.measured(units, round(units * SECOND / rate))
    return speed


def test_the_first_measurement_is_believed() -> None:
    assert measured(4).estimate == 4 * SPEED_SCALE


def test_units_are_counted() -> None:
    assert Speed().measured(12, 3 * SECOND).estimate == 4 * SPEED_SCALE


def test_a_lasting_change_is_seen_after_some_rounds() -> None:
    assert measured(4, 4, 4, 8).estimate == 4 * SPEED_SCALE, "one alone is not believed"
    assert measured(4, 4, 4, 8, 8).estimate == 5 * SPEED_SCALE
    assert measured(4, 4, 4, 8, 8, 8).estimate == 5.75 * SPEED_SCALE
    assert measured(4, 4, 4, *[8] * 11).estimate > 7.7 * SPEED_SCALE


@given(st.integers(1, 1_000), st.integers(2, 9), TIMES)
def test_one_wrong_measurement_among_right_ones_moves_nothing(rate: int, before: int, outlier: int) -> None:
    speed = measured(*[rate] * before)
    wrong = speed.measured(1, outlier)
    assert wrong.estimate == speed.estimate
    assert wrong.measured(1, round(SECOND / rate)).estimate == speed.estimate


@given(st.integers(1, FASTEST), st.integers(1, FASTEST))
def test_what_is_measured_again_and_again_is_reached_exactly(first: int, rate: int) -> None:
    elapsed = SPEED_SCALE * SECOND
    speed = Speed().measured(first, elapsed)
    for _ in range(400):
        speed = speed.measured(rate, elapsed)
    assert speed.estimate == max(rate * SPEED_SCALE * SECOND // elapsed, 1)


def test_nothing_done_tells_nothing() -> None:
    speed = measured(4)
    assert speed.measured(0, SECOND) == speed
    assert speed.measured(3, 0) == speed
    assert speed.measured(3, -SECOND) == speed, "a clock that went backwards"


@given(st.integers(1, 10**30), st.integers(1, 10**30))
def test_a_known_speed_is_positive_and_bounded(units: int, elapsed: int) -> None:
    assert 1 <= Speed().measured(units, elapsed).estimate <= FASTEST


def test_who_is_given_nothing_is_hoped_for_until_it_is_tried_again() -> None:
    speed = measured(0.001)
    assert Speed().rested() == Speed(), "who was never measured is thought average, not fast"
    for _ in range(60):
        speed = speed.rested()
    assert speed.estimate > 1 * SPEED_SCALE
    for _ in range(1_000):
        speed = speed.rested()
    assert speed.estimate == FASTEST
