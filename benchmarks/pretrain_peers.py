"""Four peers average one tensor: hivemind's, and ours, as real processes on loopback, one after the other in one call.

    hivemind, group found     `DecentralizedAverager`, whose group was formed before the clock starts (as its Optimizer does)
    hivemind                  the same, with finding the group
    exchange                  every peer puts its payload into its store and fetches the three others' (`blobs.exchange`);
                              the driver tells the names
    round                     a whole round of a run: server, signed log, witnesses, agreement on the hash of the result
    round, compressed         the same with what a run really sends, DeMo-exact's update of the tensor: no average, less data

The clock starts when the first peer, all having their tensors, begins, and ends when the last one has the average. In the last
part of each, one peer is killed (SIGKILL) in the middle.

hivemind 1.1.12 has an environment of its own, made at the first call (`peers/environments.py`, some 900 MB). Results are kept
after every part: a second call goes on.

Example: python benchmarks/pretrain_peers.py --docs
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import queue
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "pretrain_peers.json"
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- averaging -->", "<!-- /averaging -->"
ENVIRONMENT = Path("~/.cache/quiltwork/peers/hivemind").expanduser()
HIVEMIND = "hivemind==1.1.12"

PEERS = 4
SIZES = (1024, 2048)
"""Sides of the matrix: 1.05 and 4.19 million fp32 values."""

FRESH_VALUES = 1024
"""That differ from one repetition to the next, so that no payload is that of before."""

WRONG = 1e-3
"""A difference from the exact mean, of values around 1, that no rounding explains: what came out is no average."""

KILLED_AT = 0.4
"""Share of the median time after which one peer is killed."""

GIVE_UP_S = 60.0
"""hivemind's `averaging_timeout`; ours has a round's longest time of as much."""

NEXT_CHUNK_S = 15.0
"""hivemind's Optimizer's default; the averager alone would wait for ever."""

PRIORITY = -10

START_S = 180.0
"""Until all peers are there, on a busy machine."""


class Tensors:
    """What peer `index` has in each repetition: mostly the same."""

    def __init__(self, side: int, index: int) -> None:
        self._index = index
        self._values = np.random.default_rng(index).standard_normal((side, side), dtype=np.float32)

    def of(self, repetition: int) -> np.ndarray:
        """A fresh copy."""
        values = self._values.copy()
        draws = np.random.default_rng((self._index, repetition)).standard_normal(FRESH_VALUES, dtype=np.float32)
        values.reshape(-1)[:FRESH_VALUES] = draws
        return values


def exact_mean(side: int, weights: dict[int, int], repetition: int) -> np.ndarray:
    """Of these peers' tensors, in fp64."""
    parts = (weight * Tensors(side, index).of(repetition).astype(np.float64) for index, weight in weights.items())
    return sum(parts, np.zeros((side, side))) / sum(weights.values())


def encode(tensor: np.ndarray) -> bytes:
    """The payload of an optimizer that sends whole gradients."""
    from quiltwork.pretrain.codec.base import Kind
    from quiltwork.pretrain.codec.dense import encode_dense

    return encode_dense(Kind.ADAMW, [tensor])


def decode(payload: bytes, side: int) -> np.ndarray:
    """And back."""
    from quiltwork.pretrain.codec.base import Kind
    from quiltwork.pretrain.codec.dense import decode_dense

    return decode_dense(Kind.ADAMW, [(side, side)], payload)[0]


def mean(parts: list[tuple[int, np.ndarray]]) -> np.ndarray:
    """By weights, in fp32, in their order: so that all peers get the same bits."""
    total = np.zeros_like(parts[0][1])
    for weight, part in parts:
        total += np.float32(weight) * part
    return total / np.float32(sum(weight for weight, _ in parts))


def tell(**what: Any) -> None:
    """One line for the driver."""
    print(json.dumps(what), flush=True)


# --- peers: each is a process that hears lines and says lines --------------------------------------------------------------


