from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.evolve.polish import search
from quiltwork.evolve.score import InvalidScore
from tests.gallery.direct import Replies, building_blocks, independent_check, module, seed_program, with_block

NAME = "autocorrelation_c1"
judge = module(NAME, "evaluate")
polish = module(NAME, "polish")


def test_constant_steps_score_two():
    assert judge.evaluate(seed_program(NAME)).metrics == {"c1": 2.0}


@pytest.mark.parametrize(("block", "at_most"), [("inverse_root", 1.6), ("descend_from_chance", 1.525)])
def test_known_constructions_reach_what_they_should(block, at_most):
    assert 1.5 < judge.evaluate(with_block(NAME, "construct", block)).metrics["c1"] < at_most


@pytest.mark.parametrize("block", building_blocks(NAME, "construct"))
def test_every_building_block_works_with_and_without_a_start(block):
    candidate = with_block(NAME, "construct", block)
    candidate.start = ((np.arange(90) + 0.5) ** -0.5).tolist()
    for start in (None, candidate.start):
        candidate.start = start
        assert judge.evaluate(candidate).metrics["c1"] < 1.6


@given(st.lists(st.integers(0, 2**52), min_size=1, max_size=12).filter(any))
def test_products_read_off_one_large_integer_are_the_sums_of_products(heights):
    n = len(heights)
    naive = [
        sum(heights[i] * heights[k - i] for i in range(max(0, k - n + 1), min(k, n - 1) + 1)) for k in range(2 * n - 1)
    ]
    assert judge.autoconvolution(heights) == naive


def test_two_thousand_full_steps_do_not_overflow_a_coefficient():
    heights = [judge.SHARES] * judge.MOST_STEPS
    assert max(judge.autoconvolution(heights)) == judge.MOST_STEPS * judge.SHARES**2


@given(st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=40))
def test_the_score_is_never_better_than_the_truth(heights):
    score = judge.evaluate(Replies(heights))
    kept = [Fraction(height) for height in score.construction]
    peak = max(
        sum(kept[i] * kept[k - i] for i in range(len(kept)) if 0 <= k - i < len(kept)) for k in range(2 * len(kept) - 1)
    )
    assert Fraction(score.metrics["c1"]) >= 2 * len(kept) * peak / sum(kept) ** 2
    assert score.metrics["c1"] == pytest.approx(
        2 * len(heights) * np.convolve(heights, heights).max() / sum(heights) ** 2
    )


def test_a_construction_that_is_carried_on_scores_the_same_again():
    first = judge.evaluate(Replies(np.random.default_rng(3).random(150)))
    again = judge.evaluate(Replies(first.construction))
    assert again.metrics == first.metrics
    assert again.construction == first.construction


@pytest.mark.parametrize(
    "reply",
    [
        None,
        "1" * 50,
        [],
        [[1.0, 2.0]],
        [1.0, "2"],
        [True, True],
        [10**400, 1],
        np.ones((3, 3)),
        np.ones(3, dtype=complex),
        np.ones(2_001),
        [1.0, -1e-300],
        [1.0, float("nan")],
        [1.0, float("inf")],
        [0.0, 0.0],
        [1e-300, 1e-300],
    ],
)
def test_replies_that_are_no_step_function_are_refused(reply):
    with pytest.raises(InvalidScore, match=r"heights?|steps"):
        judge.evaluate(Replies(reply))


def test_the_independent_check_agrees_with_the_certificate(tmp_path):
    certificate = judge.certify(judge.evaluate(with_block(NAME, "construct", "inverse_root")).construction)
    checked = independent_check(NAME, certificate, tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert "C1 <= 1.5955" in checked.stdout


@pytest.mark.parametrize(
    "change", [{"value": "3/2"}, {"data": {"heights": [1, -1, 3]}}, {"data": {"heights": [0.5, 1]}}, {}]
)
def test_the_independent_check_refuses_what_is_wrong(tmp_path, change):
    certificate = judge.certify([1.0, 2.0, 1.0])
    checked = independent_check(NAME, certificate, tmp_path, change)
    assert (checked.returncode == 1) == bool(change)
    assert ("INVALID" in checked.stderr) == bool(change)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_soft_maximum_has_the_gradient_that_it_says(seed):
    heights = np.random.default_rng(seed).random(20) + 0.1
    value, gradient = polish.objective(heights)
    step = 1e-7
    measured = [
        (polish.objective(heights + step * unit)[0] - polish.objective(heights - step * unit)[0]) / (2 * step)
        for unit in np.eye(20)
    ]
    assert np.allclose(gradient, measured, atol=1e-5)
    true = 40 * np.convolve(heights, heights).max() / heights.sum() ** 2
    assert (1 - 1e-12) * true <= value <= 1.001 * true


def test_polishing_lowers_the_bound_of_the_construction_that_it_is_given(monkeypatch):
    monkeypatch.setattr(polish, "ROUNDS", 500)
    nlp = polish.problem()
    start = judge.evaluate(Replies((np.arange(60) + 0.5) ** -0.5))
    found = search(nlp, nlp.from_construction(start.construction), np.random.default_rng(1))
    polished = judge.evaluate(Replies(nlp.to_construction(found.x)))
    assert polished.metrics["c1"] < start.metrics["c1"] - 0.01
