from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.evolve.polish import search
from quiltwork.evolve.score import InvalidScore
from tests.gallery.direct import Replies, building_blocks, independent_check, module, seed_program, with_block

NAME = "autocorrelation_c3"
judge = module(NAME, "evaluate")
polish = module(NAME, "polish")


def test_constant_steps_score_two_and_so_does_their_negative():
    assert judge.evaluate(seed_program(NAME)).metrics == {"c3": 2.0}
    assert judge.evaluate(Replies(-np.ones(10))).metrics == {"c3": 2.0}


def test_a_deep_valley_of_the_autoconvolution_counts_as_much_as_a_peak():
    heights = [1.0, 4.0, -1.0, 4.0, 1.0]
    assert judge.autoconvolution(judge.in_shares([4.0, -3.0, 0.0])) == [
        judge.SHARES**2,
        -3 * judge.SHARES**2 // 2,
        9 * judge.SHARES**2 // 16,
        0,
        0,
    ]
    assert judge.evaluate(Replies([4.0, -3.0, 0.0])).metrics["c3"] == 2 * 3 * 24.0
    assert judge.evaluate(Replies(heights)).metrics["c3"] == pytest.approx(
        10 * np.abs(np.convolve(heights, heights)).max() / 81
    )


def test_descending_from_chance_reaches_what_it_should():
    assert 1.47 < judge.evaluate(with_block(NAME, "construct", "descend_from_chance")).metrics["c3"] < 1.51


@pytest.mark.parametrize("block", building_blocks(NAME, "construct"))
def test_every_building_block_works_with_and_without_a_start(block):
    candidate = with_block(NAME, "construct", block)
    for start in (None, np.random.default_rng(2).normal(1.0, 1.0, 60).tolist()):
        candidate.start = start
        assert 1.46 < judge.evaluate(candidate).metrics["c3"] < 1.7


@given(st.lists(st.integers(-(2**52), 2**52), min_size=1, max_size=12))
def test_products_read_off_one_large_integer_are_the_sums_of_products(heights):
    n = len(heights)
    naive = [
        sum(heights[i] * heights[k - i] for i in range(max(0, k - n + 1), min(k, n - 1) + 1)) for k in range(2 * n - 1)
    ]
    assert judge.autoconvolution(heights) == naive


@pytest.mark.parametrize("sign", [1, -1])
def test_the_most_steps_do_not_overflow_a_coefficient(sign):
    heights = [sign * judge.SHARES] * judge.MOST_STEPS
    assert max(judge.autoconvolution(heights)) == judge.MOST_STEPS * judge.SHARES**2


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30).filter(lambda heights: abs(sum(heights)) > 1))
def test_the_score_is_never_better_than_the_truth(heights):
    score = judge.evaluate(Replies(heights))
    kept = [Fraction(height) for height in score.construction]
    n = len(kept)
    peak = max(abs(sum(kept[i] * kept[k - i] for i in range(n) if 0 <= k - i < n)) for k in range(2 * n - 1))
    assert Fraction(score.metrics["c3"]) >= 2 * n * peak / sum(kept) ** 2 >= 1
    naive = 2 * n * np.abs(np.convolve(heights, heights)).max() / sum(heights) ** 2
    assert score.metrics["c3"] == pytest.approx(naive, rel=1e-6)


def test_a_construction_that_is_carried_on_scores_the_same_again():
    first = judge.evaluate(Replies(np.random.default_rng(3).normal(1.0, 1.0, 150)))
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
        [1.0, -1.0],
        [1.0, float("nan")],
        [1.0, float("inf")],
        [0.0, 0.0],
        [1e-300, -1e-300],
    ],
)
def test_replies_that_have_no_score_are_refused(reply):
    with pytest.raises(InvalidScore, match=r"heights?|steps"):
        judge.evaluate(Replies(reply))


def test_the_independent_check_agrees_with_the_certificate(tmp_path):
    certificate = judge.certify([1.0, 4.0, -1.0, 4.0, 1.0])
    checked = independent_check(NAME, certificate, tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert f"C3' <= {float(certificate.value):.15f}\nVALID" in checked.stdout


@pytest.mark.parametrize(
    "change", [{"value": "3/2"}, {"data": {"heights": [1, -1]}}, {"data": {"heights": [0.5, 1]}}, {"data": {}}]
)
def test_the_independent_check_refuses_what_is_wrong(tmp_path, change):
    checked = independent_check(NAME, judge.certify([1.0, 2.0, -1.0]), tmp_path, change)
    assert checked.returncode == 1
    assert "INVALID" in checked.stderr


@pytest.mark.parametrize("seed", [1, 2])
def test_the_soft_maximum_has_the_gradient_that_it_says(seed):
    heights = np.random.default_rng(seed).normal(1.0, 1.0, 20)
    value, gradient = polish.objective(heights)
    step = 1e-7
    measured = [
        (polish.objective(heights + step * unit)[0] - polish.objective(heights - step * unit)[0]) / (2 * step)
        for unit in np.eye(20)
    ]
    assert np.allclose(gradient, measured, atol=1e-4)
    true = judge.evaluate(Replies(heights)).metrics["c3"]
    assert (1 - 1e-9) * true <= value <= 1.001 * true


def test_polishing_lowers_the_bound_of_the_construction_that_it_is_given(monkeypatch):
    monkeypatch.setattr(polish, "ROUNDS", 500)
    nlp = polish.problem()
    start = judge.evaluate(Replies((np.arange(60) + 0.5) ** -0.5))
    found = search(nlp, nlp.from_construction(start.construction), np.random.default_rng(1))
    assert judge.evaluate(Replies(nlp.to_construction(found.x))).metrics["c3"] < 1.56
