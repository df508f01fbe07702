"""How fast the log of a run of `pretrain` is folded: in one process, on one core, from signed entries to what is known.

Members are real nodes with the simulator's trainer; they speak through an owner who relays them, as in a run with a server.
To make a log quickly they look at one state, which is folded once for all: honest nodes that are not behind see the same.

Example: python benchmarks/pretrain_fold.py --members 4 64 256 --rounds 20 --json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from blake3 import blake3

from quiltwork.audit import AuditConfig
from quiltwork.keys import Identity
from quiltwork.log import Body, Entry, MemoryLog, Relayed, Speaker, Speakers, Writer, log_id
from quiltwork.pretrain.beacon import Onion
from quiltwork.pretrain.config import Coordinator
from quiltwork.pretrain.duties import Holdings
from quiltwork.pretrain.effects import Apply, Audit, Disclose, Effect, Fetch, Keep, Load, Result, Say, Train
from quiltwork.pretrain.entries import Created, Joined, Ticked
from quiltwork.pretrain.facts import Phase, RunState
from quiltwork.pretrain.node import Node
from quiltwork.pretrain.simulator.toy import MODEL_0, ToyTrainer
from quiltwork.pretrain.state import apply, apply_body

SECOND = 10**9
GOAL = 20_000
"""Entries per second: an hour of 256 members with rounds of ten seconds is read again in a quarter of a minute."""

TICKS = 20
"""Of the server in a round: every half second of ten."""


class Village:
    """Honest members of one run, all of whom have heard everything. Blobs are where everybody can have them."""

    def __init__(self, members: int, rounds: int, verified: float) -> None:
        self.owner = Identity.from_seed(blake3(b"owner").digest())
        self.keys = [Identity.from_seed(blake3(b"member %d" % place).digest()) for place in range(members)]
        self.state = RunState()
        self.said: list[tuple[bytes, Body]] = []
        self.blobs: dict[bytes, bytes] = {}
        rules = Coordinator(
            init_min_clients=members,
            max_clients=members,
            total_steps=rounds,
            verification_percent=verified,
            unit_sequences=1,
            global_batch_size_start=4 * members,
            global_batch_size_end=4 * members,
            waiting_for_members_extra_time=0,
            audit=AuditConfig(verifier_after=1),
        )
        self.tell(self.owner.author, Created("fold", rules.model_dump_json(), "{}", bytes(32), model=MODEL_0))
        self.tell(self.owner.author, Ticked(1_700_000_000 * SECOND))
        self.nodes = [self._node(key) for key in self.keys]
        self.trainers = [ToyTrainer(1_000_000) for _ in self.keys]

    def _node(self, key: Identity) -> Node:
        onion = Onion(blake3(key.author).digest(), 4_096)
        node = Node(key.author, Holdings(Joined(onion.anchor, (f"tcp://{key.author[:4].hex()}:7000",)), onion))
        node.state = self.state
        return node

    def tell(self, author: bytes, body: Body) -> None:
        """Say something to all."""
        apply_body(self.state, author, body, len(self.said))
        self.said.append((author, body))

    def live(self) -> None:
        """Let everybody do all that is wanted, and let time pass, until the run is over."""
        while self.state.phase is not Phase.FINISHED:
            for node, trainer in zip(self.nodes, self.trainers, strict=True):
                for effect in node.effects():
                    result = self._do(node, trainer, effect)
                    node.done(effect, result)
            self.tell(self.owner.author, Ticked(self.state.now + 10 * SECOND // TICKS))

    def _do(self, node: Node, trainer: ToyTrainer, effect: Effect) -> Result:
        match effect:
            case Say():
                self.tell(node.author, effect.body)
            case Load():
                return trainer.load(effect, b"")
            case Fetch():
                return ""
            case Train():
                trained, self.blobs[trained.payload] = (made := trainer.train(effect))[0], made[1]
                return trained
            case Apply():
                return trainer.apply(effect)
            case Keep():
                return trainer.keep(effect.round)[0]
            case Disclose():
                disclosed, blob = trainer.disclose(effect)
                self.blobs[disclosed.disclosure] = blob
                return disclosed
            case Audit():
                return trainer.audit(effect, self.blobs[effect.committed.payload], self.blobs[effect.disclosure])
        return None

    def log(self) -> MemoryLog:
        """The run as a log: members' statements, relayed by the owner."""
        log, batch = MemoryLog(), list[Body]()
        writer = Writer(log, self.owner)
        speakers: dict[bytes, Speaker] = {}
        for author, body in self.said:
            if author != self.owner.author:
                batch += [Relayed(statement) for statement in speakers[author].say(body)]
            elif isinstance(body, Created):
                writer.append(body)
                speakers = {key.author: Speaker(key, log_id(log)) for key in self.keys}
            else:
                batch.append(body)
            if len(batch) >= 100:
                writer.append(*batch)
                batch = []
        if batch:
            writer.append(*batch)
        return log


