from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quiltwork.evolve.polish import search
from quiltwork.evolve.score import InvalidScore
from tests.gallery.direct import Replies, building_blocks, independent_check, module, seed_program, with_block

NAME = "erdos_minimum_overlap"
judge = module(NAME, "evaluate")
polish = module(NAME, "polish")

HALF = [0.5] * 10


def test_constant_one_half_scores_one_half():
    assert judge.evaluate(seed_program(NAME)).metrics == {"overlap": 0.5}


def test_a_block_in_the_middle_overlaps_half_at_most():
    assert judge.evaluate(Replies([0, 1, 1, 0])).metrics == {"overlap": 0.5}


@pytest.mark.parametrize("block", building_blocks(NAME, "construct"))
def test_every_building_block_works_with_and_without_a_start(block):
    candidate = with_block(NAME, "construct", block)
    for start in (None, HALF):
        candidate.start = start
        assert 0.379 < judge.evaluate(candidate).metrics["overlap"] < 0.5


def test_descending_from_a_hill_comes_within_a_thousandth_of_the_best_known():
    assert judge.evaluate(with_block(NAME, "construct", "descend_from_hill")).metrics["overlap"] < 0.3819


@given(st.lists(st.integers(0, 2**50), min_size=1, max_size=10))
def test_overlaps_read_off_one_large_integer_are_the_sums_of_products(heights):
    n = len(heights)
    naive = [
        sum(heights[i + k] * (judge.SHARES - heights[i]) for i in range(n) if 0 <= i + k < n) for k in range(1 - n, n)
    ]
    assert judge.all_overlaps(heights) == naive


@given(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=30))
def test_heights_are_put_right_to_a_mean_of_exactly_one_half(raw):
    heights = polish.projected(np.array(raw))
    shares = judge.in_shares(heights)
    assert 2 * sum(shares) == len(shares) * judge.SHARES
    assert all(0 <= share <= judge.SHARES for share in shares)
    assert np.allclose(np.array(shares, dtype=float) / judge.SHARES, heights, atol=1e-5)


@given(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=20), st.floats(-1e-6, 1e-6))
def test_the_score_is_never_better_than_the_truth(raw, off):
    heights = polish.projected(np.array(raw)) + off
    assume(heights.min() >= 0 and heights.max() <= 1 and abs(heights.mean() - 0.5) <= 1e-6)
    score = judge.evaluate(Replies(heights))
    kept = [Fraction(height) for height in score.construction]
    n = len(kept)
    assert sum(kept) == Fraction(n, 2)
    largest = max(sum(kept[i + k] * (1 - kept[i]) for i in range(n) if 0 <= i + k < n) for k in range(1 - n, n))
    assert Fraction(score.metrics["overlap"]) >= Fraction(2, n) * largest


def test_a_construction_that_is_carried_on_scores_the_same_again():
    first = judge.evaluate(with_block(NAME, "construct", "hill"))
    again = judge.evaluate(Replies(first.construction))
    assert again.metrics == first.metrics
    assert again.construction == first.construction


@pytest.mark.parametrize(
    "reply",
    [
        None,
        [0.5],
        [[0.5, 0.5]],
        [0.5, "0.5"],
        [True, False],
        np.full((2, 2), 0.5),
        np.full(4, 0.5 + 0j),
        np.full(2_001, 0.5),
        [1.5, -0.5],
        [1.0, 1e-300 - 1e-12],
        [0.5, 0.51],
        [0.5, float("nan")],
        [0.5, float("inf")],
        [10**400, 0],
    ],
)
def test_replies_that_are_no_step_function_of_mean_one_half_are_refused(reply):
    with pytest.raises(InvalidScore, match=r"heights?|steps"):
        judge.evaluate(Replies(reply))


def test_the_independent_check_agrees_with_the_certificate(tmp_path):
    checked = independent_check(NAME, judge.certify(HALF), tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert "overlap <= 0.5" in checked.stdout


@pytest.mark.parametrize(
    "change",
    [
        {"value": "3/8"},
        {"data": {"one": 2, "heights": [1, 1, 0]}},
        {"data": {"one": 2, "heights": [3, -1]}},
        {"data": {"one": 0, "heights": [0]}},
        {"data": {"one": 2.0, "heights": [1, 1]}},
    ],
)
def test_the_independent_check_refuses_what_is_wrong(tmp_path, change):
    checked = independent_check(NAME, judge.certify(HALF), tmp_path, change)
    assert checked.returncode == 1
    assert "INVALID" in checked.stderr


def test_the_slopes_of_the_overlaps_are_what_is_measured():
    heights = np.random.default_rng(1).random(9)
    step = 1e-6
    measured = [
        (polish.overlaps(heights + step * unit) - polish.overlaps(heights - step * unit)) / (2 * step)
        for unit in np.eye(9)
    ]
    assert np.allclose(polish.slopes(heights), np.stack(measured, axis=1), atol=1e-8)


def test_descending_never_raises_the_largest_overlap():
    rng = np.random.default_rng(2)
    for _ in range(3):
        heights = polish.projected(rng.random(24))
        lower = polish.descend(heights, steps=8)
        assert polish.overlaps(lower).max() <= polish.overlaps(heights).max()
        assert lower.mean() == pytest.approx(0.5, abs=1e-12)


@pytest.mark.slow
def test_polishing_from_nothing_comes_close_to_the_best_known():
    nlp = polish.problem()
    found = search(nlp, None, np.random.default_rng(1))
    assert judge.evaluate(Replies(nlp.to_construction(found.x))).metrics["overlap"] < 0.3820