def hivemind_peer(args: argparse.Namespace) -> None:
    """Runs in hivemind's environment."""
    import torch
    from hivemind import DHT
    from hivemind.averaging import DecentralizedAverager
    from hivemind.averaging.allreduce import AllreduceException
    from hivemind.averaging.control import AveragingStage
    from hivemind.averaging.matchmaking import MatchmakingException
    from hivemind.p2p import P2PDaemonError

    torch.set_num_threads(1)
    tensors = Tensors(args.side, args.index)
    dht = DHT(initial_peers=args.join or None, start=True)
    averager = DecentralizedAverager(
        [torch.from_numpy(tensors.of(0))],
        dht,
        start=True,
        prefix="bench",
        target_group_size=PEERS,
        allreduce_timeout=GIVE_UP_S,
        next_chunk_timeout=NEXT_CHUNK_S,
    )
    tell(here=[str(address) for address in dht.get_visible_maddrs()])
    control = None
    for line in sys.stdin:
        said = json.loads(line)
        repetition = said["repetition"]
        if said["do"] == "prepare":
            with averager.get_tensors() as held:
                held[0].copy_(torch.from_numpy(tensors.of(repetition)))
            found = True
            if said["find_first"]:
                control = averager.step(
                    gather=args.index, wait=False, require_trigger=True, timeout=GIVE_UP_S, allow_retries=False
                )
                until = time.monotonic() + GIVE_UP_S
                while control.stage.value < AveragingStage.AWAITING_TRIGGER.value and time.monotonic() < until:
                    time.sleep(0.02)
                found = control.stage is AveragingStage.AWAITING_TRIGGER
            tell(ready=repetition, found=found)
            continue
        began = time.time()
        why, group = "", None
        try:
            if control is not None:
                control.allow_allreduce()
                group = control.result(GIVE_UP_S + 5)
            else:
                group = averager.step(gather=args.index, timeout=GIVE_UP_S, allow_retries=False)
        except (AllreduceException, MatchmakingException, P2PDaemonError, CancelledError, TimeoutError) as error:
            why = repr(error)[:300]
        done = time.time()
        control = None
        indexes = sorted(group.values()) if group else []
        wrong = None
        if indexes:
            with averager.get_tensors() as held:
                wrong = float(
                    np.abs(held[0].numpy() - exact_mean(args.side, dict.fromkeys(indexes, 1), repetition)).max()
                )
        tell(done=repetition, began=began, at=done, of=indexes, wrong=wrong, why=why)
    averager.shutdown()
    dht.shutdown()


def exchange_peer(args: argparse.Namespace) -> None:
    """Ours, without a run: the names of payloads come from the driver."""
    asyncio.run(_exchange_peer(args))


async def _exchange_peer(args: argparse.Namespace) -> None:
    import torch

    from quiltwork.blobs import FolderBlobs
    from quiltwork.blobs.exchange import PROTOCOL, Exchange
    from quiltwork.blobs.tcp import TcpTransport
    from quiltwork.pretrain.optimizers.base import root

    torch.set_num_threads(1)
    tensors = Tensors(args.side, args.index)
    loop, heard = asyncio.get_running_loop(), asyncio.Queue[dict[str, Any]]()

    def listen() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(heard.put_nowait, json.loads(line))
        loop.call_soon_threadsafe(heard.put_nowait, {"do": "end"})

    threading.Thread(target=listen, daemon=True).start()
    async with Exchange(FolderBlobs(args.folder / "blobs"), [TcpTransport(PROTOCOL)]) as exchange:
        tell(here=exchange.addresses)
        while (said := await heard.get())["do"] != "end":
            repetition = said["repetition"]
            mine = tensors.of(repetition)
            tell(ready=repetition, found=True)
            assert (await heard.get())["do"] == "go"
            began = time.time()

            def encoded(mine: np.ndarray = mine) -> tuple[bytes, str]:
                payload = encode(mine)
                return payload, exchange.store.put(payload)

            payload, id = await asyncio.to_thread(encoded)
            tell(offer=id, size=len(payload), index=args.index, addresses=exchange.addresses)
            payloads = {args.index: payload}

            async def fetch(offer: dict[str, Any], payloads: dict[int, bytes] = payloads) -> None:
                got = await exchange.fetch(offer["offer"], offer["size"], offer["addresses"], deadline_s=GIVE_UP_S)
                payloads[offer["index"]] = got.data

            async with asyncio.TaskGroup() as fetching:
                for _ in range(PEERS - 1):
                    fetching.create_task(fetch(await heard.get()))

            def averaged(payloads: dict[int, bytes] = payloads) -> tuple[Any, str]:
                found = mean([(1, decode(payloads[index], args.side)) for index in sorted(payloads)])
                return found, root({"tensor": torch.from_numpy(found)}).hex()

            found, hash = await asyncio.to_thread(averaged)
            done = time.time()
            wrong = float(np.abs(found - exact_mean(args.side, dict.fromkeys(payloads, 1), repetition)).max())
            tell(done=repetition, began=began, at=done, of=sorted(payloads), wrong=wrong, why="", hash=hash)


