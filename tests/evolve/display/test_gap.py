import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.evolve.display.gap import GapScale

values = st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=20)


def test_the_last_digits_get_room_near_the_target() -> None:
    scale = GapScale.over([0.96, 2.63, 2.6358627564, 2.6359830853], maximize=True)
    assert scale.logarithmic
    heights = [scale(v) for v in (0.96, 2.63, 2.6358627564, 2.6359830853)]
    assert heights[0] == 0.0
    assert heights[-1] == 1.0
    assert heights[2] - heights[1] > 0.2
    assert heights[3] - heights[2] > 0.1


def test_values_of_one_magnitude_stay_on_a_plain_scale() -> None:
    scale = GapScale.over([1.0, 2.0, 3.0], maximize=False)
    assert not scale.logarithmic
    assert [scale(v) for v in (1.0, 2.0, 3.0)] == [1.0, 0.5, 0.0]
    assert scale.decades() == []


def test_decades_are_the_powers_of_ten_between_the_gaps() -> None:
    scale = GapScale.over([10.0, 10.5, 10.002], maximize=False)
    assert scale.decades() == pytest.approx([0.1, 0.01])
    assert scale.at_gap(0.1) == 10.1


@given(values, st.booleans())
def test_heights_are_in_range_and_better_is_never_lower(shown: list[float], maximize: bool) -> None:
    scale = GapScale.over(shown, maximize=maximize)
    finite = sorted((v for v in shown if math.isfinite(v)), reverse=not maximize)
    heights = [scale(v) for v in finite]
    assert all(0.0 <= height <= 1.0 for height in [*heights, *map(scale, shown)])
    assert heights == sorted(heights)
    if finite:
        assert heights[-1] == 1.0
    assert len(scale.decades()) <= 14
