"""Bloom filters: the formula, what is measured against it, and what Psyche's fixed size costs."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.pretrain.bitmap import byte_length
from quiltwork.pretrain.bloom import MAX_BITS, MAX_HASHES, PSYCHE, Bloom, Shape

ITEMS = st.lists(st.binary(max_size=40), max_size=40)


def items(kind: str, count: int) -> list[bytes]:
    return [f"{kind} {number}".encode() for number in range(count)]


def measured_rate(shape: Shape, count: int, tries: int = 20_000) -> float:
    filled = Bloom.of(shape, items("present", count))
    return sum(item in filled for item in items("absent", tries)) / tries


@pytest.mark.parametrize(
    ("count", "rate", "bits", "hashes"),
    # By hand about 9.585 bits and 6.64 hashes for an item at 1 %, 14.38 and 9.97 at 0.1 %, 1.44 and 1 at 1/2; whole numbers of
    # hashes take a little more.
    [(100, 0.01, 960, 7), (256, 0.01, 2_457, 7), (1_000, 0.001, 14_379, 10), (100, 0.5, 145, 1)],
)
def test_the_least_size_for_a_rate(count: int, rate: float, bits: int, hashes: int) -> None:
    assert Shape.for_items(count, rate) == Shape(bits, hashes)


@given(st.integers(1, 10_000), st.floats(1e-6, 0.5))
def test_a_chosen_size_keeps_its_promise(count: int, rate: float) -> None:
    shape = Shape.for_items(count, rate)
    assert shape.false_positive_rate(count) <= rate * (1 + 1e-9)
    smaller = [Shape(shape.bits - 1, hashes) for hashes in range(1, MAX_HASHES + 1) if shape.bits > 1]
    assert all(each.false_positive_rate(count) > rate * (1 - 1e-9) for each in smaller), "it is the least that keeps it"


@pytest.mark.parametrize(("count", "rate"), [(64, 0.01), (256, 0.01), (1_000, 0.05)])
def test_the_measured_rate_is_that_of_the_formula(count: int, rate: float) -> None:
    shape = Shape.for_items(count, rate)
    expected = shape.false_positive_rate(count)
    # One filter's own rate scatters about the expected one, and 20,000 tries scatter about that: four of both together.
    scatter = 4 * math.sqrt(expected / 20_000) + 0.2 * expected
    assert abs(measured_rate(shape, count) - expected) < scatter


@pytest.mark.parametrize(("clients", "rate"), [(16, 3.6e-8), (64, 0.000576), (128, 0.0255), (256, 0.3128)])
def test_psyches_fixed_size_saturates(clients: int, rate: float) -> None:
    assert PSYCHE.false_positive_rate(clients) == pytest.approx(rate, rel=0.02)


def test_at_256_clients_psyches_filter_claims_a_third_of_what_is_not_there() -> None:
    assert measured_rate(PSYCHE, 256) == pytest.approx(0.31, abs=0.04)
    assert measured_rate(Shape.for_items(256, 0.01), 256) < 0.02
    assert Shape.for_items(256, 0.01).bits > 9 * 8 * byte_length(256), "while the exact bitmap has no false positives"


def test_psyches_size_keeps_its_one_per_cent_up_to_105_clients() -> None:
    assert PSYCHE.false_positive_rate(105) < 0.01 < PSYCHE.false_positive_rate(106)


@given(ITEMS, st.integers(1, 500), st.integers(1, 20))
def test_what_was_put_in_is_always_there(present: list[bytes], bits: int, hashes: int) -> None:
    filled = Bloom.of(Shape(bits, hashes), present)
    assert all(item in filled for item in present)
    assert Bloom.from_bytes(filled.shape, filled.to_bytes()) == filled


@given(ITEMS, ITEMS, st.integers(1, 300))
def test_merged_filters_hold_what_both_hold(one: list[bytes], other: list[bytes], bits: int) -> None:
    shape = Shape(bits, 3)
    assert Bloom.of(shape, one) | Bloom.of(shape, other) == Bloom.of(shape, one + other)


def test_a_filter_is_the_same_on_every_machine() -> None:
    assert Bloom.of(Shape(64, 4), [b"a", b"b"]).to_bytes().hex() == "0600081500010080"


def test_an_empty_filter_holds_nothing() -> None:
    assert b"anything" not in Bloom(PSYCHE)
    assert PSYCHE.false_positive_rate(0) == 0


def test_what_cannot_be_a_filter_is_an_error() -> None:
    for bits, hashes in ((0, 1), (1, 0), (MAX_BITS + 1, 1), (8, MAX_HASHES + 1)):
        with pytest.raises(ValueError, match="a filter has"):
            Shape(bits, hashes)
    for count, rate in ((0, 0.1), (5, 0.0), (5, 1.0), (5, math.nan)):
        with pytest.raises(ValueError, match="no filter"):
            Shape.for_items(count, rate)
    with pytest.raises(ValueError, match="a filter has"):
        Shape.for_items(10**9, 0.01)
    for data in (b"", bytes(3), b"\xff\xff"):
        with pytest.raises(ValueError, match="no filter of 10 bits"):
            Bloom.from_bytes(Shape(10, 1), data)
    with pytest.raises(ValueError, match="different shapes"):
        Bloom(Shape(8, 1)) | Bloom(Shape(8, 2))