def round_peer(args: argparse.Namespace) -> None:
    """Ours, a member of a run whose trainer trains nothing: it has its tensor."""
    from quiltwork.pretrain.join import join

    folder = args.folder / f"member{args.index}"
    asyncio.run(join(args.invitation, folder, name=f"m{args.index}", threads=1, make=_averaging(args)))


def _averaging(args: argparse.Namespace) -> Callable[..., Any]:
    import torch

    from quiltwork.audit import Kind
    from quiltwork.pretrain.effects import Applied, Apply, Train
    from quiltwork.pretrain.optimizers.base import Step, optimizer_of
    from quiltwork.pretrain.trainer import Model, Trainer, Worked

    class Mean:
        """An optimizer whose update is the tensor, and whose model is the mean."""

        begin = begin_own = staticmethod(lambda parameters: {})

        def local_step(
            self, parameters: Any, shared: Any, own: Any, batches: Any, gradient: Any, **rates: float
        ) -> Step:
            found, loss = gradient(parameters, batches[0])
            return Step(encode(found["tensor"].numpy()), {}, loss)

        def check(self, payload: bytes, parameters: Any) -> None:
            decode(payload, args.side)

        def aggregate(self, parameters: Any, shared: Any, updates: Any, lr: float) -> tuple[Any, Any]:
            return {"tensor": torch.from_numpy(mean([(w, decode(data, args.side)) for w, data in updates]))}, shared

    class Averaging(Trainer):
        """A trainer that has its gradient already. A commitment's loss says whose it is."""

        def __init__(
            self, recipe: Any, *, unit_sequences: int, folder: Path, blobs: Any, threads: int, **_: Any
        ) -> None:
            torch.set_num_threads(threads)
            self.recipe, self.blobs, self.unit_sequences = recipe, blobs, unit_sequences
            self.kind = Kind(dtype="fp32", device="cpu")
            self.optimizer: Any = optimizer_of(recipe.optimizer) if args.compressed else Mean()
            first = {"tensor": torch.zeros(args.side, args.side)}
            self._first = Model(first, self.optimizer.begin(first))
            self.models, self._states = {}, folder / "states"
            self._states.mkdir(parents=True, exist_ok=True)
            self._tensors = Tensors(args.side, args.index)
            self.data: Any = self

        def fingerprint(self) -> bytes:
            return b"no data"

        def work(self, train: Train) -> Worked:
            mine = {"tensor": torch.from_numpy(self._tensors.of(train.round))}
            tell(began=train.round, at=time.time(), index=args.index)
            found = self.optimizer.local_step(
                *self._model(train.base),
                self.own(train.own, train.base),
                [torch.zeros(1, 2)],
                lambda parameters, batch: (mine, float(args.index)),
                lr=self._rate(train.step),
                previous_lr=self._rate(train.step - 1),
            )
            return found.payload, found.own, float(args.index)

        def apply(self, apply: Apply) -> Applied:
            applied = super().apply(apply)
            done, closed = time.time(), apply.closed
            weights = {int(commit.body.loss): len(commit.body.units) for commit in closed.updates}
            of = sorted(weights)
            size = max((commit.body.size for commit in closed.commits), default=0)
            tell(done=closed.number, at=done, of=of, hash=applied.model.hex(), size=size, index=args.index)
            if not args.compressed and args.index == 0 and closed.number == CHECKED and of:
                found = self._model(closed.number).parameters["tensor"].numpy()
                tell(wrong=float(np.abs(found - exact_mean(args.side, weights, closed.number)).max()), index=0)
            return applied

    return Averaging


CHECKED = 2
"""The repetition, not a counted one, whose mean is compared with the exact one: that takes time from the next."""


