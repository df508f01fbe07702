"""Thresholds: found for a pair, chosen from scores, and bounded exactly."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from quiltwork.audit.calibration import assess, choose, proportion, trials_needed
from quiltwork.audit.threshold import Kind, Measured, Thresholds

SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=40)
HONEST = [1.0, 0.99, 0.975, 0.998]
CHEATS = [0.916, 0.5, 0.0, 0.77]


@given(st.integers(0, 300), st.integers(0, 300), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_bounds_are_those_of_clopper_and_pearson(happened: int, missed: int, confidence: float) -> None:
    trials = happened + missed
    if trials == 0:
        assert (proportion(0, 0).low, proportion(0, 0).high) == (0, 1)
        return
    expected = binomtest(happened, trials).proportion_ci(confidence, method="exact")
    found = proportion(happened, trials, confidence)
    assert found.low == pytest.approx(expected.low, abs=1e-9)
    assert found.high == pytest.approx(expected.high, abs=1e-9)
    assert found.low <= found.share <= found.high


@pytest.mark.parametrize("truth", [0.02, 0.3])
def test_bounds_hold_as_often_as_they_promise(truth: float) -> None:
    """Summed over all outcomes of 60 trials, exactly: the probability that the interval holds the truth."""
    covered = sum(
        math.comb(60, k) * truth**k * (1 - truth) ** (60 - k)
        for k in range(61)
        if proportion(k, 60).low <= truth <= proportion(k, 60).high
    )
    assert covered >= 0.95


@pytest.mark.parametrize(
    ("happened", "trials", "low", "high"),
    # For none of n the upper bound is 1 - (0.025)^(1/n), for all of n the lower bound is (0.025)^(1/n).
    [(0, 72, 0.0, 1 - 0.025 ** (1 / 72)), (96, 96, 0.025 ** (1 / 96), 1.0)],
)
def test_what_never_or_always_happened(happened: int, trials: int, low: float, high: float) -> None:
    found = proportion(happened, trials)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_how_many_trials_it_takes_to_promise_a_thousandth() -> None:
    assert trials_needed(0.001) == 3_688
    assert proportion(0, 3_688).high <= 0.001 < proportion(0, 3_687).high


def test_what_cannot_be_bounded_is_an_error() -> None:
    for happened, trials, confidence in ((2, 1, 0.95), (-1, 1, 0.95), (0, 1, 0.0), (0, 1, 1.0)):
        with pytest.raises(ValueError):
            proportion(happened, trials, confidence)
    for rate, confidence in ((0, 0.9), (1, 0.9), (0.5, 1)):
        with pytest.raises(ValueError):
            trials_needed(rate, confidence)
    assert math.isnan(proportion(0, 0).share)


def test_a_threshold_lies_in_the_middle_between_the_honest_and_the_cheats() -> None:
    assert choose(HONEST, CHEATS) == pytest.approx((0.916 + 0.975) / 2)
    worth = assess(choose(HONEST, CHEATS), HONEST, CHEATS)
    assert (worth.false_accusation.happened, worth.detection.happened) == (0, 4)


def test_where_they_overlap_the_honest_are_spared() -> None:
    assert choose([0.9, 0.95, 1.0], [0.2, 0.92, 0.97]) == pytest.approx((0.2 + 0.9) / 2)


def test_some_honest_may_be_accused_if_that_is_allowed() -> None:
    """Of a thousand honest scores one is an outlier below the cheats: a share of 0.001 is exactly that one."""
    honest = [0.5] + [0.99] * 999
    assert choose(honest, [0.8], most_accused=0.001) == pytest.approx((0.8 + 0.99) / 2)
    assert choose(honest, [0.8], most_accused=0.0005) < 0.5


def test_without_cheats_a_threshold_is_below_the_honest() -> None:
    assert choose([0.9, 1.0], []) == pytest.approx(0.45)
    assert choose([0.0, 1.0], [0.5]) == 0.0, "whoever accuses no honest score of 0 must accuse nobody"


@given(SCORES, SCORES, st.floats(0, 1))
def test_a_chosen_threshold_never_accuses_more_than_is_allowed(
    honest: list[float], cheats: list[float], allowed: float
) -> None:
    worth = assess(choose(honest, cheats, most_accused=allowed), honest, cheats)
    assert worth.false_accusation.share <= allowed


@given(SCORES, SCORES)
def test_no_other_threshold_that_is_fair_catches_more(honest: list[float], cheats: list[float]) -> None:
    best = assess(choose(honest, cheats, most_accused=0), honest, cheats).detection.happened
    assert best == sum(score < min(honest) for score in cheats)


def test_scores_are_similarities() -> None:
    for honest, cheats in (([1.5], [0.1]), ([0.9], [-0.1]), ([math.nan], [0.1]), ([], [0.1])):
        with pytest.raises(ValueError):
            choose(honest, cheats)
    assert assess(0.5, [math.nan, 0.5], [math.nan]).false_accusation.happened == 1


CPU, BF16, GPU = Kind(), Kind(dtype="bf16"), Kind(dtype="bf16", device="cuda:sm_90")


def test_a_threshold_is_found_for_a_pair_in_either_order() -> None:
    table = Thresholds(
        measured=(
            Measured(one=CPU, other=GPU, threshold=0.9),
            Measured(one=BF16, other=BF16, threshold=0.93),
            Measured(one=GPU, other=CPU, threshold=0.1),
        ),
        otherwise=0.97,
    )
    assert table.find(CPU, GPU) == table.find(GPU, CPU) == 0.9, "the first entry counts"
    assert table.find(BF16, BF16) == 0.93
    assert table.find(CPU, BF16) == 0.97
    assert Thresholds().find(CPU, CPU) is None, "what was not written is not made up"
