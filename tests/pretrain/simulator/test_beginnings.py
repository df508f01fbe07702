"""What machines look at: what the entries that they have heard fold to, as if each had folded them; and they change nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import fields, is_dataclass

import pytest

from quiltwork.pretrain.effects import Effect
from quiltwork.pretrain.facts import RunState
from quiltwork.pretrain.simulator import Scenario, Violation, simulate
from quiltwork.pretrain.simulator.beginnings import Beginnings, Said, copied, later
from quiltwork.pretrain.simulator.machine import Machine
from quiltwork.pretrain.simulator.referee import Referee
from quiltwork.pretrain.simulator.simulation import CHECKED, _Simulation
from quiltwork.pretrain.state import apply_body
from tests.pretrain.simulator.even import Even
from tests.pretrain.telling import OWNER, SECOND, A, B, C, D, Ticked, told

NEVER_CHANGED = ("speakers", "assigned")


def changing(value: object) -> Iterator[object]:
    """All that can be reached from a value and changed in place."""
    if isinstance(value, dict | list | set | deque):
        yield value
        for each in value.values() if isinstance(value, dict) else value:
            yield from changing(each)
    elif is_dataclass(value) and not value.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        yield value
        for field in fields(value):
            if field.name not in NEVER_CHANGED:
                yield from changing(getattr(value, field.name))


def states() -> list[RunState]:
    """Of every round of a run with everything in it: liars, audits, crashes, disclosures that nobody gets."""
    found = []

    def watch(referee: Referee) -> None:
        found.append(copied(referee.state))

    simulate(7, Scenario(nodes=6, rounds=12, cheat="hider", verification_percent=100), watch=watch)
    assert any(state.undisclosed for state in found)
    assert any(state.tallies for state in found)
    assert any(state.cases for state in found)
    assert any(state.round is not None and state.round.assigned for state in found)
    return found


def test_a_copy_is_equal_and_shares_nothing_that_can_change() -> None:
    for state in states():
        copy = copied(state)
        assert copy == state
        assert not {id(each) for each in changing(copy)} & {id(each) for each in changing(state)}


def test_where_time_alone_has_passed_a_copy_differs_by_the_time() -> None:
    run = told(A, B, C, D)
    run.train(A, B)
    before = copied(run.state)
    run.wait(1)
    assert later(before, run.state) == run.state
    assert before.now == run.state.now - SECOND


@pytest.mark.parametrize("seed", [1, 2])
def test_every_machine_sees_at_any_time_what_it_would_have_folded_itself(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it is behind others, for its link is slow or broken, or it has begun again."""
    even = Even(seed, rounds=4, nodes=4)
    even.crash(even.machines[0], seconds=12, down=3)
    folded = dict[int, RunState]()

    def fold(entries: int) -> RunState:
        if entries not in folded:
            folded[entries] = RunState()
            for number, (author, body) in enumerate(even.simulation.hub.log[:entries]):
                apply_body(folded[entries], author, body, number)
        return folded[entries]

    go_on, seen = Machine.go_on, []

    def looks(machine: Machine) -> None:
        state = machine.node.state
        if state.entries:
            alone = fold(state.entries)
            alone.speakers = state.speakers
            assert state == alone
            seen.append((machine.place, state.entries))
        go_on(machine)

    monkeypatch.setattr(Machine, "go_on", looks)
    even.run()
    assert len(set(seen)) > 200
    assert max(entries for _, entries in seen) >= len(even.simulation.hub.log) - 10


def test_a_machine_that_changes_what_others_look_at_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = Machine.begin

    def tampers(machine: Machine, effect: Effect) -> None:
        begin(machine, effect)
        member = machine.node.state.members.get(machine.author)
        if member is not None and machine.place == 5:
            member.accepted_units += 1

    monkeypatch.setattr(Machine, "begin", tampers)
    with pytest.raises(Violation, match=r"what machines look at after \d+ entries is not what these fold to"):
        simulate(CHECKED, Scenario(liars=False, accidents=False, rounds=8, verification_percent=0))


def test_which_seeds_are_checked_so_is_told_by_the_seed() -> None:
    assert [_Simulation(seed, Scenario()).hub._beginnings.checked for seed in (0, 1, CHECKED)] == [True, False, True]


def test_a_state_is_kept_as_long_as_somebody_is_to_look_at_it() -> None:
    log = list[Said]()
    beginnings, state = Beginnings(log, checked=False), RunState()

    def say(now: int) -> int:
        log.append((OWNER, Ticked(now)))
        apply_body(state, *log[-1], len(log) - 1)
        beginnings.add(state, is_news=True)
        return beginnings.promise()

    one = say(1)
    assert beginnings.promise() == one
    two = say(2)
    assert (beginnings.look(one).entries, beginnings.look(two).entries) == (1, 2)
    beginnings.done_with(one)
    assert beginnings.look(one).entries == 1, "it was promised twice"
    beginnings.done_with(one)
    with pytest.raises(KeyError):
        beginnings.look(one)
    beginnings.done_with(two)
    assert beginnings.look(two).entries == 2, "it is the newest"
    say(3)
    with pytest.raises(KeyError):
        beginnings.look(two)