# --- the driver ------------------------------------------------------------------------------------------------------------


class Swarm:
    """Peers below this process; `hear` gives what any of them says next."""

    def __init__(self, python: str, role: str, side: int, folder: Path, *more: str) -> None:
        self.folder = folder
        self._words = [python, str(Path(__file__).resolve()), "--role", role, "--side", str(side)]
        self._words += ["--folder", str(folder), *more]
        self.peers: list[subprocess.Popen[str]] = []
        self._killed: set[int] = set()
        self._said: queue.Queue[tuple[int, dict[str, Any]]] = queue.Queue()

    def start(self, *more: str) -> None:
        """One more peer."""
        index = len(self.peers)
        errors = (self.folder / f"peer{index}.txt").open("w")
        peer = subprocess.Popen(
            [*self._words, "--index", str(index), *more],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            start_new_session=True,  # it is killed with all that it started
        )
        self.peers.append(peer)
        threading.Thread(target=self._listen, args=(index, peer), daemon=True).start()

    def _listen(self, index: int, peer: subprocess.Popen[str]) -> None:
        assert peer.stdout is not None
        for line in peer.stdout:
            if line.startswith("{"):
                self._said.put((index, json.loads(line)))

    def hear(self, seconds: float) -> tuple[int, dict[str, Any]]:
        """Raises RuntimeError if nobody says anything for so long, or one has ended that was not killed."""
        until = time.monotonic() + seconds
        while True:
            try:
                return self._said.get(timeout=1.0)
            except queue.Empty:
                pass
            ended = [n for n, peer in enumerate(self.peers) if peer.poll() is not None and n not in self._killed]
            if ended or time.monotonic() > until:
                what = f"peer {ended[0]} ended" if ended else f"no peer said anything for {seconds:g} s"
                tails = [path.read_text()[-600:] for path in sorted(self.folder.glob("peer*.txt"))]
                raise RuntimeError(f"{what}; they said before:\n" + "\n".join(tails))

    def hear_all(self, what: str, of: set[int], seconds: float) -> dict[int, dict[str, Any]]:
        """The next of this kind from each of these peers; offers are passed on to the others."""
        found: dict[int, dict[str, Any]] = {}
        while set(found) < of:
            index, said = self.hear(seconds)
            if what in said:
                found[index] = said
            elif "offer" in said:
                self.say({"do": "fetch", **said}, set(range(len(self.peers))) - {index})
        return found

    def say(self, what: dict[str, Any], to: set[int]) -> None:
        """The same to each of these."""
        for index in to:
            pipe = self.peers[index].stdin
            assert pipe is not None
            pipe.write(json.dumps(what) + "\n")
            pipe.flush()

    def kill(self, index: int) -> None:
        """With all its processes, as when its machine fails."""
        self._killed.add(index)
        os.killpg(self.peers[index].pid, signal.SIGKILL)
        self.peers[index].wait()

    def end(self) -> None:
        """Whatever they are doing."""
        for index, peer in enumerate(self.peers):
            if peer.poll() is None:
                self.kill(index)


@contextmanager
def swarm(role: str, side: int, *more: str, python: str = sys.executable) -> Iterator[Swarm]:
    """A swarm without peers yet, which ends with the block."""
    with tempfile.TemporaryDirectory(prefix="quiltwork-peers-") as folder:
        made = Swarm(python, role, side, Path(folder), *more)
        try:
            yield made
        finally:
            made.end()


def commanded(role: str, side: int, repetitions: int, *, find_first: bool, kill: bool) -> dict[str, Any]:
    """Hivemind's averager, or the exchange: told when to begin. The first repetition is not counted."""
    python = str(ENVIRONMENT / "bin" / "python") if role == "hivemind" else sys.executable
    with swarm(role, side, python=python) as peers:
        everybody = set(range(PEERS))
        peers.start()
        addresses = peers.hear_all("here", {0}, START_S)[0]["here"]
        for _ in range(1, PEERS):
            peers.start("--join", *addresses)
        peers.hear_all("here", everybody - {0}, START_S)
        found: list[dict[str, Any]] = []
        for repetition in range(repetitions + 1):
            found.append(_commanded_once(peers, everybody, repetition, find_first))
        accident = None
        if kill:
            middle = statistics.median(each["seconds"] for each in found[1:] if each["lost"] == 0)
            accident = _commanded_once(peers, everybody, repetitions + 1, find_first, kill_after_s=KILLED_AT * middle)
            survivors = everybody - {PEERS - 1}
            accident["next"] = _commanded_once(peers, survivors, repetitions + 2, find_first)
    return {"repetitions": found[1:], "accident": accident}


