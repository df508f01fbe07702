"""Draws: fair, checkable one by one, and nobody's choice."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.audit.draw import MOST_ASKED, draw_panel, is_drawn

SEED = bytes(range(32))
NAMES = st.binary(min_size=1, max_size=8)


def numbered(count: int) -> list[bytes]:
    return [number.to_bytes(4, "little") for number in range(count)]


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5, 0.9])
def test_contributions_are_drawn_at_their_rate(rate: float) -> None:
    drawn = sum(is_drawn(SEED, name, rate) for name in numbered(20_000))
    # four standard deviations of a binomial; the seed is fixed, so this cannot flicker
    assert abs(drawn - 20_000 * rate) < 4 * (20_000 * rate * (1 - rate)) ** 0.5


@given(st.binary(min_size=32, max_size=32), NAMES)
def test_at_rate_one_all_are_drawn_and_at_rate_zero_none(seed: bytes, name: bytes) -> None:
    assert is_drawn(seed, name, 1.0)
    assert is_drawn(seed, name, 7.0)
    assert not is_drawn(seed, name, 0.0)
    assert not is_drawn(seed, name, -1.0)


@given(st.binary(min_size=32, max_size=32), NAMES, st.floats(0, 1), st.floats(0, 1))
def test_who_is_drawn_at_a_rate_is_drawn_at_any_higher_one(seed: bytes, name: bytes, one: float, other: float) -> None:
    if is_drawn(seed, name, min(one, other)):
        assert is_drawn(seed, name, max(one, other))


def test_another_seed_draws_others() -> None:
    names = numbered(400)
    assert {n for n in names if is_drawn(SEED, n, 0.5)} != {n for n in names if is_drawn(bytes(32), n, 0.5)}


@given(st.sets(NAMES, max_size=30), st.sets(NAMES, max_size=5), NAMES, st.integers(0, 40))
def test_a_panel_has_nobody_twice_and_never_the_author(
    eligible: set[bytes], never: set[bytes], name: bytes, most: int
) -> None:
    panel = draw_panel(SEED, name, [eligible], never=never, most=most)
    assert len(panel) == len(set(panel)) == min(len(eligible - never), most)
    assert set(panel) <= eligible - never


@given(st.lists(NAMES, unique=True, max_size=30))
def test_a_panel_does_not_depend_on_how_members_are_listed(eligible: list[bytes]) -> None:
    shuffled = eligible[::-1] + eligible[:3]
    assert draw_panel(SEED, b"c", [eligible], never=()) == draw_panel(SEED, b"c", [shuffled], never=())


@given(st.lists(st.sets(NAMES, max_size=8), max_size=4), st.integers(0, 40))
def test_a_rank_is_asked_before_the_next(ranks: list[set[bytes]], most: int) -> None:
    panel = draw_panel(SEED, b"c", ranks, never=(), most=most)
    rank_of = {member: number for number, rank in reversed(list(enumerate(ranks))) for member in rank}
    assert [rank_of[member] for member in panel] == sorted(rank_of.values())[:most]
    assert len(set(panel)) == len(panel)


def test_a_panel_is_bounded() -> None:
    assert len(draw_panel(SEED, b"c", [numbered(2_000)], never=())) == MOST_ASKED


def test_everybody_has_the_same_chance_of_every_place() -> None:
    members = numbered(6)
    places = [Counter(), Counter(), Counter()]
    for name in numbered(6_000):
        for place, member in zip(places, draw_panel(SEED, name, [members], never=(), most=3), strict=True):
            place[member] += 1
    for place in places:
        # chi-squared with 5 degrees of freedom, 99.9 %
        assert sum((place[member] - 1_000) ** 2 / 1_000 for member in members) < 20.5


def test_who_leaves_does_not_change_the_order_of_the_others() -> None:
    members = numbered(9)
    panel = draw_panel(SEED, b"c", [members], never=())
    for gone in members:
        assert draw_panel(SEED, b"c", [members], never=(gone,)) == tuple(one for one in panel if one != gone)


def test_draws_are_the_same_on_every_machine() -> None:
    assert [int(is_drawn(SEED, name, 0.5)) for name in numbered(12)] == [1, 0, 1, 1, 1, 0, 1, 1, 0, 0, 0, 0]
    assert [panel[0] for panel in draw_panel(SEED, b"c", [numbered(6)], never=())] == [2, 5, 1, 4, 3, 0]
