from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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

NAME = "cap_set_8"
judge = module(NAME, "evaluate")

WITHOUT_A_TWO = [list(vector) for vector in product((0, 1), repeat=8)]


def test_equal_priorities_take_the_vectors_without_a_two():
    score = judge.evaluate(seed_program(NAME))
    assert score.metrics == {"size": 256.0}
    assert score.construction == WITHOUT_A_TWO


@pytest.mark.parametrize("name", building_blocks(NAME, "priority"))
def test_every_building_block_ranks_the_vectors(name):
    assert 128 <= judge.evaluate(with_block(NAME, "priority", name)).metrics["size"] <= 512


def test_searching_families_of_supports_goes_beyond_the_product_of_smaller_cap_sets():
    score = judge.evaluate(with_block(NAME, "priority", "search_supports"))
    assert score.metrics["size"] >= 400
    assert score.descriptors["mirrored"] == 1.0


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), levels=st.integers(1, 3000))
def test_what_is_taken_has_no_three_on_a_line_and_cannot_be_extended(seed, levels):
    priorities = np.random.default_rng(seed).integers(0, levels, 6561).astype(float)
    taken = {tuple(vector) for vector in judge.evaluate(Replies(priorities)).construction}
    thirds = {tuple(-(x + y) % 3 for x, y in zip(a, b, strict=True)) for a, b in combinations(sorted(taken), 2)}
    assert not taken & thirds
    assert len(taken | thirds) == 6561


def test_a_higher_priority_is_taken_first():
    priorities = np.zeros(6561)
    priorities[6560] = 1.0
    assert judge.greedy(priorities)[0] == 6560


@pytest.mark.parametrize(
    "reply",
    [
        None,
        [0.0] * 6561,
        np.zeros(6560),
        np.zeros((81, 81)),
        np.zeros(6561, dtype=complex),
        np.zeros(6561, dtype=bool),
        *[np.full(6561, number) for number in HOSTILE_NUMBERS],
    ],
)
def test_replies_that_are_no_priorities_are_refused(reply):
    with pytest.raises(InvalidScore, match="priorit"):
        judge.evaluate(Replies(reply))


def test_the_independent_check_accepts_a_cap_set(tmp_path):
    checked = independent_check(NAME, judge.certify(WITHOUT_A_TWO), tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert "size = 256\nVALID" in checked.stdout


@pytest.mark.parametrize(
    "change",
    [
        {"value": "257/1"},
        {"value": "3/1", "data": {"vectors": [[0] * 8, [1] * 8, [2] * 8]}},
        {"value": "2/1", "data": {"vectors": [[0] * 8, [0] * 8]}},
        {"value": "1/1", "data": {"vectors": [[3] * 8]}},
        {"value": "1/1", "data": {"vectors": [[0] * 7]}},
        {"value": "1/1", "data": {"vectors": [[True] + [0] * 7]}},
    ],
)
def test_the_independent_check_refuses_what_is_none(tmp_path, change):
    checked = independent_check(NAME, judge.certify(WITHOUT_A_TWO), tmp_path, change)
    assert checked.returncode == 1
    assert "INVALID" in checked.stderr


@pytest.mark.parametrize("vectors", [[[0] * 8, [1] * 8, [2] * 8], [[1] * 8, [1] * 8]])
def test_what_is_no_cap_set_gets_no_certificate(vectors):
    with pytest.raises(InvalidScore, match=r"line|twice"):
        judge.certify(vectors)
