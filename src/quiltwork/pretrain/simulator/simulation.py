"""A seed becomes machines, links and accidents; they run until the end, and a report says how it went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from quiltwork.audit import AuditConfig
from quiltwork.pretrain.config import Coordinator
from quiltwork.pretrain.entries import Created
from quiltwork.pretrain.facts import HERE, Health, Phase
from quiltwork.pretrain.simulator.hub import Hub
from quiltwork.pretrain.simulator.liars import LIARS
from quiltwork.pretrain.simulator.machine import Machine
from quiltwork.pretrain.simulator.owner import Owner
from quiltwork.pretrain.simulator.referee import Referee, Violation
from quiltwork.pretrain.simulator.world import HUB, SECOND, START, Link, Partition, World

PATIENCE = 3_600 * SECOND
"""Once all accidents are over, a run in which so long nothing is accepted has stopped: a violation. On the slowest links a
round may take 20 minutes, after others that failed."""

OWNER_PATIENCE = 1_800 * SECOND
OWNER_PAUSE = 60 * SECOND
"""When nothing was accepted for so long, the owner looks at every such pause whether anybody can still have the models that
everybody needs, and if not, takes the run back."""

LOOK = SECOND // 2
"""How often one looks whether the run is over or has stopped. At every round, besides."""

CHECKED = 8
"""In every so-manyth simulation the log is folded a second time, to be compared with: it costs an eighth of all there is to do,
and what it finds is a mistake of the simulator, which would show in many."""

HONEST_SHARE = 4
"""At most one machine in so many lies: two thirds of the witnesses, and of three judges two, are honest with room to spare."""


@dataclass(frozen=True)
class Scenario:
    """How rough it is. `rounds` are rounds in which something is accepted; accidents happen in the first two thirds."""

    nodes: int = 6
    rounds: int = 24
    overlap: bool | None = None
    liars: bool = True
    accidents: bool = True
    cheat: str = ""
    """How the only liar lies, in place of some that are drawn."""
    verification_percent: float | None = None
    """None: it is drawn, as whether there is overlap."""


@dataclass
class Report:
    """How a run went. Times in virtual seconds."""

    seed: int
    scenario: Scenario
    rounds: int = 0
    steps: int = 0
    seconds: float = 0.0
    entries: int = 0
    units: int = 0
    returned_units: int = 0
    crashes: int = 0
    partitions: int = 0
    dropped: int = 0
    liars: dict[str, int] = field(default_factory=dict)
    ejected: dict[str, int] = field(default_factory=dict)
    audits: dict[str, int] = field(default_factory=dict)
    checkpoints: int = 0
    diverged: int = 0
    rewinds: int = 0
    """How often the owner took the run back, because all copies of an update were lost."""
    is_lost: bool = False
    """Whether all copies of every model were lost: the run has ended there."""

    @property
    def again(self) -> str:
        """The command that runs this seed again."""
        return (
            f"quiltwork pretrain sim --seed {self.seed} --nodes {self.scenario.nodes} --rounds {self.scenario.rounds}"
        )


def simulate(
    seed: int, scenario: Scenario | None = None, *, watch: Callable[[Referee], None] = lambda referee: None
) -> Report:
    """Run a seed to its end. Raises `Violation` if something happens that must not; `watch` is called at every round."""
    return _Simulation(seed, scenario or Scenario()).run(watch)


class _Simulation:
    def __init__(self, seed: int, scenario: Scenario) -> None:
        self.chance = Random(seed)  # noqa: S311 (a simulation)
        self.report = Report(seed, scenario)
        self.world = World(Random(self.chance.random()))  # noqa: S311
        self.referee = Referee()
        self.hub = Hub(self.world, b"\0" * 32, self.referee, checked=seed % CHECKED == 0)
        self.machines: dict[bytes, Machine] = {}
        self.calm = START
        """When the last accident is over."""
        self._make_machines()
        config = self._config()
        self.world.links[HUB] = Link(1e9, 1e9, 0, 0, 0.0)
        self.hub.start(Created("sim", config.model_dump_json(), "{}", self.chance.randbytes(32)))
        self._plan_lives(config)

    # --- what there is --------------------------------------------------------------------------------------------------

    def _config(self) -> Coordinator:
        scenario, chance = self.report.scenario, self.chance
        nodes = scenario.nodes
        verified = chance.choice((0.0, 10.0, 30.0))
        overlap = chance.choice((0, 1))
        return Coordinator(
            init_min_clients=max(1, nodes // 2),
            min_clients=1 if nodes < 4 else 2,
            witness_nodes=chance.choice((0, 0, 2 if nodes >= 4 else 1)),
            warmup_time=60,
            cooldown_time=20,
            epoch_time=chance.choice((120.0, 600.0, 86_400.0)),
            max_round_train_time=60,
            round_witness_time=15,
            waiting_for_members_extra_time=2,
            total_steps=self.report.scenario.rounds,
            global_batch_size_start=4 * nodes,
            global_batch_size_end=8 * nodes,
            global_batch_size_warmup_tokens=1_000 * nodes,
            sequence_length=16,
            unit_sequences=2,
            verification_percent=verified if scenario.verification_percent is None else scenario.verification_percent,
            overlap=overlap if scenario.overlap is None else int(scenario.overlap),
            checkpoint_rounds=chance.randint(4, 12),
            audit=AuditConfig(verifier_after=4),
            max_misses=chance.randint(2, 3),
        )

    def _make_machines(self) -> None:
        scenario, chance = self.report.scenario, self.chance
        liars = chance.randint(0, (scenario.nodes - 1) // HONEST_SHARE) if scenario.liars else 0
        kinds = [kind for kind in LIARS if kind.cheat == scenario.cheat] or LIARS
        liars = 1 if scenario.cheat else liars
        size = chance.choice((20_000, 200_000, 2_000_000))
        for place in range(scenario.nodes):
            kind = chance.choice(kinds) if place >= scenario.nodes - liars else Machine
            rate = 10 ** chance.uniform(5.5, 8)
            self.world.links[place] = Link(
                up=rate,
                down=rate * chance.choice((1, 2, 10)),
                delay=chance.randrange(SECOND // 1000, SECOND // 8),
                jitter=chance.randrange(1, SECOND // 50),
                loss=chance.choice((0, 0, 0.001, 0.01)),
            )
            speed = 10 ** chance.uniform(-0.7, 1.0)
            machine = kind(place, self.world, self.hub, self.machines, speed, size)
            if kind is Machine:
                self.referee.honest.add(machine.author)
            else:
                self.report.liars[machine.cheat] = self.report.liars.get(machine.cheat, 0) + 1

    # --- what happens -----------------------------------------------------------------------------------------------------

    def _plan_lives(self, config: Coordinator) -> None:
        scenario, chance, world = self.report.scenario, self.chance, self.world
        rough = round(scenario.rounds * 8 * SECOND * 2 / 3)
        late = chance.randrange(scenario.nodes // 2 + 1)
        for place, machine in enumerate(self.machines.values()):
            birth = 0 if place >= late else chance.randrange(rough)
            world.after(birth, machine.boot)
            self.calm = max(self.calm, START + birth)
        if not scenario.accidents:
            return
        for _ in range(chance.randint(0, scenario.nodes)):
            self._plan_crash(chance.choice(list(self.machines.values())), START + chance.randrange(rough))
        for _ in range(chance.choice((0, 0, 1, 2))):
            start = START + chance.randrange(rough)
            end = start + chance.randrange(SECOND, 90 * SECOND)
            apart = frozenset(chance.sample(range(scenario.nodes), chance.randint(1, max(1, scenario.nodes // 2))))
            world.partitions.append(Partition(start, end, apart))
            self.calm = max(self.calm, end)
            self.report.partitions += 1

    def _plan_crash(self, machine: Machine, time: int) -> None:
        chance = self.chance
        down = chance.randrange(SECOND, 120 * SECOND)
        disk_lost = chance.random() < 0.3
        self.calm = max(self.calm, time + down)

        def crash() -> None:
            if machine.alive:
                machine.crash()
                self.report.crashes += 1
                self.world.after(down, back)

        def back() -> None:
            if not machine.alive:
                machine.boot(disk_lost=disk_lost)

        self.world.at(time, crash)

    # --- until the end ----------------------------------------------------------------------------------------------------

    def run(self, watch: Callable[[Referee], None]) -> Report:
        """Run to the end."""
        referee, owner = self.referee, Owner(self.hub, self.machines)
        seen, eased, looked = -1, 0, 0
        while not self._over():
            if not self.world.run(self.world.now + LOOK):
                raise Violation("nothing more happens, and the run has not ended")
            if referee.state.last != seen:
                seen = referee.state.last
                watch(referee)
            if self.world.now - referee.progressed <= OWNER_PATIENCE:
                continue
            since = max(referee.progressed, self.calm, eased)
            if self.world.now > max(since + OWNER_PATIENCE, looked + OWNER_PAUSE):
                looked = self.world.now
                if owner.is_needed():
                    if not owner.takes_back():
                        self.report.is_lost = True
                        break
                    eased = since = self.world.now
            if self.world.now - since > PATIENCE and referee.state.phase is not Phase.FINISHED:
                raise Violation(
                    f"nothing was accepted for {(self.world.now - since) / SECOND:.0f} s after the last accident: "
                    f"round {referee.state.last + 1}, {referee.state.phase}"
                )
            if self.world.now - since > 2 * PATIENCE:
                raise Violation("the run is over, but not every member has its last model")
        return self._finish()

    def _over(self) -> bool:
        state = self.referee.state
        if state.phase is not Phase.FINISHED:
            return False
        here = [self.machines[author] for author in self.referee.honest if self.machines[author].alive]
        members = [machine for machine in here if self._is_in(machine)]
        return all(machine.node.finished for machine in members)

    def _is_in(self, machine: Machine) -> bool:
        member = self.referee.state.members.get(machine.author)
        return member is not None and member.health in HERE

    def _finish(self) -> Report:
        state, report = self.referee.state, self.report
        for author in self.referee.honest:
            machine = self.machines[author]
            loaded = machine.node.mine.loaded if machine.alive else None
            if loaded is not None and loaded.round == state.last and self._is_in(machine):
                self.referee.applied(loaded.round, loaded.model, rewinds=len(state.rewinds))
        report.rounds, report.steps, report.entries = state.last, state.step, len(self.hub.log)
        report.seconds = (self.world.now - START) / SECOND
        report.units = state.accepted_units - state.taken_back_units
        report.returned_units = state.next_unit - report.units
        members = state.members
        report.rewinds = len(state.rewinds)
        report.audits = {str(outcome): count for outcome, count in state.outcomes.items()}
        report.dropped = sum(member.health is Health.DROPPED for member in members.values())
        report.diverged = sum(member.diverged for author, member in members.items() if author in self.referee.honest)
        report.ejected = dict(
            Counter(self.machines[author].cheat for author, m in members.items() if m.health is Health.EJECTED)
        )
        return report
