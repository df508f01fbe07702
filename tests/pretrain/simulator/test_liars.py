"""Every kind of liar alone among five honest machines, with everything verified: what becomes of it, and what it costs."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from quiltwork.audit import Outcome, Sanction, sanction
from quiltwork.pretrain.facts import Closed, Health, RunState
from quiltwork.pretrain.simulator.liars import LIARS
from tests.pretrain.simulator.even import Even

SEEDS = (0, pytest.param(3, marks=pytest.mark.slow))
"""One without overlap and one with it."""

ROUNDS_OF_A_LIAR = 12
"""Three audits that follow each other, of at most four rounds each."""


class Watched(Even):
    """Remembers every round, and when the liar was out."""

    def __init__(self, seed: int, cheat: str) -> None:
        super().__init__(seed, cheat)
        self.rounds: dict[int, Closed] = {}
        self.out = 0

    def look(self, state: RunState) -> None:
        self.rounds.update(state.closed)
        if not self.out and any(member.health is Health.EJECTED for member in state.members.values()):
            self.out = state.last

    def accepted(self, author: bytes) -> int:
        return sum(update.author == author for closed in self.rounds.values() for update in closed.updates)

    def outcomes(self, *, of_the_liar: bool) -> Counter[Outcome | None]:
        rulings = self.state.rulings
        return Counter(each.case.outcome for each in rulings if (each.case.author == self.liar.author) is of_the_liar)


def run(seed: int, cheat: str) -> Watched:
    """Run to the end; whatever the liar does, the honest are not harmed by it."""
    watched = Watched(seed, cheat)
    watched.run(watched.look)
    assert watched.state.step == 24
    assert watched.report.diverged == 0
    assert {member.health for member in watched.honest} == {Health.HEALTHY}
    assert all(member.standing.failed == 0 and not member.standing.has_refused for member in watched.honest)
    assert watched.outcomes(of_the_liar=False)[Outcome.FAILED] == 0
    return watched


@cache
def all_honest(seed: int) -> Even:
    even = Even(seed)
    even.run()
    return even


def test_an_honest_machine_in_the_place_of_the_liar_is_not_suspected() -> None:
    even = all_honest(0)
    assert set(even.state.outcomes) <= {Outcome.PASSED}
    assert even.state.last == even.state.step == 24


@pytest.mark.parametrize("seed", SEEDS)
def test_who_sends_updates_that_were_not_trained_is_soon_ejected(seed: int) -> None:
    watched = run(seed, "lazy")
    assert watched.liar.health is Health.EJECTED
    assert 0 < watched.out <= ROUNDS_OF_A_LIAR
    assert watched.liar.accepted_units == 0, "what it earned is forfeited"
    assert watched.outcomes(of_the_liar=True)[Outcome.PASSED] == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_who_hides_what_it_should_disclose_is_soon_not_counted_any_more(seed: int) -> None:
    watched = run(seed, "hider")
    assert watched.liar.standing.has_refused
    last = max(number for number, closed in watched.rounds.items() if watched.liar.author in _authors(closed))
    assert last <= ROUNDS_OF_A_LIAR
    assert watched.outcomes(of_the_liar=True)[Outcome.PASSED] == 0
    assert watched.outcomes(of_the_liar=True)[Outcome.REFUSED] > 0


def _authors(closed: Closed) -> list[bytes]:
    return [update.author for update in closed.updates]


@pytest.mark.parametrize("cheat", ["withholder", "garbler"])
@pytest.mark.parametrize("seed", SEEDS)
def test_what_nobody_can_get_or_read_is_never_accepted(seed: int, cheat: str) -> None:
    watched = run(seed, cheat)
    assert watched.accepted(watched.liar.author) == 0
    assert watched.liar.accepted_units == 0
    assert watched.liar.lost > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_who_keeps_its_work_to_itself_does_not_make_others_wait(seed: int) -> None:
    honest = all_honest(seed)
    withheld = run(seed, "withholder")
    waits = [closed.closed - closed.opened for closed in withheld.rounds.values() if closed.number > 2]
    usual = [closed.closed - closed.opened for closed in honest.state.closed.values()]
    assert sorted(waits)[len(waits) // 2] < 2 * sorted(usual)[len(usual) // 2]


@pytest.mark.parametrize("seed", SEEDS)
def test_who_copies_earns_only_what_it_did_itself(seed: int) -> None:
    watched = run(seed, "copycat")
    payloads = Counter(update.body.payload for closed in watched.rounds.values() for update in closed.updates)
    assert set(payloads.values()) == {1}
    assert watched.outcomes(of_the_liar=True)[Outcome.FAILED] == 0, "when it is the first, it has nobody to copy from"
    assert watched.accepted(watched.liar.author) < 24


@pytest.mark.parametrize("seed", SEEDS)
def test_who_attests_to_what_it_has_not_changes_nothing(seed: int) -> None:
    watched = run(seed, "false witness")
    assert watched.report.rewinds == 0
    assert not watched.report.is_lost
    barren = [closed for closed in watched.rounds.values() if not closed.accepted]
    if watched.state.config.witness_nodes == 0:
        assert all(len(closed.accepted) == len(closed.commits) for closed in watched.rounds.values())
    else:
        assert len(barren) <= 24 // 3, "of two witnesses one is enough to leave a round without any"


@pytest.mark.parametrize("seed", SEEDS)
def test_who_says_that_its_model_is_another_only_sends_itself_away(seed: int) -> None:
    watched = run(seed, "false voter")
    assert watched.liar.diverged > 0
    assert watched.liar.accepted_units > 0, "what it trains between its lies is as good as anybody's"


@pytest.mark.parametrize("seed", SEEDS)
def test_who_keeps_what_nobody_can_load_keeps_nobody_out(seed: int) -> None:
    watched = Watched(seed, "false keeper")
    newcomer = watched.machines[0]
    for seconds in (60, 120, 180):
        watched.crash(newcomer, seconds=seconds, down=5, disk_lost=True)
    watched.run(watched.look)
    assert watched.state.members[newcomer.author].health is Health.HEALTHY
    assert newcomer.node.finished


@pytest.mark.parametrize("seed", SEEDS)
def test_who_judges_falsely_never_wins_and_is_suspended(seed: int) -> None:
    watched = run(seed, "false judge")
    assert watched.liar.standing.agreed == 0
    assert watched.liar.standing.dissented > 0
    assert sanction(watched.liar.standing, watched.state.config.audit_rules) is Sanction.SUSPENDED


@pytest.mark.parametrize("seed", SEEDS)
def test_who_floods_the_log_costs_nobody_anything(seed: int) -> None:
    honest = all_honest(seed)
    watched = run(seed, "flooder")
    assert watched.state.issue_count > 200
    assert watched.state.last == watched.state.step == 24
    assert all(member.misses == 0 for member in watched.honest)
    assert watched.report.seconds < 1.2 * honest.report.seconds
    assert watched.liar.accepted_units < 1.5 * max(member.accepted_units for member in watched.honest), (
        "it does not seem faster than it is"
    )


def test_every_kind_of_liar_is_tried_here() -> None:
    tried = {
        "lazy",
        "hider",
        "garbler",
        "withholder",
        "copycat",
        "false witness",
        "false voter",
        "false keeper",
        "false judge",
        "flooder",
    }
    assert {liar.cheat for liar in LIARS} == tried
