"""From points to bytes, seconds and the lines of the table."""

from __future__ import annotations

import math

import pytest

from quiltwork.pretrain.compare.comparison import Link
from quiltwork.pretrain.compare.contestants import ALL
from quiltwork.pretrain.compare.series import Point, common_loss, reached, seconds, summaries
from tests.pretrain.compare.made import curve

PROMPT, LATE = ALL[0], ALL[2]
MEGABYTE_LINK = Link(mbit=8 / 0.9)
"""A megabyte a second, when nine tenths of it carry updates."""


@pytest.mark.parametrize(
    ("late", "rounds", "sent", "compute_s", "members", "delay_ms", "took"),
    [
        (False, 0, 0, 0.0, 4, 0.0, 0.0),
        (False, 1, 1_000_000, 0.5, 4, 0.0, 0.5 + 3.0),  # three others send a megabyte each
        (False, 10, 10_000_000, 5.0, 4, 0.0, 10 * 3.5),
        (False, 10, 10_000_000, 5.0, 1, 0.0, 5.0),  # nobody to send to
        (True, 10, 10_000_000, 5.0, 4, 0.0, 10 * 3.0),  # the network works meanwhile
        (True, 10, 1_000_000, 5.0, 4, 0.0, 10 * 0.5),
        (False, 1, 1_000_000, 0.0, 4, 0.0, 3.0),
    ],
)
def test_time_is_computing_and_what_the_link_needs_for_the_bytes(
    late: bool, rounds: int, sent: int, compute_s: float, members: int, delay_ms: float, took: float
) -> None:
    point = Point(rounds, rounds, 2.0, sent, compute_s)
    link = MEGABYTE_LINK.model_copy(update={"delay_ms": delay_ms})
    assert seconds(point, LATE if late else PROMPT, members, link) == pytest.approx(took, abs=1e-6)


def test_a_delay_costs_whoever_exchanges_more_often() -> None:
    link = MEGABYTE_LINK.model_copy(update={"delay_ms": 50.0})
    often, seldom = (seconds(Point(100, rounds, 2.0, 10_000, 1.0), PROMPT, 4, link) for rounds in (100, 10))
    assert often > 5 * seldom


def test_a_loss_is_reached_on_the_line_between_two_points_and_only_the_first_time() -> None:
    points = curve("adamw", (0, 5.0, 0, 0), (1, 3.0, 100, 0), (2, 3.5, 200, 0), (3, 2.5, 300, 0)).points
    assert reached(points, lambda point: point.sent, 4.0) == 50
    assert reached(points, lambda point: point.sent, 3.0) == 100
    assert reached(points, lambda point: point.sent, 2.75) == 275
    assert reached(points, lambda point: point.sent, 1.0) is None


def test_the_common_loss_is_the_worst_of_the_best() -> None:
    quick = curve("adamw", (0, 5.0, 0, 0), (1, 2.0, 100, 0), (2, 2.5, 200, 0))
    slow = curve("demo", (0, 5.0, 0, 0), (2, 3.0, 20, 0))
    lost = curve("distro", (0, 5.0, 0, 0), (1, math.nan, 20, 0), diverged="The loss is nan.")
    worse = curve("diloco", (0, 5.0, 0, 0), (1, 6.0, 20, 0))
    assert common_loss([quick, slow, lost]) == 3.0
    assert common_loss([quick, worse]) is None
    assert common_loss([lost]) is None


def test_the_table_compares_with_dense_adamw() -> None:
    dense = curve("adamw", (0, 5.0, 0, 0), (100, 2.0, 100_000, 1.0))
    sparse = curve("demo", (0, 5.0, 0, 0), (100, 2.5, 1_000, 2.0))
    first, second = summaries([dense, sparse], dense_bytes=1_000, members=4, link=MEGABYTE_LINK)
    assert (first.gap, second.gap) == (0.0, pytest.approx(0.25))
    assert (first.fewer, second.fewer) == (1.0, 100.0)
    assert (first.reach_sent, second.reach_sent) == (pytest.approx(83_333, abs=1), 1_000)
    assert second.step_s == 0.02
    assert second.reach_s == pytest.approx(second.seconds) == pytest.approx(2.0 + 0.003)


def test_without_adamw_there_is_no_gap_and_one_alone_has_only_itself() -> None:
    (line,) = summaries(
        [curve("demo", (0, 5.0, 0, 0), (10, 2.5, 1_000, 2.0))], dense_bytes=1_000, members=4, link=Link()
    )
    assert line.gap is None
    assert line.reach_sent == 1_000


def test_one_that_diverged_has_no_loss_to_compare() -> None:
    lost = curve("demo", (0, 5.0, 0, 0), (1, math.inf, 20, 0.1), diverged="The loss is inf.")
    _, line = summaries([curve("adamw", (0, 5.0, 0, 0), (9, 2.0, 9, 1)), lost], dense_bytes=1, members=4, link=Link())
    assert (line.gap, line.reach_sent, line.reach_s) == (None, None, None)
    assert lost.sound == lost.points[:1]
