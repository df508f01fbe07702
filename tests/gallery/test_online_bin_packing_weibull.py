from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.evolve.score import InvalidScore
from tests.gallery.direct import HOSTILE_NUMBERS, Replies, building_blocks, module, seed_program, with_block

NAME = "online_bin_packing_weibull"
packing = module(NAME, "packing")
judge = module(NAME, "evaluate")


def funsearch_priorities(item, bins):
    """The policy that the paper gives for Weibull instances: it looks at all bins in the order of their opening."""
    worth = (bins - bins.max()) ** 2 / item + (bins / item) ** 2 + bins**2 / item**3
    worth = np.where(bins > item, -worth, worth)
    return np.diff(worth, prepend=0.0)


def pack_naively(policy, items, order):
    """One bin after the other; `order` says which of the bins with the highest priority takes the item."""
    bins = np.full(len(items), float(packing.CAPACITY))
    for item in items:
        fitting = np.flatnonzero(bins >= item)
        worth = policy(item, bins[fitting])
        best = fitting[worth == worth.max()]
        bins[order(best, bins)] -= item
    return int((bins < packing.CAPACITY).sum())


def test_best_fit_is_where_the_search_starts():
    score = judge.evaluate(seed_program(NAME))
    assert score.metrics["bins"] == 2065.75
    assert judge.held_out(seed_program(NAME)).metrics["bins"] == 2070.8


def test_sizes_are_as_large_as_those_of_the_paper_on_average():
    bounds = packing.lower_bounds(packing.fresh(40, seed=1))
    assert bounds.mean() == pytest.approx(1987.8, abs=8)
    assert packing.lower_bounds(judge.HELD_OUT).mean() == 1989.4


@pytest.mark.slow
def test_the_published_policy_needs_what_the_readme_says():
    def mean(instances):
        return np.mean([pack_naively(funsearch_priorities, row, lambda best, _: best[0]) for row in instances])

    assert mean(judge.TRAINING) == 1999.875
    assert mean(judge.HELD_OUT) == 2003.0


def test_no_instance_is_in_both_sets():
    seen = {tuple(row[:50]) for row in judge.TRAINING.tolist()}
    assert not any(tuple(row[:50]) in seen for row in judge.HELD_OUT.tolist())


@pytest.mark.parametrize("name", building_blocks(NAME, "priority"))
def test_every_building_block_packs(name):
    assert 1985 < judge.evaluate(with_block(NAME, "priority", name)).metrics["bins"] < 3000


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), levels=st.integers(1, 50))
def test_packing_by_capacities_agrees_with_packing_one_bin_after_the_other(seed, levels):
    table = np.random.default_rng(seed).integers(0, levels, (100, 101)).astype(float)
    instances = packing.fresh(3, seed, items=60)
    used, left = packing.pack(table, instances)

    def policy(item, bins):
        return table[item - 1, bins.astype(int)]

    assert used.tolist() == [
        pack_naively(policy, row, lambda best, bins: best[bins[best].argmin()]) for row in instances
    ]
    assert (left.sum(axis=1) == used).all()
    assert (left @ (100 - np.arange(101)) == instances.sum(axis=1)).all()


@pytest.mark.parametrize(
    "reply",
    [
        None,
        5.0,
        [[1.0]],
        np.zeros((100, 100)),
        np.zeros((100, 101), dtype=complex),
        np.zeros((100, 101), dtype=bool),
        *[np.full((100, 101), number) for number in HOSTILE_NUMBERS],
    ],
)
def test_replies_that_are_no_table_of_numbers_are_refused(reply):
    with pytest.raises(InvalidScore, match="table"):
        judge.evaluate(Replies(reply))
