from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.evolve.polish import search
from quiltwork.evolve.score import InvalidScore
from tests.gallery.direct import Replies, building_blocks, independent_check, module, seed_program, with_block

NAME = "autocorrelation_c2"
judge = module(NAME, "evaluate")
polish = module(NAME, "polish")


def ratio_by_quadrature(heights, points=200_001):
    """The three norms of the piecewise linear autoconvolution by the trapezoidal rule on a fine grid."""
    corners = np.concatenate([[0.0], np.convolve(heights, heights), [0.0]])
    places = np.linspace(0.0, len(corners) - 1.0, points)
    g = np.interp(places, np.arange(len(corners)), corners)
    return np.trapezoid(g * g, places) / (np.trapezoid(g, places) * corners.max())


def test_constant_steps_score_two_thirds():
    metrics = judge.evaluate(seed_program(NAME)).metrics
    assert metrics["c2"] == pytest.approx(2 / 3, rel=1e-15)
    assert Fraction(metrics["c2"]) <= Fraction(2, 3)


def test_the_norms_are_those_of_the_piecewise_linear_function():
    heights = np.random.default_rng(5).random(9)
    assert judge.evaluate(Replies(heights)).metrics["c2"] == pytest.approx(ratio_by_quadrature(heights), abs=1e-8)


def test_climbing_from_chance_reaches_what_it_should():
    assert 0.87 < judge.evaluate(with_block(NAME, "construct", "climb_from_chance")).metrics["c2"] < 0.9


@pytest.mark.parametrize("block", building_blocks(NAME, "construct"))
def test_every_building_block_works_with_and_without_a_start(block):
    candidate = with_block(NAME, "construct", block)
    for start in (None, np.random.default_rng(2).random(50).tolist()):
        candidate.start = start
        assert 0.8 < judge.evaluate(candidate).metrics["c2"] < 0.96


@given(st.lists(st.integers(0, 2**52), min_size=1, max_size=12).filter(any))
def test_products_read_off_one_large_integer_are_the_sums_of_products(heights):
    n = len(heights)
    naive = [
        sum(heights[i] * heights[k - i] for i in range(max(0, k - n + 1), min(k, n - 1) + 1)) for k in range(2 * n - 1)
    ]
    assert judge.autoconvolution(heights) == naive


def test_the_most_steps_do_not_overflow_a_coefficient():
    heights = [judge.SHARES] * judge.MOST_STEPS
    assert max(judge.autoconvolution(heights)) == judge.MOST_STEPS * judge.SHARES**2


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=30))
def test_the_score_is_never_better_than_the_truth_and_never_above_one(heights):
    score = judge.evaluate(Replies(heights))
    kept = [Fraction(height) for height in score.construction]
    n = len(kept)
    corners = [Fraction(0)] * (2 * n + 1)
    for i in range(n):
        for j in range(n):
            corners[i + j + 1] += kept[i] * kept[j]
    square = sum((a * a + a * b + b * b) / 3 for a, b in pairwise(corners))
    assert Fraction(score.metrics["c2"]) <= square / (sum(kept) ** 2 * max(corners)) <= 1
    assert score.metrics["c2"] == pytest.approx(float(square / (sum(kept) ** 2 * max(corners))))


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
        np.ones(5_001),
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
    certificate = judge.certify(np.random.default_rng(4).random(40).tolist())
    checked = independent_check(NAME, certificate, tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert f"C2 >= {float(certificate.value):.15f}\nVALID" in checked.stdout


@pytest.mark.parametrize(
    "change", [{"value": "3/4"}, {"data": {"heights": [1, -1, 3]}}, {"data": {"heights": [0.5, 1]}}, {"data": {}}]
)
def test_the_independent_check_refuses_what_is_wrong(tmp_path, change):
    checked = independent_check(NAME, judge.certify([1.0, 2.0, 1.0]), tmp_path, change)
    assert checked.returncode == 1
    assert "INVALID" in checked.stderr


@pytest.mark.parametrize("seed", [1, 2])
def test_the_soft_ratio_has_the_gradient_that_it_says(seed):
    heights = np.random.default_rng(seed).random(20) + 0.1
    value, gradient = polish.objective(heights)
    step = 1e-7
    measured = [
        (polish.objective(heights + step * unit)[0] - polish.objective(heights - step * unit)[0]) / (2 * step)
        for unit in np.eye(20)
    ]
    assert np.allclose(gradient, measured, atol=1e-5)
    true = judge.evaluate(Replies(heights)).metrics["c2"]
    assert 0.999 * true <= -value <= (1 + 1e-12) * true


def test_polishing_raises_the_bound_of_the_construction_that_it_is_given(monkeypatch):
    monkeypatch.setattr(polish, "ROUNDS", 500)
    nlp = polish.problem()
    start = judge.evaluate(Replies(np.ones(60)))
    found = search(nlp, nlp.from_construction(start.construction), np.random.default_rng(1))
    polished = judge.evaluate(Replies(nlp.to_construction(found.x)))
    assert polished.metrics["c2"] > 0.8
