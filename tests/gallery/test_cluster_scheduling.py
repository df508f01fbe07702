from __future__ import annotations

import tomllib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.evolve.score import InvalidScore
from tests.gallery.direct import HOSTILE_NUMBERS, Replies, building_blocks, module, seed_program, source, with_block

NAME = "cluster_scheduling"
fleet = module(NAME, "fleet")
judge = module(NAME, "evaluate")

HEURISTICS = {"AlphaEvolve's heuristic for Borg": "shares_of_what_is_free", "best fit": "best_fit"}


def schedule_naively(table, instances, which):
    """One fleet, one job after the other: the shares of processor time and memory time that are lost."""
    free = [list(room) for room in zip(instances.cpu[which].tolist(), instances.memory[which].tolist(), strict=True)]
    running, asked, lost = [], np.zeros(2), np.zeros(2)
    stream = zip(instances.kinds[which].tolist(), instances.stays[which].tolist(), strict=True)
    for step, (kind, stay) in enumerate(stream):
        cpu, memory, _ = fleet.JOBS[kind]
        for end, machine, processors, share in running:
            if end == step:
                free[machine][0] += processors
                free[machine][1] += share
        running = [job for job in running if job[0] > step]
        fitting = [m for m, room in enumerate(free) if room[0] >= cpu and room[1] >= memory]
        if step >= fleet.WARM_UP:
            asked += stay * np.array([cpu, memory])
            lost += stay * np.array([cpu, memory]) * (not fitting)
        if fitting:
            chosen = max(fitting, key=lambda m: table[kind, free[m][0], free[m][1]])
            free[chosen][0] -= cpu
            free[chosen][1] -= memory
            running.append((step + stay, chosen, cpu, memory))
    return (lost / asked).tolist()


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), levels=st.integers(1, 50))
def test_many_fleets_at_once_agree_with_one_job_after_the_other(seed, levels):
    table = np.random.default_rng(seed).integers(0, levels, fleet.SHAPE).astype(float)
    instances = fleet.fresh(2, seed)
    outcome = fleet.simulate(table, instances)
    for which in range(2):
        expected = schedule_naively(table, instances, which)
        assert [outcome.cpu_lost[which], outcome.memory_lost[which]] == pytest.approx(expected, rel=1e-12)
    assert ((outcome.cpu_free >= 0) & (outcome.cpu_free < 1)).all()


def test_first_fit_is_where_the_search_starts():
    assert judge.evaluate(seed_program(NAME)).metrics["lost_percent"] == pytest.approx(19.12, abs=0.005)
    assert judge.held_out(seed_program(NAME)).metrics["lost_percent"] == pytest.approx(21.25, abs=0.005)


@pytest.mark.parametrize("known", tomllib.loads(source(NAME, "known.toml"))["known"], ids=lambda known: known["who"])
def test_known_heuristics_lose_what_is_known(known):
    score = judge.evaluate(with_block(NAME, "score", HEURISTICS[known["who"]]))
    assert score.metrics["lost_percent"] == pytest.approx(known["value"], abs=1e-6)


def test_the_published_heuristic_is_the_formula_of_the_paper():
    candidate = with_block(NAME, "score", "shares_of_what_is_free")
    free_cpu, free_memory = np.array([8.0, 4.0, 64.0]), np.array([8.0, 16.0, 12.0])
    c, m = 4.0 / free_cpu, 6.0 / free_memory
    scores = candidate.call("score", 4.0, 6.0, free_cpu, free_memory)
    assert scores == pytest.approx(-(c + m + m / c + c / m))


def test_the_fleets_asked_for_more_than_they_have():
    for instances in (judge.TRAINING, judge.HELD_OUT):
        needs = np.array([job[0] for job in fleet.JOBS])
        asked = (needs[instances.kinds] * instances.stays).sum(axis=1) / fleet.ARRIVALS
        assert (asked > 0.9 * instances.cpu.sum(axis=1)).all()


def test_no_fleet_is_in_both_sets():
    seen = {row.tobytes() for row in judge.TRAINING.kinds}
    assert not any(row.tobytes() in seen for row in judge.HELD_OUT.kinds)


@pytest.mark.parametrize("name", building_blocks(NAME, "score"))
def test_every_building_block_schedules(name):
    assert 5 < judge.evaluate(with_block(NAME, "score", name)).metrics["lost_percent"] < 30


@pytest.mark.parametrize(
    "reply",
    [
        None,
        5.0,
        [[1.0]],
        np.zeros(fleet.SHAPE[1:]),
        np.zeros(fleet.SHAPE, dtype=complex),
        np.zeros(fleet.SHAPE, dtype=bool),
        *[np.full(fleet.SHAPE, number) for number in HOSTILE_NUMBERS],
    ],
)
def test_replies_that_are_no_table_of_numbers_are_refused(reply):
    with pytest.raises(InvalidScore, match="table"):
        judge.evaluate(Replies(reply))
