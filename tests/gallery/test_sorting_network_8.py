from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.evolve.score import InvalidScore
from tests.gallery.direct import Replies, building_blocks, independent_check, module, seed_program, with_block

NAME = "sorting_network_8"
judge = module(NAME, "evaluate")


def batcher(n=8):
    """Merge exchange, Knuth's Algorithm 5.2.2M."""
    pairs, p = [], n // 2
    while p:
        q, r, d = n // 2, 0, p
        while True:
            pairs += [[i, i + d] for i in range(n - d) if i & p == r]
            if q == p:
                break
            d, q, r = q - p, q // 2, p
        p //= 2
    return pairs


def test_bubble_sort_is_where_the_search_starts():
    score = judge.evaluate(seed_program(NAME))
    assert score.metrics == {"cost": 28.0, "comparators": 28.0, "unsorted": 0.0}
    assert score.descriptors == {"comparators": 28.0, "depth": 13.0}


def test_batchers_network_has_the_best_known_cost():
    score = judge.evaluate(Replies(batcher()))
    assert score.metrics["cost"] == 19.0
    assert score.descriptors["depth"] == 6.0


def test_leaving_out_any_comparator_of_an_optimal_network_costs_more_than_it_saves():
    network = batcher()
    for left_out in range(len(network)):
        score = judge.evaluate(Replies(network[:left_out] + network[left_out + 1 :]))
        assert score.metrics["unsorted"] > 0
        assert score.metrics["cost"] > 19


def test_comparators_that_never_exchange_are_not_counted():
    assert judge.evaluate(Replies(batcher() + batcher())).metrics["cost"] == 19.0
    assert judge.evaluate(Replies(batcher() + batcher())).construction == batcher()


@pytest.mark.parametrize("name", building_blocks(NAME, "network"))
def test_every_building_block_draws_a_network(name):
    assert judge.evaluate(with_block(NAME, "network", name)).metrics["cost"] >= 19


def test_wire_numbers_of_any_kind_still_draw_a_network():
    wires = seed_program(NAME).call("Wires")
    wires.mirrored(-1, 25)
    wires.compare(2.9, 10)
    assert wires.drawn == [[1, 7], [0, 6]]


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda p: p[0] < p[1]), max_size=30), st.data())
def test_a_network_said_to_sort_does_sort(pairs, data):
    score = judge.evaluate(Replies([list(pair) for pair in pairs] + batcher()[data.draw(st.integers(0, 5)) :]))
    numbers = data.draw(st.permutations(range(8)))
    line = list(numbers)
    for i, j in score.construction:
        line[i], line[j] = min(line[i], line[j]), max(line[i], line[j])
    assert line == sorted(line) or score.metrics["unsorted"] > 0


@pytest.mark.parametrize(
    "reply",
    [
        None,
        {"pairs": []},
        [0, 1],
        [[0, 1, 2]],
        [[1, 0]],
        [[3, 3]],
        [[-1, 2]],
        [[0, 8]],
        [[0, True]],
        [[0.0, 1.0]],
        [[0, float("nan")]],
        np.zeros((19, 2), dtype=int),
        [[0, 1]] * 1_001,
    ],
)
def test_replies_that_are_no_list_of_comparators_are_refused(reply):
    with pytest.raises(InvalidScore, match="comparator"):
        judge.evaluate(Replies(reply))


def test_the_independent_check_accepts_a_network_that_sorts(tmp_path):
    checked = independent_check(NAME, judge.certify(batcher()), tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert "comparators = 19\nVALID" in checked.stdout


@pytest.mark.parametrize(
    "change",
    [
        {"value": "18/1"},
        {"value": "18/1", "data": {"comparators": batcher()[1:]}},
        {"data": {"comparators": [[j, i] for i, j in batcher()]}},
        {"data": {}},
    ],
)
def test_the_independent_check_refuses_one_that_does_not(tmp_path, change):
    checked = independent_check(NAME, judge.certify(batcher()), tmp_path, change)
    assert checked.returncode == 1
    assert "INVALID" in checked.stderr


def test_what_does_not_sort_gets_no_certificate():
    with pytest.raises(InvalidScore, match="unsorted"):
        judge.certify(batcher()[1:])
