"""What holds for a whole society: the honest stay, cheats go, and a minority of liars loses its say."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.audit import AuditConfig, Outcome, Sanction, sanction
from tests.audit.society import Society


def named(count: int) -> list[bytes]:
    return [f"member {number}".encode() for number in range(count)]


@settings(max_examples=30)
@given(
    st.integers(0, 10**6), st.integers(1, 12), st.floats(0, 0.9), st.sampled_from([0.1, 0.5, 1.0]), st.integers(1, 60)
)
def test_an_honest_author_with_honest_verifiers_is_never_ejected_whatever_crashes(
    seed: int, members: int, crashing: float, rate: float, rounds: int
) -> None:
    world = Society(named(members), AuditConfig(rate=rate), crashing=crashing, seed=seed).run(rounds)
    assert not world.ejected_in
    assert all(standing.failed == standing.suspicion == 0 for standing in world.standings.values())
    assert all(case.outcome is not Outcome.FAILED for case, _ in world.closed)


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.floats(0, 0.5))
def test_who_crashed_is_in_good_standing_again_after_its_next_answer(seed: int, crashing: float) -> None:
    world = Society(named(8), AuditConfig(rate=0.5), crashing=crashing, seed=seed).run(40)
    world.crashing = 0.0
    world.run(20)
    assert all(standing.debt == 0 for standing in world.standings.values())


@pytest.mark.parametrize("seed", range(5))
def test_cheats_are_ejected_and_nobody_else(seed: int) -> None:
    members = named(24)
    cheats = {members[0]: 1.0, members[1]: 0.5, members[2]: 0.2}
    world = Society(members, cheats=cheats, crashing=0.05, seed=seed).run(250)
    assert set(world.ejected_in) == set(cheats)
    assert world.wrong() == 0
    # 0.4 of a newcomer's contributions are audited, then all: found after 12 rounds at the latest once in 500, and then
    # three failures at once, each settled within the rounds of a case.
    assert world.ejected_in[members[0]] < 12 + 2 * world.config.case_rounds


def test_a_cheat_among_three_is_ejected() -> None:
    members = named(3)
    world = Society(members, cheats={members[0]: 1.0}, seed=1).run(60)
    assert set(world.ejected_in) == {members[0]}


@pytest.mark.parametrize("seed", range(5))
def test_a_minority_of_liars_loses_its_say_before_it_can_eject_anybody(seed: int) -> None:
    """Four of forty lie about everybody. Each lie is outvoted with a probability of 0.81 and more, four of them suspend."""
    members = named(40)
    liars = frozenset(members[:4])
    world = Society(members, liars=liars, seed=seed).run(150)
    assert not world.ejected_in
    suspended = {name for name in members if sanction(world.standings[name], world.config) is Sanction.SUSPENDED}
    assert suspended == liars
    early = len(world.closed)
    wrong = world.wrong()
    world.run(100)
    assert world.wrong() == wrong, "liars without a say do no more harm"
    assert len(world.closed) > early


@pytest.mark.parametrize("members", [3, 4, 8])
def test_a_blackout_of_everybody_is_got_over(members: int) -> None:
    """All leave audits unanswered at once; were they no verifiers then, nobody could ever be cleared again."""
    world = Society(named(members), AuditConfig(rate=1.0), seed=2).run(1)
    world.crashing = 1.0
    world.run(4)
    assert all(standing.debt for standing in world.standings.values())
    world.crashing = 0.0
    world.run(6)
    assert not any(standing.debt for standing in world.standings.values())


def test_a_majority_of_liars_can_do_what_it_wants() -> None:
    """The limit of the design, stated: where most verifiers lie, the honest are ejected."""
    members = named(12)
    world = Society(members, AuditConfig(rate=0.5), liars=frozenset(members[:9]), seed=1).run(150)
    assert set(world.ejected_in) & set(members[9:])


def test_measuring_noise_does_not_eject() -> None:
    """Of what 30 honest members do in 600 rounds, one in 250 looks wrong to all who check it."""
    world = Society(named(30), noise=0.004, seed=3).run(600)
    assert world.wrong() == sum(not right and case.outcome is Outcome.PASSED for case, right in world.closed) == 0
    assert sum(case.outcome is Outcome.FAILED for case, _ in world.closed) >= 1, "noise was seen"
    assert not world.ejected_in


def test_who_always_refuses_is_not_ejected_but_its_work_stops_counting() -> None:
    members = named(12)
    world = Society(members, AuditConfig(rate=0.5), cheats={members[0]: 1.0}, seed=4)
    silent = members[0]
    original = world._progress

    def progress(case, right, up):
        return original(case, right, up - {silent} if case.author == silent else up)

    world._progress = progress
    world.run(40)
    counted = world.standings[silent].accepted
    world.run(40)
    assert world.standings[silent].has_refused
    assert world.standings[silent].accepted == counted < 15
    assert not world.ejected_in
