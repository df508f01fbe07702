"""Assignment: every unit once, to everybody as much as they can do."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.pretrain.assignment import Assignment, apportion, assign, filled

WEIGHTS = st.lists(st.integers(1, 10**15), min_size=1, max_size=40)
SEED = bytes(range(32))


@pytest.mark.parametrize(
    ("weights", "total", "most", "shares"),
    [
        ([1, 1, 1], 9, 99, [3, 3, 3]),
        ([1, 1, 1], 10, 99, [4, 3, 3]),
        ([47_000, 16_000, 15_900, 12_000, 6_000, 3_100], 10, 99, [5, 2, 1, 1, 1, 0]),  # the usual textbook example
        ([3, 1], 8, 4, [4, 4]),
        ([6, 3, 1], 10, 5, [5, 4, 1]),  # what is above 5 is divided 3 to 1
        ([100, 50, 1, 1], 20, 8, [8, 8, 2, 2]),
        ([5, 1], 100, 8, [8, 8]),
        ([5, 1], 0, 8, [0, 0]),
        ([5, 1], 7, 0, [0, 0]),
        ([], 7, 8, []),
    ],
)
def test_shares_by_largest_remainders(weights: list[int], total: int, most: int, shares: list[int]) -> None:
    assert apportion(weights, total, most) == shares


@given(WEIGHTS, st.integers(0, 5_000))
def test_shares_are_proportional_within_one(weights: list[int], total: int) -> None:
    shares = apportion(weights, total, most=total)
    assert sum(shares) == total
    for weight, share in zip(weights, shares, strict=True):
        assert abs(share - Fraction(total * weight, sum(weights))) < 1


@given(WEIGHTS, st.integers(-5, 5_000), st.integers(0, 200))
def test_shares_add_up_within_the_bound_and_the_faster_get_no_less(weights: list[int], total: int, most: int) -> None:
    shares = apportion(weights, total, most)
    assert sum(shares) == min(max(total, 0), most * len(weights))
    assert all(0 <= share <= most for share in shares)
    for weight, share in zip(weights, shares, strict=True):
        assert all(share >= other for lighter, other in zip(weights, shares, strict=True) if lighter < weight)


@given(WEIGHTS, st.integers(1, 5_000), st.integers(1, 200))
def test_who_is_below_the_bound_shares_the_rest_in_proportion(weights: list[int], total: int, most: int) -> None:
    shares = apportion(weights, total, most)
    below = [place for place, share in enumerate(shares) if share < most]
    rest = sum(shares[place] for place in below)
    full = [place for place, share in enumerate(shares) if share == most]
    for place in below:
        exact = Fraction(rest * weights[place], sum(weights[other] for other in below))
        # A member may reach the bound by rounding up, which costs the others less than 1 together for each such member.
        assert abs(shares[place] - exact) < 1 + len(full)


def test_unknown_speeds_are_thought_average() -> None:
    assert filled([0, 10, 2, 0, 4]) == [4, 10, 2, 4, 4]
    assert filled([0, 0]) == [1, 1]
    assert filled([-3, 1, 2]) == [1, 1, 2]
    assert filled([]) == []


@given(
    st.dictionaries(st.binary(max_size=4), st.integers(0, 10**9), max_size=20),
    st.integers(0, 300),
    st.lists(st.integers(0, 999), unique=True, max_size=50),
    st.integers(0, 60),
    st.binary(min_size=32, max_size=32),
)
def test_every_unit_is_given_exactly_once(
    speeds: dict[bytes, int], units: int, lost: list[int], most: int, seed: bytes
) -> None:
    given_out = assign(speeds, units, lost=lost, next_unit=1_000, most=most, seed=seed)
    assert list(given_out.units) == list(speeds)
    handed = sorted(unit for own in given_out.units.values() for unit in own)
    total = min(units, most * len(speeds))
    taken = min(len(lost), total)
    assert (given_out.taken, given_out.fresh) == (taken, total - taken)
    assert handed == sorted([*lost[:taken], *range(1_000, 1_000 + total - taken)])
    assert all(list(own) == sorted(own) for own in given_out.units.values())


def test_lost_units_come_first_and_the_oldest_of_them() -> None:
    round_one = assign({"a": 1, "b": 1}, 3, lost=[40, 7, 9, 8], next_unit=100, most=9, seed=SEED)
    assert sorted(sum(round_one.units.values(), ())) == [7, 9, 40]
    assert (round_one.taken, round_one.fresh) == (3, 0)


def test_an_assignment_is_the_same_on_every_machine() -> None:
    assert assign({"a": 2, "b": 0, "c": 4}, 6, lost=[3], next_unit=10, most=9, seed=SEED) == FROZEN


FROZEN = Assignment({"a": (10,), "b": (13, 14), "c": (3, 11, 12)}, taken=1, fresh=5)


def test_nobody_can_tell_before_the_seed_who_trains_what() -> None:
    holders = set()
    for number in range(64):
        seed = bytes([number]) * 32
        given_out = assign({"a": 1, "b": 1, "c": 1}, 9, lost=(), next_unit=0, most=9, seed=seed)
        holders.add(next(member for member, own in given_out.units.items() if 0 in own))
    assert holders == {"a", "b", "c"}


def test_nobody_to_work_is_no_error() -> None:
    assert assign({}, 5, lost=[1], next_unit=2, most=3, seed=SEED) == Assignment({}, 0, 0)
