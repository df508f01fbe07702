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
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "peers"))

from averagers import GIVE_UP_S, PEERS
from environments import make_one

ROOT = Path(__file__).resolve().parents[1]
AVERAGERS = ROOT / "benchmarks" / "peers" / "averagers.py"
RESULTS = ROOT / "benchmarks" / "results" / "pretrain_peers.json"
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- averaging -->", "<!-- /averaging -->"
ENVIRONMENT = Path("~/.cache/quiltwork/peers/hivemind").expanduser()
HIVEMIND = "hivemind==1.1.12"

SIZES = (1024, 2048)
"""Sides of the matrix: 1.05 and 4.19 million fp32 values."""

WRONG = 1e-3
"""A difference from the exact mean, of values around 1, that no rounding explains: what came out is no average."""

KILLED_AT = 0.4
"""Share of the median time after which one peer is killed."""

PRIORITY = -10

START_S = 180.0
"""Until all peers are there, on a busy machine."""


class Swarm:
    """Peers below this process; `hear` gives what any of them says next."""

    def __init__(self, python: str, role: str, side: int, folder: Path, *more: str) -> None:
        self.folder = folder
        self._words = [python, str(AVERAGERS), "--role", role, "--side", str(side)]
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
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started ends, too
    results = measure(args)
    print(table(results["parts"]))
    if args.docs:
        publish(results)


if __name__ == "__main__":
    main()