def _commanded_once(
    peers: Swarm, who: set[int], repetition: int, find_first: bool, kill_after_s: float | None = None
) -> dict[str, Any]:
    peers.say({"do": "prepare", "repetition": repetition, "find_first": find_first}, who)
    ready = peers.hear_all("ready", who, START_S)
    peers.say({"do": "go", "repetition": repetition}, who)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        peers.kill(PEERS - 1)
        who = who - {PEERS - 1}
    done = peers.hear_all("done", who, 3 * GIVE_UP_S)
    return _judged(
        {index: (said["began"], said["at"], said["of"], said["wrong"], said["why"]) for index, said in done.items()},
        {index for index, said in ready.items() if not said["found"]},
    )


def _judged(done: dict[int, tuple[float, float, list[int], float | None, str]], groupless: set[int]) -> dict[str, Any]:
    """One repetition: `lost` counts the peers without the average of all of `done`, `seconds` is the last one's time."""
    start = min(began for began, *_ in done.values())
    return {
        "seconds": max(at for _, at, *_ in done.values()) - start,
        "each": {index: at - start for index, (_, at, *_) in sorted(done.items())},
        "lost": sum(len(of) < len(done) or (wrong or 0.0) > WRONG for _, _, of, wrong, _ in done.values()),
        "of": {index: of for index, (_, _, of, *_) in sorted(done.items())},
        "wrong_each": {index: wrong for index, (_, _, _, wrong, _) in sorted(done.items())},
        "wrong": max((wrong for _, _, _, wrong, _ in done.values() if wrong is not None), default=None),
        "why": sorted({why for *_, why in done.values() if why}),
        "groupless": len(groupless),
    }


RUN = """run_id = "averaging"
[config]
init_min_clients = {peers}
min_clients = 2
total_steps = 100000
global_batch_size_start = {units}
global_batch_size_end = {units}
unit_sequences = 1
max_round_train_time = {patience}
round_witness_time = {patience}
warmup_time = 120.0
epoch_time = 36000.0
waiting_for_members_extra_time = 0.5
checkpoint_rounds = 100000
verification_percent = 0.0
[model]
kind = "gpt"
context = 8
[optimizer]
kind = "{optimizer}"
{dials}
[lr_schedule]
kind = "constant"
base_lr = 0.001
[data]
sequence_length = 8
[[data.sources]]
name = "none"
files = ["none.bin"]
dtype = "uint8"
"""


def rounds(side: int, repetitions: int, *, compressed: bool, kill: bool) -> dict[str, Any]:
    """Rounds of a real run. The first three are not counted: connections are made, and speeds become known."""
    from quiltwork.pretrain.recipe import load
    from quiltwork.pretrain.serve import Coordinator, create

    with swarm("round", side, *(["--compressed"] if compressed else [])) as peers:
        os.environ["QUILTWORK_HOME"] = str(peers.folder / "home")
        optimizer, dials = ("demo_exact", "kept = 8") if compressed else ("adamw", "")
        config = peers.folder / "run.toml"
        config.write_text(
            RUN.format(peers=PEERS, units=UNITS * PEERS, patience=GIVE_UP_S, optimizer=optimizer, dials=dials)
        )
        create(peers.folder / "run", load(config))
        coordinator = Coordinator(peers.folder / "run", host="127.0.0.1", port=0)
        serving = threading.Thread(target=lambda: asyncio.run(coordinator.serve()))
        serving.start()
        try:
            for _ in range(PEERS):
                peers.start("--invitation", coordinator.invitation)
            found = _rounds(peers, repetitions, kill=kill)
            closed = list(coordinator.state.closed.values())[UNCOUNTED : UNCOUNTED + repetitions]
            return found | {"stages": _stages(closed)}
        finally:
            peers.end()
            coordinator.stop()
            serving.join()
            coordinator.close()


