from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.evolve.score import InvalidScore
from tests.gallery.direct import HOSTILE_NUMBERS, Replies, building_blocks, module, seed_program, with_block

NAME = "online_bin_packing"
packing = module(NAME, "packing")
judge = module(NAME, "evaluate")

FUNSEARCH_LIMITS = [2, 3, 5, 7, 9, 12, 15, 21]
FUNSEARCH_PRIORITIES = [4.0, 3.0, 2.0, 1.0, 0.9, 0.95, 0.97, 0.98, 0.99]


def funsearch_table(**_sizes):
    gaps = np.clip(np.arange(151) - np.arange(20, 101)[:, None, None], 0, None)
    of_gap = np.array(FUNSEARCH_PRIORITIES)[np.searchsorted(FUNSEARCH_LIMITS, gaps)]
    return np.broadcast_to(of_gap, packing.SHAPE)


def pack_naively(table, items):
    """The skeleton of the paper, one bin after the other."""
    bins = [packing.CAPACITY]
    for item in items:
        best = None
        for index, left in enumerate(bins):
            if left < item:
                continue
            twins = sum(1 for other in bins if other == left - item and other != packing.CAPACITY)
            priority = table[item - packing.SMALLEST, min(twins, packing.CROWD), left]
            if best is None or priority > best[0]:
                best = priority, index
        bins[best[1]] -= item
        if bins[-1] != packing.CAPACITY:
            bins.append(packing.CAPACITY)
    return len(bins) - 1


def test_or3_is_the_published_data_set():
    instances = packing.or3()
    assert instances[0, :10].tolist() == [42, 69, 67, 57, 93, 90, 38, 36, 45, 42]
    assert instances[6, 250:255].tolist() == [87, 100, 69, 94, 71]
    assert instances[11, :5].tolist() == [52, 77, 82, 54, 60]
    assert instances[19, -5:].tolist() == [73, 51, 97, 90, 23]
    assert packing.lower_bounds(instances).mean() == 201.2


def test_published_policies_need_the_published_numbers_of_bins_on_or3():
    assert judge.held_out(with_block(NAME, "priority", "best_fit")).metrics["bins"] == 212.0
    assert judge.held_out(Replies(funsearch_table)).metrics["bins"] == 207.45


def test_the_program_to_start_from_is_first_fit():
    score = judge.evaluate(seed_program(NAME))
    assert score.metrics == judge.evaluate(with_block(NAME, "priority", "first_fit")).metrics
    assert score.metrics["bins"] == pytest.approx(211.533, abs=1e-3)


def test_the_known_value_is_what_funsearch_needs_on_the_training_instances():
    assert judge.evaluate(Replies(funsearch_table)).metrics["bins"] == pytest.approx(206 + 2 / 3)


def test_no_training_instance_shares_a_long_run_with_or3():
    or3 = " ".join(map(str, packing.or3().ravel()))
    assert not any(" ".join(map(str, row[:12])) in or3 for row in judge.TRAINING)


@pytest.mark.parametrize("name", building_blocks(NAME, "priority"))
def test_every_building_block_packs(name):
    score = judge.evaluate(with_block(NAME, "priority", name))
    assert 201 < score.metrics["bins"] <= 213
    assert 0 <= score.descriptors["dead"] < 20


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), levels=st.integers(1, 50))
def test_packing_many_instances_at_once_agrees_with_packing_one_bin_after_the_other(seed, levels):
    rng = np.random.default_rng(seed)
    table = rng.integers(0, levels, packing.SHAPE).astype(float)
    instances = rng.integers(20, 101, (3, 60))
    used, remaining = packing.pack(table, instances)
    assert used.tolist() == [pack_naively(table, row) for row in instances.tolist()]
    assert (remaining >= 0).all()
    assert ((packing.CAPACITY - remaining).sum(axis=1) == instances.sum(axis=1)).all()


@pytest.mark.parametrize(
    "reply",
    [
        None,
        5.0,
        [[1.0]],
        np.zeros((81, 7)),
        np.zeros(packing.SHAPE, dtype=complex),
        np.zeros(packing.SHAPE, dtype=bool),
        *[np.full(packing.SHAPE, number) for number in HOSTILE_NUMBERS],
    ],
)
def test_replies_that_are_no_table_of_numbers_are_refused(reply):
    with pytest.raises(InvalidScore, match=r"table|finite"):
        judge.evaluate(Replies(reply))
