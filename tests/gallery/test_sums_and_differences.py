"""Sums and differences: counts are those of all pairs, and a value that is claimed follows from rational bounds."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.evolve.score import InvalidScore
from tests.gallery.direct import Replies, building_blocks, independent_check, module, seed_program, with_block

NAME = "sums_and_differences"
judge = module(NAME, "evaluate")

SETS = st.sets(st.integers(1, 300), min_size=1, max_size=25).map(lambda some: [0, *sorted(some)])
BLOCKS = [(slot, block) for slot in ("generators", "refine") for block in building_blocks(NAME, slot)]


@given(SETS)
def test_counts_are_those_of_all_pairs(elements: list[int]) -> None:
    sums = {a + b for a in elements for b in elements}
    differences = {a - b for a in elements for b in elements}
    assert judge.counts(np.array(elements)) == (len(sums), len(differences))


@given(SETS)
def test_the_score_is_below_the_formula_by_rounding_alone(elements: list[int]) -> None:
    score = judge.evaluate(Replies(elements[::-1]))
    sums, differences = judge.counts(np.array(elements))
    wanted = 1 + math.log(differences / sums) / math.log(2 * elements[-1] + 1)
    assert score.metrics["theta"] == pytest.approx(wanted, abs=1e-14)
    assert Fraction(score.metrics["theta"]) <= judge.certify(elements).value
    assert score.construction == elements


def test_an_interval_proves_one_and_its_corners_less() -> None:
    assert judge.evaluate(Replies([0, 1, 2])).metrics["theta"] == pytest.approx(1.0, abs=1e-15)
    conway = [0, 2, 3, 4, 7, 11, 12, 14]
    assert judge.counts(np.array(conway)) == (26, 25)
    assert judge.evaluate(Replies(conway)).metrics["theta"] == pytest.approx(1 + math.log(25 / 26) / math.log(29))


def test_the_seed_program_is_weak_and_known_generators_do_better() -> None:
    seed = judge.evaluate(seed_program(NAME))
    assert 1.05 < seed.metrics["theta"] < 1.11
    assert judge.evaluate(with_block(NAME, "generators", "five")).metrics["theta"] > 1.125
    assert str(seed.artifacts["picture.svg"]).startswith("<svg")


@pytest.mark.parametrize(("slot", "block"), BLOCKS)
def test_every_building_block_builds(slot: str, block: str) -> None:
    assert 1.05 < judge.evaluate(with_block(NAME, slot, block)).metrics["theta"] < 1.148


def test_flipping_with_tables_counts_as_the_evaluator_does() -> None:
    candidate = with_block(NAME, "refine", "count_and_flip")
    start = np.array([0, 1, 5, 6, 25, 26, 30, 31, 50, 60])
    found = candidate.call("refine", start, np.random.default_rng(0))
    thetas = [judge.evaluate(Replies(elements)).metrics["theta"] for elements in (start, found)]
    assert found[-1] == 60
    assert thetas[1] > thetas[0]


@pytest.mark.parametrize(
    "reply",
    [
        None,
        "012",
        [],
        [0],
        [0, 0],
        [1, 2],
        [0, -1],
        [0, 1.0],
        [0, True],
        [0, 2**24 + 1],
        list(range(10_001)),
        np.zeros((2, 2), dtype=int),
        np.array([0.0, 1.0]),
    ],
)
def test_replies_that_are_no_set_are_refused(reply: object) -> None:
    with pytest.raises(InvalidScore, match=r"elements"):
        judge.evaluate(Replies(reply))


@pytest.mark.parametrize("elements", [[0, 1], [0, 2, 3, 4, 7, 11, 12, 14], [0, 1, 6, 32, 144, 529, 2**20]])
def test_the_independent_check_agrees_with_the_certificate(elements: list[int], tmp_path) -> None:
    certificate = judge.certify(elements)
    checked = independent_check(NAME, certificate, tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert str(certificate.value) in checked.stdout


@pytest.mark.parametrize(
    "change",
    [
        {"value": "3/2"},
        {"value": str(judge.certify([0, 1, 5, 25]).value + Fraction(1, 10**18))},
        {"data": {"elements": [0, 1, 5, 26, 27]}},
        {"data": {"elements": [1, 5, 25]}},
        {"data": {"elements": [0, -1, 5]}},
        {"data": {"elements": [0, 1.0, 5]}},
        {"data": {"elements": [0]}},
        {"data": {}},
    ],
)
def test_the_independent_check_refuses_what_does_not_follow(change: dict[str, object], tmp_path) -> None:
    checked = independent_check(NAME, judge.certify([0, 1, 5, 25]), tmp_path, change)
    assert checked.returncode == 1
    assert "INVALID" in checked.stderr