class Measured(NamedTuple):
    """One line of the table. Speeds are entries per second of the processor."""

    members: int
    rounds: int
    entries: int
    heard: float
    """Decoded, and said by whom."""
    folded: float
    whole: float
    with_signatures: float


def speed(count: int, repeats: int, action: Callable[[], object]) -> float:
    """The best of some repeats: the others were disturbed."""
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        action()
        best = min(best, time.process_time() - start)
    return count / best


def hear(entries: list[Entry], *, signatures: bool = False) -> Speakers:
    speakers = Speakers(signatures=signatures)
    for entry in entries:
        speakers.hear(entry)
    return speakers


def fold(entries: list[Entry], *, signatures: bool = False) -> RunState:
    state = RunState(speakers=Speakers(signatures=signatures))
    for entry in entries:
        apply(state, entry)
    return state


def fold_bodies(said: list[tuple[bytes, Body]]) -> RunState:
    state = RunState()
    for seq, (author, body) in enumerate(said):
        apply_body(state, author, body, seq)
    return state


def measure(members: int, rounds: int, verified: float, repeats: int) -> Measured:
    village = Village(members, rounds, verified)
    village.live()
    entries = list(village.log().read())
    state = fold(entries)
    assert (state.step, state.issue_count) == (rounds, 0)
    assert state.agreed == village.state.agreed
    count = len(entries)
    return Measured(
        members,
        rounds,
        count,
        speed(count, repeats, lambda: hear(entries)),
        speed(count, repeats, lambda: fold_bodies(village.said)),
        speed(count, repeats, lambda: fold(entries)),
        speed(count, 1, lambda: fold(entries, signatures=True)),
    )


def surroundings() -> dict[str, str]:
    """When and where it was measured, and beside how much else: processes that wait for a core make each slower."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}",
        "load": "/".join(f"{load:.1f}" for load in os.getloadavg()),
    }


def told(results: list[Measured]) -> Iterator[str]:
    yield f"{'MEMBERS':>8}{'ROUNDS':>8}{'ENTRIES':>9}{'DECODED/S':>12}{'FOLDED/S':>11}{'BOTH/S':>10}{'+SIGNATURES/S':>15}"
    for each in results:
        yield (
            f"{each.members:>8}{each.rounds:>8}{each.entries:>9,}{each.heard:>12,.0f}{each.folded:>11,.0f}"
            f"{each.whole:>10,.0f}{each.with_signatures:>15,.0f}"
        )
    yield f"The goal is {GOAL:,} entries a second, decoded and folded."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, nargs="+", default=[4, 64, 256])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--verified", type=float, default=10.0, help="verification_percent [default: 10]")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    results = [measure(members, options.rounds, options.verified, options.repeats) for members in options.members]
    if options.json:
        print(json.dumps({**surroundings(), "goal": GOAL, "rows": [each._asdict() for each in results]}, indent=1))
    else:
        print("\n".join(told(results)))


if __name__ == "__main__":
    main()
