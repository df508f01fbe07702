from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.pretrain.data.mixture import LONGEST_PERIOD, schedule
from quiltwork.pretrain.data.tokens import DataError

weights_of_mixtures = st.one_of(
    st.lists(st.integers(1, 40), min_size=1, max_size=12),
    st.lists(st.floats(0.01, 1.0).map(lambda x: round(x, 2)), min_size=1, max_size=5),
)


@settings(max_examples=25, deadline=None)
@given(weights=weights_of_mixtures)
def test_after_every_draw_every_source_has_its_share_to_within_one(weights: list[float]) -> None:
    order = schedule(weights)
    if order.period < LONGEST_PERIOD:  # the weights are met exactly, as they are written
        whole = sum(Fraction(str(weight)) for weight in weights)
        assert [Fraction(part, order.period) for part in order.parts] == [Fraction(str(w)) / whole for w in weights]
    drawn = np.eye(len(weights), dtype=np.int64)[order.order].cumsum(axis=0)
    shares = np.outer(np.arange(1, order.period + 1), order.parts) / order.period
    assert np.abs(drawn - shares).max() < 1
    assert tuple(drawn[-1]) == order.parts


@settings(max_examples=25, deadline=None)
@given(weights=weights_of_mixtures, data=st.data())
def test_draws_of_a_source_are_numbered_without_gaps_at_any_place(weights: list[float], data: st.DataObject) -> None:
    order = schedule(weights)
    count = min(3 * order.period, 500)
    sources, numbers = order.locate(np.arange(count))
    for source in range(len(weights)):
        assert numbers[sources == source].tolist() == list(range(int((sources == source).sum())))
    assert order.counts(count) == tuple(np.bincount(sources, minlength=len(weights)).tolist())
    far = data.draw(st.integers(0, 2**50))
    source, number = (int(found[0]) for found in order.locate(np.array([far])))
    assert number == order.counts(far)[source]
    assert order.counts(far + 1)[source] == number + 1


def test_a_mixture_by_tokens_has_the_shortest_period() -> None:
    order = schedule([14e12, 4e12, 1e12])
    assert order.parts == (14, 4, 1)
    assert np.bincount(order.order).tolist() == [14, 4, 1]


def test_shares_that_need_a_long_period_are_rounded_to_the_nearest_part() -> None:
    order = schedule([13_987_654_321.0, 4_012_345_678.0, 0.5e9])
    assert order.period <= LONGEST_PERIOD
    whole = 13_987_654_321 + 4_012_345_678 + 500_000_000
    for part, weight in zip(order.parts, (13_987_654_321, 4_012_345_678, 500_000_000), strict=True):
        assert abs(part / order.period - weight / whole) < 1 / LONGEST_PERIOD


def test_a_share_that_rounds_to_nothing_is_refused() -> None:
    with pytest.raises(DataError, match=r"weight of source 1 .* less than 1/16,384"):
        schedule([1e9, 1.0])
