"""The referee catches what it is there for: the protocol is broken in one place, and a run does not pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from quiltwork.pretrain import agreement, audits, phases, rounds
from quiltwork.pretrain.assignment import Assignment
from quiltwork.pretrain.effects import Applied, Apply, Effect
from quiltwork.pretrain.entries import Judged
from quiltwork.pretrain.facts import Closed, RunState
from quiltwork.pretrain.simulator import Scenario, Violation, simulate
from quiltwork.pretrain.simulator import machine as machines
from quiltwork.pretrain.simulator.hub import Hub
from quiltwork.pretrain.simulator.machine import Machine
from quiltwork.pretrain.simulator.toy import ToyTrainer, hash_of

CALM = Scenario(liars=False, accidents=False, rounds=8, verification_percent=0)


def caught(words: str, *, scenario: Scenario = CALM, seed: int = 1) -> None:
    with pytest.raises(Violation, match=words):
        simulate(seed, scenario)


def test_a_run_of_the_protocol_as_it_is_passes() -> None:
    assert simulate(1, CALM).steps == 8


# --- units ----------------------------------------------------------------------------------------------------------------


def broken_assignment(change: Callable[[Assignment[bytes]], Assignment[bytes]]) -> Callable[..., Assignment[bytes]]:
    whole = rounds.assign

    def assign(*told: Any, **said: Any) -> Assignment[bytes]:
        return change(whole(*told, **said))

    return assign


def test_a_unit_that_is_given_to_two(monkeypatch: pytest.MonkeyPatch) -> None:
    def change(given: Assignment[bytes]) -> Assignment[bytes]:
        (_, its_units), (other, others) = list(given.units.items())[:2]
        return replace(given, units={**given.units, other: (*others, its_units[0])})

    monkeypatch.setattr(rounds, "assign", broken_assignment(change))
    caught("unit .* was applied twice, the second time in round 1")


def test_a_unit_that_is_given_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "assign", broken_assignment(lambda given: replace(given, fresh=given.fresh + 1)))
    caught(r"after round 1 [12] of \d+ units are lost")


def test_a_unit_that_came_to_nothing_and_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rounds.close_round

    def close_round(state: RunState) -> None:
        before = len(state.returned)
        whole(state)
        while len(state.returned) > before:
            state.returned.pop()

    monkeypatch.setattr(rounds, "close_round", close_round)
    monkeypatch.setattr(phases.rounds, "close_round", close_round)
    caught("units are lost", scenario=Scenario(liars=False, rounds=24), seed=3)


# --- rewards --------------------------------------------------------------------------------------------------------------


def test_a_reward_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rounds._account

    def account(state: RunState, closed: Closed) -> None:
        whole(state, closed)
        next(iter(state.members.values())).accepted_units += 1

    monkeypatch.setattr(rounds, "_account", account)
    caught(r"members have earned \d+ units, \d+ were accepted")


def test_work_that_is_not_rewarded(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rounds._account

    def account(state: RunState, closed: Closed) -> None:
        whole(state, closed)
        state.members[closed.updates[0].author].accepted_units = 0

    monkeypatch.setattr(rounds, "_account", account)
    caught(r"members have earned \d+ units, \d+ were accepted")


# --- models ---------------------------------------------------------------------------------------------------------------


class AnotherOrder(ToyTrainer):
    """Every second machine applies updates in another order."""

    made = 0

    def __init__(self, size: int) -> None:
        super().__init__(size)
        type(self).made += 1
        self._another = self.made % 2 == 0

    def apply(self, apply: Apply) -> Applied:
        closed = apply.closed
        turned = replace(closed, accepted=closed.accepted[::-1])
        return super().apply(Apply(turned if self._another else closed))


def test_members_who_apply_the_same_updates_in_another_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "ToyTrainer", AnotherOrder)
    caught("honest members hold two models 1")


def test_a_log_that_agrees_on_a_model_that_nobody_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = agreement.settle
    monkeypatch.setattr(
        agreement, "settle", lambda state, round, model: whole(state, round, hash_of(model) if round else model)
    )
    caught("the log agreed on another model")


# --- the honest -----------------------------------------------------------------------------------------------------------


def test_an_honest_member_that_is_ejected(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = audits.judge

    def judge(state: RunState, author: bytes, body: Judged) -> str:
        return whole(state, author, Judged(body.round, body.member, not body.honest, 0.0))

    monkeypatch.setattr(audits, "judge", judge)
    caught("honest member .* was ejected", scenario=replace(CALM, verification_percent=100, rounds=24))


# --- progress ---------------------------------------------------------------------------------------------------------------


def test_a_run_in_which_nothing_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "_held", lambda round: [])
    words = r"nothing was accepted for 3600 s after the last accident: round \d+"
    caught(words, scenario=replace(CALM, nodes=1))


def test_a_run_that_waits_for_something_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "tick", lambda state: None)
    monkeypatch.setattr(Machine, "trained", lambda machine, effect: None)
    caught("nothing was accepted for 3600 s")


def test_a_world_in_which_nothing_happens_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hub, "_tick", lambda hub: None)
    caught("nothing more happens, and the run has not ended")


def test_a_member_that_never_has_the_last_model(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = Machine.begin

    def without_the_last(machine: Machine, effect: Effect) -> None:
        if not (isinstance(effect, Apply) and effect.closed.step == CALM.rounds and machine.place == 2):
            begin(machine, effect)

    monkeypatch.setattr(Machine, "begin", without_the_last)
    caught("the run is over, but not every member has its last model")
