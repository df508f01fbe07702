"""Axes, labels and curves, without a browser."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from itertools import combinations

import pytest

from quiltwork.pretrain.compare.axes import Axis, byte_axis, loss_axis, time_axis
from quiltwork.pretrain.compare.chart import NARROW, SHAPES, WIDE, Across, Size, chart
from quiltwork.pretrain.compare.contestants import ALL
from quiltwork.pretrain.compare.labels import Box, placed
from quiltwork.text.numbers import size
from tests.pretrain.compare.made import curve, seven

SENT = Across("bytes", lambda curve, point: point.sent, byte_axis, size)


@pytest.mark.parametrize(
    ("make", "values", "most", "marks"),
    [
        (byte_axis, [3e3, 9e7], 6, ["10 kB", "100 kB", "1 MB", "10 MB"]),
        (byte_axis, [3e3, 9e7], 2, ["100 kB", "10 MB"]),
        (byte_axis, [0, 5, 2e12], 9, ["100 B", "10 kB", "1 MB", "100 MB", "10 GB", "1 TB"]),
        (time_axis, [0.02, 4_000], 9, ["0.1 s", "1 s", "10 s", "1 min", "10 min", "1 h"]),
        (time_axis, [50, 1e6], 9, ["1 min", "10 min", "1 h", "10 h", "1 d", "10 d"]),
        (loss_axis, [2.0, 5.5], 7, ["2", "3", "4", "5"]),
        (loss_axis, [2.21, 2.24], 7, ["2.21", "2.215", "2.22", "2.225", "2.23", "2.235", "2.24"]),
        (loss_axis, [0.013, 0.4], 7, ["0.1", "0.2", "0.3", "0.4"]),
    ],
)
def test_marks_are_where_people_would_put_them(
    make: Callable[..., Axis], values: list[float], most: int, marks: list[str]
) -> None:
    axis = make(values, 0, 100, most)
    assert [text for _, text in axis.marks] == marks
    assert all(axis.low <= value <= axis.high for value, _ in axis.marks)


@pytest.mark.parametrize("values", [[], [0.0], [7.0], [7.0, 7.0], [math.nan, math.inf]])
def test_an_axis_can_be_made_of_anything(values: list[float]) -> None:
    for make in (byte_axis, time_axis, loss_axis):
        axis = make(values, 40, 400, 5)
        assert 40 <= axis(7.0) <= 400


def test_equal_factors_are_equal_distances_and_nothing_is_outside() -> None:
    axis = Axis(1.0, 1_000.0, 100.0, 40.0)
    assert [axis(value) for value in (1, 10, 100, 1_000)] == pytest.approx([100, 80, 60, 40])
    assert (axis(0.001), axis(1e9)) == (100.0, 40.0)


GROUND = Box(0, 0, 400, 300)


@pytest.mark.parametrize(
    "ends",
    [
        [(100, 150), (100, 152), (100, 151), (101, 150)],
        [(390, 150), (391, 150), (10, 10), (10, 290)],
        [(200, 290), (200, 291), (200, 289), (200, 288), (200, 287), (200, 286), (200, 285)],
    ],
)
def test_names_stand_beside_their_ends_and_not_on_each_other(ends: list[tuple[float, float]]) -> None:
    names = [contestant.label for contestant in ALL[: len(ends)]]
    labels = placed(names, [[(0.0, 0.0), end] for end in ends], GROUND)
    assert [label.text for label in labels] == names
    for label, end in zip(labels, ends, strict=True):
        assert label.end == end
        assert min(abs(label.box.left - end[0]), abs(label.box.right - end[0])) < 10
        assert label.box.left >= 0
        assert label.box.right <= 400
    assert not any(one.box.meets(other.box) for one, other in combinations(labels, 2))


def test_a_name_keeps_off_a_curve() -> None:
    ends = [[(0.0, 0.0), (100.0, 150.0)], [(0.0, 150.0), (60.0, 150.0), (400.0, 150.0)]]
    first, _ = placed(["a curve", "another"], ends, GROUND)
    assert not first.box.holds((first.x + 1, 150.0))


def test_where_there_is_no_room_a_name_stands_at_its_end() -> None:
    (label,) = placed(["a name that is wider than all"], [[(0.0, 0.0), (20.0, 20.0)]], Box(0, 0, 30, 30))
    assert label.y == 20.0


@pytest.mark.parametrize("wide", [WIDE, NARROW], ids=["wide", "narrow"])
def test_a_chart_has_every_curve_its_mark_and_its_name_within_its_frame(wide: Size) -> None:
    drawn = chart(seven(), SENT, wide)
    assert drawn.count("<polyline") == 7
    for contestant in ALL:
        assert re.search(rf'class="curve {contestant.name}"', drawn)
        assert re.search(rf'class="mark {contestant.name}"', drawn)
        assert f">{contestant.label}</text>" in drawn
    places = [
        tuple(map(float, pair.split(",")))
        for points in re.findall(r'points="([^"]*)"', drawn)
        for pair in points.split()
    ]
    assert all(0 <= x <= wide.width and 0 <= y <= wide.height for x, y in places)
    assert not re.search(r"nan|inf", re.sub(r">[^<]*<", "><", drawn))


def test_every_contestant_has_a_shape_of_its_own() -> None:
    assert len(set(SHAPES)) == len(SHAPES) == len(ALL)


def test_a_chart_can_be_drawn_of_what_has_hardly_begun_or_went_wrong() -> None:
    just = curve("adamw", (0, 5.5, 0, 0.0))
    one = curve("demo", (0, 5.5, 0, 0.0), (1, 5.4, 100, 0.1))
    lost = curve("distro", (0, 5.5, 0, 0.0), (1, math.nan, 100, 0.1), diverged="The loss is nan.")
    drawn = chart([just, one, lost], SENT, WIDE)
    assert drawn.count("<polyline") == 1
    assert chart([just], SENT, NARROW).count("<polyline") == 0


def test_what_is_said_of_a_point_is_what_was_measured() -> None:
    drawn = chart([curve("demo", (0, 5.5, 0, 0.0), (1, 5.25, 1_500, 0.1), (2, 5.0, 3_000, 0.2))], SENT, WIDE)
    assert "DeMo, step 1: loss 5.25 after 1.5 kB" in drawn
    assert "DeMo: loss 5 after 3.0 kB" in drawn