UNCOUNTED = 3
UNITS = 8
"""For each peer. They are given out in proportion to speed: of as many units as peers, a slow one would get none."""


def _rounds(peers: Swarm, repetitions: int, *, kill: bool) -> dict[str, Any]:
    began: dict[int, dict[int, float]] = {}
    done: dict[int, dict[int, dict[str, Any]]] = {}
    wrong, size, alive, killed_in = None, 0, set(range(PEERS)), 0
    last = UNCOUNTED + repetitions
    victim = PEERS - 1

    def step(seconds: float) -> tuple[int, dict[str, Any]]:
        nonlocal wrong, size
        index, said = peers.hear(seconds)
        if "began" in said:
            began.setdefault(said["began"], {})[index] = said["at"]
        elif "done" in said:
            done.setdefault(said["done"], {})[index] = said
            size = said["size"]
        elif "wrong" in said:
            wrong = said["wrong"]
        return index, said

    def complete(number: int) -> bool:
        return alive <= set(done.get(number, {}))

    while not complete(last):
        step(START_S)
    found = [_round(began[number], done[number]) for number in range(UNCOUNTED + 1, last + 1)]
    accident = None
    if kill:
        middle = statistics.median(each["seconds"] for each in found)
        while not killed_in:
            index, said = step(START_S)
            if index == victim and said.get("began", 0) > last:
                time.sleep(KILLED_AT * middle)
                peers.kill(victim)
                alive, killed_in = alive - {victim}, said["began"]
        while not complete(killed_in + 1):
            step(3 * GIVE_UP_S)
        survivors = [
            _round(began[number], {index: said for index, said in done[number].items() if index != victim})
            for number in (killed_in, killed_in + 1)
        ]
        accident = survivors[0] | {"next": survivors[1]}
    return {"repetitions": found, "accident": accident, "wrong": wrong, "size": size}


def _stages(closed: list[Any]) -> dict[str, float]:
    """Medians of a round's stages, in seconds: until all have put their payloads on the server, until all have fetched all."""
    committed = [(max(commit.at for commit in each.commits) - each.opened) / 1e9 for each in closed if each.commits]
    witnessed = [(each.closed - max(commit.at for commit in each.commits)) / 1e9 for each in closed if each.commits]
    return {"committed": statistics.median(committed), "fetched": statistics.median(witnessed)}


def _round(began: dict[int, float], done: dict[int, dict[str, Any]]) -> dict[str, Any]:
    start = min(began.values())
    judged = _judged({index: (start, said["at"], said["of"], None, "") for index, said in done.items()}, set())
    return judged | {"hashes": len({said["hash"] for said in done.values()})}


# --- results ---------------------------------------------------------------------------------------------------------------

PARTS: dict[str, Callable[[int, int], dict[str, Any]]] = {
    "hivemind, group found": lambda side, count: commanded("hivemind", side, count, find_first=True, kill=True),
    "hivemind": lambda side, count: commanded("hivemind", side, count, find_first=False, kill=True),
    "exchange": lambda side, count: commanded("exchange", side, count, find_first=False, kill=False),
    "round": lambda side, count: rounds(side, count, compressed=False, kill=True),
    "round, compressed": lambda side, count: rounds(side, count, compressed=True, kill=True),
}
BASE = "hivemind, group found"


def middle(part: dict[str, Any]) -> float:
    """The median time of the repetitions in which nobody was lost; of all, if there are none."""
    good = [each["seconds"] for each in part["repetitions"] if not each["lost"]]
    return statistics.median(good or [each["seconds"] for each in part["repetitions"]])


