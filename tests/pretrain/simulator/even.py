"""A world in which nothing is drawn but chance itself: equal machines, good links, everybody there from the beginning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from quiltwork.pretrain.facts import Member, RunState
from quiltwork.pretrain.simulator import Report, Scenario
from quiltwork.pretrain.simulator.machine import Machine
from quiltwork.pretrain.simulator.simulation import _Simulation
from quiltwork.pretrain.simulator.world import SECOND, START, Link


class Even:
    """A simulation of equal machines, of which the last may lie."""

    def __init__(self, seed: int, cheat: str = "", **scenario: Any) -> None:
        scenario = {"liars": False, "accidents": False, "verification_percent": 100, **scenario}
        self.simulation = _Simulation(seed, Scenario(cheat=cheat, **scenario))
        self.world = self.simulation.world
        for machine in self.machines:
            machine.speed, machine.size = 1.0, 20_000
            self.world.links[machine.place] = Link(1e7, 1e7, SECOND // 50, SECOND // 100, 0.0)
            self.at(0, machine.boot)
        self.report = Report(seed, self.simulation.report.scenario)

    @property
    def machines(self) -> list[Machine]:
        return list(self.simulation.machines.values())

    @property
    def state(self) -> RunState:
        return self.simulation.referee.state

    @property
    def liar(self) -> Member:
        return next(self.state.members[machine.author] for machine in self.machines if machine.cheat)

    @property
    def honest(self) -> list[Member]:
        return [self.state.members[author] for author in self.simulation.referee.honest]

    def at(self, seconds: float, event: Callable[[], None]) -> None:
        self.world.at(START + round(seconds * SECOND), event)

    def crash(self, machine: Machine, *, seconds: float, down: float, disk_lost: bool = False) -> None:
        self.at(seconds, machine.crash)
        self.at(seconds + down, lambda: machine.boot(disk_lost=disk_lost))

    def run(self, watch: Callable[[RunState], None] = lambda state: None) -> Report:
        self.report = self.simulation.run(lambda referee: watch(referee.state))
        return self.report
