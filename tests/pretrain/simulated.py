"""A simulated run as a run's folder: a real log, signed by real keys, for whatever reads runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from blake3 import blake3

from quiltwork.keys import Identity
from quiltwork.log import Body, Relayed, Speaker, Writer, log_id
from quiltwork.pretrain.entries import Created, Joined, Ticked
from quiltwork.pretrain.facts import RunState
from quiltwork.pretrain.simulator import Scenario
from quiltwork.pretrain.simulator.simulation import _Simulation
from quiltwork.run import Run

MOST_SEEDS = 60

OWNER = Identity.from_seed(blake3(b"owner").digest())


def identity(place: int) -> Identity:
    """The key of the machine at a place."""
    return Identity.from_seed(blake3(place.to_bytes(4, "big")).digest())


class Simulated:
    """A simulation that has run: what was said, by whom, and the state that a member would have."""

    def __init__(self, seed: int, scenario: Scenario) -> None:
        simulation = _Simulation(seed, scenario)
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

    def write(self, path: Path, names: Sequence[str] = (), run_id: str = "simulated", entries: int = 1 << 62) -> Path:
        """Write the first entries of the run's log as a folder: what members say is relayed by the owner.

        Names, and losses that fall, change nothing that the fold computes.
        """
        identities = {identity(place).author: identity(place) for place in range(self.report.scenario.nodes)}
        called = {author: names[place] for place, author in enumerate(identities) if place < len(names)}
        Run.create(path, "pretrain", {"run_id": run_id}, OWNER).close()
        now = [0]
        with Run.open(path, drive=True, identity=OWNER) as run:
            writer = Writer(run.log, OWNER, clock=lambda: now[0])
            speakers: dict[bytes, Speaker] = {}
            batch: list[Body] = []
            for author, body in self.said[:entries]:
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
                    batch += [Relayed(statement) for statement in speakers[author].say(body)]
            writer.append(*batch)
        return path


def first_where(wanted: Callable[[Simulated], bool], start: int = 0) -> Simulated:
    """The first simulation, by seed, in which something happens. What a seed does may change; that some seed does it may not."""
    for seed in range(start, start + MOST_SEEDS):
        found = Simulated(seed, Scenario())
        if wanted(found):
            return found
    raise AssertionError(f"in none of {MOST_SEEDS} simulations from seed {start} on it happens")