def table(parts: dict[str, dict[str, Any]]) -> str:
    """What was measured, with each part's ratio to hivemind's averager whose group was found before."""
    lines = [
        "| million values | what | s, median (least to most) | beside hivemind, group found | without the average | "
        "largest error | one of four killed: s, average of | the next time, s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for side in SIZES:
        base = parts.get(f"{BASE}, {side}")
        for name in PARTS:
            part = parts.get(f"{name}, {side}")
            if part is None:
                continue
            took = [each["seconds"] for each in part["repetitions"]]
            lost, chances = sum(each["lost"] for each in part["repetitions"]), PEERS * len(took)
            ratio = "" if base is None or part is base else _ratio(middle(base) / middle(part))
            errors = [each["wrong"] for each in part["repetitions"] if each["wrong"] is not None]
            wrong = part.get("wrong") or max(errors, default=None)
            lines.append(
                f"| {side * side / 1e6:.2f} | {name} | {middle(part):.2f} ({min(took):.2f} to {max(took):.2f}) | {ratio} | "
                f"{lost} of {chances} | {'' if wrong is None else f'{wrong:.1e}'} | {_accident(part['accident'])} |"
            )
    return "\n".join(lines)


def _ratio(faster: float) -> str:
    return f"{faster:.1f} times as fast" if faster >= 1 else f"**{1 / faster:.1f} times slower**"


def _accident(accident: dict[str, Any] | None) -> str:
    if accident is None:
        return " | "
    of = sorted({len(indexes) for indexes in accident["of"].values()})
    got = f"{accident['seconds']:.1f}, of " + " or ".join(map(str, of))
    if accident["wrong"] is not None and accident["wrong"] > WRONG:
        got += f", wrong by up to {accident['wrong']:.1f}"
    following = accident["next"]
    return f"{got} | {following['seconds']:.1f}" + (f", {following['lost']} lost" if following["lost"] else "")


def load_results() -> dict[str, Any]:
    """What earlier calls measured."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {"parts": {}}


def publish(results: dict[str, Any]) -> None:
    """Write the table into the page."""
    dates = sorted(part["measured"] for part in results["parts"].values())
    loads = [part["load"] for part in results["parts"].values()]
    notes = (
        f"Measured {dates[0]} to {dates[-1]} UTC on {results['machine']}; load when each part began {min(loads):.1f} to "
        f"{max(loads):.1f}. Source: `benchmarks/results/pretrain_peers.json`."
    )
    page = PAGE.read_text()
    if BEGIN not in page:
        sys.exit(f"{PAGE} has no place for the table: {BEGIN} and {END}.")
    written = f"{BEGIN}\n\n{table(results['parts'])}\n\n{notes}\n\n{END}"
    PAGE.write_text(re.sub(f"{BEGIN}.*?{END}", lambda _: written, page, flags=re.DOTALL))


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """All parts that are wanted and not there yet."""
    sys.path.insert(0, str(ROOT / "benchmarks" / "peers"))
    from environments import make_one

    constraints = ROOT / "benchmarks" / "peers" / "constraints-hivemind.txt"
    with_hivemind = make_one(ENVIRONMENT, [HIVEMIND, "-c", str(constraints)])
    if not with_hivemind:
        print("There is no hivemind to measure beside ours: its parts are left out.", file=sys.stderr)
    results = load_results()
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    results["machine"] = machine
    prefer()
    for side in SIZES:
        for name, part in PARTS.items():
            key = f"{name}, {side}"
            if args.only not in key or (key in results["parts"] and not args.again):
                continue
            if name.startswith("hivemind") and not with_hivemind:
                continue
            load = os.getloadavg()[0]
            found = part(side, args.repetitions)
            found |= {"measured": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"), "load": load}
            results["parts"][key] = found
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
            print(f"{key}: {middle(found):.3f} s", file=sys.stderr, flush=True)
    return results


def prefer() -> None:
    """Let this process and its children go before other work of the machine, if root asks: all parts alike."""
    if os.geteuid() == 0:
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=8, help="that are counted, of each part")
    parser.add_argument("--only", default="", help="parts whose name holds this")
    parser.add_argument("--again", action="store_true", help="measure what has been measured, too")
    parser.add_argument("--docs", action="store_true", help=f"write the table into {PAGE.relative_to(ROOT)}")
    parser.add_argument("--role", choices=("hivemind", "exchange", "round"), help=argparse.SUPPRESS)
    parser.add_argument("--side", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--index", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--invitation", help=argparse.SUPPRESS)
    parser.add_argument("--compressed", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--join", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.role:
        {"hivemind": hivemind_peer, "exchange": exchange_peer, "round": round_peer}[args.role](args)
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started ends, too
    results = measure(args)
    print(table(results["parts"]))
    if args.docs:
        publish(results)


if __name__ == "__main__":
    main()
