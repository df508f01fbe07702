"""Whole runs: a seed tells everything, members come and go and are told the rest, and what is lost is said."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from quiltwork.audit import Outcome
from quiltwork.pretrain.facts import Health, Phase
from quiltwork.pretrain.simulator import Scenario, simulate
from quiltwork.pretrain.simulator.machine import REVEALS
from quiltwork.pretrain.simulator.simulation import OWNER_PATIENCE, Report, _Simulation
from quiltwork.pretrain.simulator.world import SECOND, START, Partition
from tests.pretrain.simulator.even import Even


@pytest.mark.parametrize("seed", [7, 8])
def test_a_seed_tells_the_whole_run(seed: int) -> None:
    one, other = _Simulation(seed, Scenario()), _Simulation(seed, Scenario())
    assert asdict(one.run(lambda referee: None)) == asdict(other.run(lambda referee: None))
    assert one.hub.log == other.hub.log


def test_another_seed_is_another_run() -> None:
    assert asdict(simulate(7)) | {"seed": 0} != asdict(simulate(8)) | {"seed": 0}


def test_a_report_says_how_to_run_it_again() -> None:
    assert Report(7, Scenario(nodes=3, rounds=5)).again == "quiltwork pretrain sim --seed 7 --nodes 3 --rounds 5"


def test_a_scenario_may_say_what_is_drawn_otherwise() -> None:
    scenario = Scenario(overlap=True, verification_percent=50, cheat="lazy", accidents=False, rounds=2)
    simulation = _Simulation(1, scenario)
    simulation.run(lambda referee: None)
    config = simulation.referee.state.config
    assert (config.overlap, config.verification_percent) == (1, 50)
    assert simulation.report.liars == {"lazy": 1}


def test_equal_honest_machines_lose_nothing() -> None:
    even = Even(1, verification_percent=0)
    report = even.run()
    assert (report.rounds, report.steps) == (24, 24)
    assert report.returned_units == len(even.state.returned)
    assert (report.dropped, report.diverged, report.rewinds, report.is_lost) == (0, 0, 0, False)
    assert all("tells how fast" in why for _, why in even.state.issues), "and nothing else is said that does not fit"


def test_in_a_long_run_of_honest_machines_every_audit_is_passed() -> None:
    even = Even(1, nodes=4, rounds=60)
    even.run()
    assert even.state.last == 60
    assert set(even.state.outcomes) == {Outcome.PASSED}


def test_a_machine_that_crashes_comes_back_and_goes_on() -> None:
    even = Even(2, verification_percent=0)
    even.crash(even.machines[0], seconds=60, down=100)
    even.run()
    member = even.state.members[even.machines[0].author]
    assert member.health is Health.HEALTHY
    assert even.machines[0].node.finished


def test_a_disk_that_is_lost_takes_its_member_s_secret_and_state_with_it() -> None:
    even = Even(2, verification_percent=0)
    machine = even.machines[0]
    before: list[bytes] = []
    even.at(59, lambda: before.append(even.state.members[machine.author].said.beacon))
    even.crash(machine, seconds=60, down=20, disk_lost=True)
    even.run()
    member = even.state.members[machine.author]
    assert member.said.beacon != before[0]
    assert member.health is Health.HEALTHY


def test_a_chain_of_secrets_that_is_used_up_is_replaced() -> None:
    even = Even(1, nodes=3, rounds=REVEALS + 20, verification_percent=0)
    anchors = set()
    even.run(lambda state: anchors.update(member.said.beacon for member in state.members.values()))
    assert even.state.step == REVEALS + 20
    assert len(anchors) == 6, "each of three has had two"


def test_what_was_said_while_a_machine_was_cut_off_reaches_it_at_once_when_it_is_not() -> None:
    even = Even(1, nodes=4, verification_percent=0, rounds=8)
    cut, start = even.machines[0], 20 * SECOND
    even.world.partitions.append(Partition(START + start, START + start + 15 * SECOND, frozenset({cut.place})))
    heard = list[tuple[int, int]]()
    for seconds in (19.9, 34.9, 35.4):
        even.at(seconds, lambda: heard.append((cut.node.state.entries, len(even.simulation.hub.log))))
    even.run()
    (before, _), (meanwhile, said), (after, then) = heard
    assert meanwhile - before < 10 < said - before, "what was on its way arrived, and nothing after it"
    assert after >= said
    assert then - after < 10


def test_what_has_left_a_machine_arrives_though_it_crashes_then() -> None:
    even = Even(1, verification_percent=0)
    machine = even.machines[0]
    while not (hasattr(machine, "node") and machine.node._in_flight):
        even.world.step()
    machine.crash()
    while machine.author not in even.state.members:
        assert even.world.step(), "it joined, and did not live to know"
    assert not machine.alive


# --- when copies are lost ---------------------------------------------------------------------------------------------------


def test_when_the_only_copy_of_an_update_is_lost_the_owner_takes_the_run_back() -> None:
    """Two of three crash; the third goes on alone, and then loses its disk before they are back."""
    even = Even(1, nodes=3, verification_percent=0, rounds=100)
    last, *others = even.machines
    for machine in others:
        even.crash(machine, seconds=60, down=700)
    even.crash(last, seconds=600, down=200, disk_lost=True)
    together, alone = list[int](), list[int]()
    even.at(60, lambda: together.append(even.state.last))
    even.at(600, lambda: alone.append(even.state.last))
    report = even.run()
    assert together[0] <= even.state.rewinds[0] < alone[0]
    assert (report.rewinds, report.steps, report.is_lost) == (1, 100, False)
    assert even.state.taken_back_units > 0
    assert report.seconds > OWNER_PATIENCE / SECOND
    assert {member.health for member in even.state.members.values()} == {Health.HEALTHY}


def test_when_no_copy_of_any_model_is_left_the_run_is_lost_and_says_so() -> None:
    even = Even(1, nodes=3, verification_percent=0, rounds=100)
    for machine in even.machines:
        even.crash(machine, seconds=200, down=10, disk_lost=True)
    report = even.run()
    assert min(even.state.closed) > 1, "the first rounds were forgotten, so that model 0 is of no use"
    assert report.is_lost
    assert even.state.phase is not Phase.FINISHED


def test_when_all_disks_are_lost_early_the_run_begins_again_with_model_0() -> None:
    even = Even(1, nodes=3, verification_percent=0, rounds=30)
    for machine in even.machines:
        even.crash(machine, seconds=40, down=10, disk_lost=True)
    report = even.run()
    assert even.state.rewinds == [0]
    assert report.steps == 30


def test_when_one_of_three_crashes_the_others_go_on_and_lose_no_round() -> None:
    even = Even(1, nodes=3, verification_percent=0, rounds=40)
    even.crash(even.machines[0], seconds=60, down=10_000)
    report = even.run()
    assert (report.rounds, report.steps) == (40, 40)
    assert even.state.members[even.machines[0].author].health is Health.DROPPED
    assert report.seconds < 600
