"""A simulated run as a run's folder: a real log, signed by real keys, for whatever reads runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import msgspec
from blake3 import blake3

from quiltwork.keys import Identity
from quiltwork.log import Body, Relayed, Speaker, Writer, log_id
from quiltwork.pretrain.config import Coordinator
from quiltwork.pretrain.entries import Created, Joined, Ticked
from quiltwork.pretrain.facts import RunState
from quiltwork.pretrain.simulator import Scenario
from quiltwork.pretrain.simulator.liars import Lazy
from quiltwork.pretrain.simulator.simulation import _Simulation
from quiltwork.pretrain.simulator.world import SECOND, START
from quiltwork.pretrain.views import Watch
from quiltwork.run import Run

MOST_SEEDS = 20

OWNER_SEED = blake3(b"owner").digest()
OWNER = Identity.from_seed(OWNER_SEED)


def identity(place: int) -> Identity:
    """The key of the machine at a place."""
    return Identity.from_seed(blake3(place.to_bytes(4, "big")).digest())


class _Eventful(_Simulation):
    """One of the machines sends updates that it has not trained, two others crash on the way."""

    def _config(self) -> Coordinator:
        return super()._config().model_copy(update={"verification_percent": 50.0, "witness_nodes": 0})

    def _make_machines(self) -> None:
        super()._make_machines()
        *others, last = self.machines.values()
        Lazy(last.place, self.world, self.hub, self.machines, speed=last.speed, size=last.size)  # in its place
        self.referee.honest.discard(last.author)
        self.report.liars = {Lazy.cheat: 1}
        for number, machine in enumerate(others[:2], 1):
            self._plan_crash(machine, START + 30 * number * SECOND)


class Simulated:
    """A simulation that has run: what was said, by whom, and the state that a member would have."""

    def __init__(self, seed: int, scenario: Scenario, kind: type[_Simulation] = _Simulation) -> None:
        simulation = kind(seed, scenario)
        machines = list(simulation.machines.values())
        simulation.machines.clear()
        for machine in machines:  # they have not spoken yet; so they can have keys that sign
            machine.author = identity(machine.place).author
            simulation.machines[machine.author] = machine
        simulation.referee.honest = {machine.author for machine in machines if not machine.cheat}
        self.liars = {machine.author: machine.cheat for machine in machines if machine.cheat}
        self.report = simulation.run(lambda referee: None)
        self.state: RunState = simulation.referee.state
        self.said: list[tuple[bytes, Body]] = simulation.hub.log

    def write(
        self,
        path: Path,
        names: Sequence[str] = (),
        run_id: str = "simulated",
        *,
        entries: int = 1 << 62,
        change: Callable[[Body], Body] = lambda body: body,
        pause_at: int = -1,
        pause: Callable[[], None] = lambda: None,
    ) -> Path:
        """Write the first `entries` of the run's log as a folder: what members say is relayed by the owner.

        `change` may change what members say, if it changes nothing that the fold computes from; names do not. `pause` is
        called when so many entries are written, while the run is driven still.
        """
        identities = {identity(place).author: identity(place) for place in range(self.report.scenario.nodes)}
        called = dict(zip(identities, names, strict=False))
        Run.create(path, "pretrain", {"run_id": run_id}, OWNER).close()
        now = [0]
        with Run.open(path, drive=True, identity=OWNER) as run:
            writer = Writer(run.log, OWNER, clock=lambda: now[0])
            speakers: dict[bytes, Speaker] = {}
            batch: list[Body] = []
            for seq, (author, body) in enumerate(self.said[:entries]):
                if seq == pause_at:
                    writer.append(*batch)
                    batch = []
                    pause()
                if isinstance(body, Created):
                    writer.append(msgspec.structs.replace(body, run_id=run_id))
                    speakers = {
                        each: Speaker(key, log_id(run.log), clock=lambda: now[0]) for each, key in identities.items()
                    }
                elif author not in speakers:
                    if isinstance(body, Ticked):
                        writer.append(*batch)
                        batch, now[0] = [], body.now
                    batch.append(body)
                else:
                    if isinstance(body, Joined):
                        body = msgspec.structs.replace(body, name=called.get(author, ""))
                    batch += [Relayed(statement) for statement in speakers[author].say(change(body))]
            writer.append(*batch)
        return path


def watched(run: Simulated, share: float = 1.0) -> Watch:
    """Follow the first part of a run."""
    watch = Watch()
    for seq, (author, body) in enumerate(run.said[: round(share * len(run.said))]):
        watch.told(author, body, seq)
    return watch


@cache
def eventful() -> Simulated:
    """A run in which a liar is ejected, machines crash, somebody is dropped, and units are lost."""
    for seed in range(MOST_SEEDS):
        run = Simulated(seed, Scenario(liars=False), _Eventful)
        story = watched(run).story
        if run.report.ejected and any(life.dropped for life in story.lives.values()) and story.lost_units:
            return run
    raise AssertionError(f"in none of {MOST_SEEDS} simulations it happens")
