"""Circles in a rectangle of free shape: the score is a ratio, so neither scale nor place nor a thin wall can cheat it."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.evolve.polish import search
from quiltwork.evolve.score import InvalidScore
from tests.gallery.direct import (
    HOSTILE_NUMBERS,
    Replies,
    building_blocks,
    independent_check,
    module,
    seed_program,
    with_block,
)

NAME = "circle_packing_rectangle_21"
N = 21
judge = module(NAME, "evaluate")
polish = module(NAME, "polish")


def touching_row() -> list[list[float]]:
    """Three rows of seven circles of radius 1/8 that touch exactly: 7/4 wide and 3/4 high."""
    return [[(2 * i + 1) / 8, (2 * j + 1) / 8, 1 / 8] for j in range(3) for i in range(7)]


ROW_VALUE = Fraction(2 * N, 8) / Fraction(10, 4)


@pytest.fixture(scope="module")
def good() -> list[list[float]]:
    found = search(polish.problem(), None, np.random.default_rng(0))
    assert found is not None
    return polish.to_construction(found.x)


def test_circles_that_touch_exactly_score_their_sum() -> None:
    score = judge.evaluate(Replies(touching_row()))
    assert score.construction == touching_row()
    assert Fraction(score.metrics["sum_of_radii"]) <= ROW_VALUE < Fraction(score.metrics["sum_of_radii"]) * (1 + 2**-50)
    assert score.descriptors["aspect"] == pytest.approx(3 / 7)


@given(
    st.sampled_from([2.0**-300, 2.0**-30, 0.5, 1.0]),
    st.sampled_from([0.0, -1.0, 0.25]),
    st.sampled_from([0.0, -0.5, 1.75]),
)
def test_scale_and_place_do_not_change_the_score(scale: float, dx: float, dy: float) -> None:
    moved = [[(x + dx) * scale, (y + dy) * scale, r * scale] for x, y, r in touching_row()]
    assert judge.scaled_sum(judge.packed(moved)) == ROW_VALUE


@given(st.lists(st.tuples(st.floats(-4, 4), st.floats(-4, 4)), min_size=N, max_size=N, unique=True))
def test_the_score_is_never_better_than_the_truth(centres: list[tuple[float, float]]) -> None:
    apart = min(math.dist(p, q) for i, p in enumerate(centres) for q in centres[:i])
    try:
        score = judge.evaluate(Replies([[x, y, min(apart / 2, 4.0)] for x, y in centres]))
    except InvalidScore:
        assert apart < 1e-5
        return
    exact = [[Fraction(number) for number in circle] for circle in score.construction]
    width, height = (max(c[k] + c[2] for c in exact) - min(c[k] - c[2] for c in exact) for k in (0, 1))
    assert Fraction(score.metrics["sum_of_radii"]) <= 2 * sum(r for _, _, r in exact) / (width + height)
    assert all(
        (x - u) ** 2 + (y - v) ** 2 >= (r + s) ** 2 for i, (x, y, r) in enumerate(exact) for u, v, s in exact[:i]
    )


@pytest.mark.parametrize("overlap", [1e-15, 1e-12, 1e-9])
def test_an_overlap_is_paid_for(overlap: float) -> None:
    circles = touching_row()
    circles[1][0] -= overlap
    score = judge.evaluate(Replies(circles))
    assert score.construction != circles
    assert judge.is_packing(score.construction)
    assert score.metrics["sum_of_radii"] < float(ROW_VALUE)


@pytest.mark.parametrize(
    ("row", "column", "number", "reason"),
    [
        (3, 2, 0.2, r"circles \d+ and \d+ overlap by 0\.\d+"),
        (3, 2, -0.01, "circle 3 has radius -0.01"),
        (4, 0, 5.0, "keep within 4"),
        (4, 1, -1e300, "keep within 4"),
        *[(3, 1, number, "row 3 holds") for number in HOSTILE_NUMBERS],
    ],
)
def test_circles_that_are_no_packing_are_refused_with_the_reason(
    row: int, column: int, number: float, reason: str
) -> None:
    circles = touching_row()
    circles[row][column] = number
    with pytest.raises(InvalidScore, match=reason):
        judge.evaluate(Replies(circles))


@pytest.mark.parametrize("reply", [None, "", [], np.zeros((N, 2)), np.zeros((N, 3), dtype=complex)])
def test_other_shapes_are_refused(reply: object) -> None:
    with pytest.raises(InvalidScore, match="must be 21 rows"):
        judge.evaluate(Replies(reply))


def test_points_are_no_packing() -> None:
    with pytest.raises(InvalidScore, match="radius 0"):
        judge.evaluate(Replies(np.zeros((N, 3))))


def test_the_seed_program_is_valid_and_improves_on_what_it_starts_from() -> None:
    first = judge.evaluate(seed_program(NAME))
    second = judge.evaluate(seed_program(NAME, start=first.construction))
    assert 1.8 < first.metrics["sum_of_radii"] <= second.metrics["sum_of_radii"] < 2.3
    assert str(first.artifacts["picture.svg"]).startswith("<svg")


@pytest.mark.parametrize(
    ("slot", "block"),
    [(slot, block) for slot in ("place", "grow", "improve") for block in building_blocks(NAME, slot)],
)
def test_every_building_block_builds(slot: str, block: str) -> None:
    assert 1.0 < judge.evaluate(with_block(NAME, slot, block)).metrics["sum_of_radii"] < 2.366


def test_polish_comes_within_a_hundredth_of_alphaevolve(good: list[list[float]]) -> None:
    assert judge.evaluate(Replies(good)).metrics["sum_of_radii"] > 2.355


def test_what_is_carried_on_scores_the_same_again_and_can_be_polished_further(good: list[list[float]]) -> None:
    once = judge.evaluate(Replies(good))
    again = judge.evaluate(Replies(once.construction))
    assert (again.metrics, again.construction) == (once.metrics, once.construction)
    z = polish.from_construction(once.construction)
    assert polish.constraints(z)[0].min() > -1e-12
    assert -polish.objective(z)[0] == pytest.approx(once.metrics["sum_of_radii"], abs=1e-12)


def test_gradients_are_those_of_the_functions(good: list[list[float]]) -> None:
    z = polish.from_construction(good) + np.random.default_rng(4).normal(0, 0.02, 3 * N + 1)
    step = 1e-6
    columns = [
        (polish.constraints(z + step * e)[0] - polish.constraints(z - step * e)[0]) / (2 * step) for e in np.eye(len(z))
    ]
    assert np.allclose(np.array(columns).T, polish.constraints(z)[1], atol=1e-5)


def test_the_independent_check_agrees_with_the_certificate(good: list[list[float]], tmp_path) -> None:
    score = judge.evaluate(Replies(good))
    certificate = judge.certify(score.construction)
    assert 0 <= certificate.value - Fraction(score.metrics["sum_of_radii"]) < Fraction(1, 10**12)
    checked = independent_check(NAME, certificate, tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert str(certificate.value) in checked.stdout


def _changed(circles: list[list[str]], row: int, column: int, by: Fraction) -> list[list[str]]:
    changed = json.loads(json.dumps(circles))
    changed[row][column] = str(Fraction(changed[row][column]) + by)
    return changed


@pytest.mark.parametrize("change", ["value", "overlap", "row", "text", "negative"])
def test_the_independent_check_refuses_what_is_wrong(change: str, tmp_path) -> None:
    certificate = judge.certify(touching_row())
    circles = certificate.data["circles"]
    data = {
        "value": circles,
        "overlap": _changed(circles, 9, 2, Fraction(1, 10**40)),
        "row": circles[1:],
        "text": [["one", *circles[0][1:]], *circles[1:]],
        "negative": _changed(circles, 9, 2, Fraction(-1)),
    }[change]
    changes = {"data": {"circles": data}} | ({"value": "3/2"} if change == "value" else {})
    checked = independent_check(NAME, certificate, tmp_path, changes)
    assert checked.returncode == 1
    assert "INVALID" in checked.stderr
