"""How soon a member that joins in the middle contributes, and what the death of one of four workers costs.

A run of the preset `demo` (a million parameters) over loopback, its server and workers started as users start them. While three
train, a fourth joins: its time goes from the start of the process to its first commitment that is accepted. Then it is killed
(SIGKILL), the others go on, and it is started again in the same folder. Times are wall time; beside them stands the processor
time of the process, which says more where others use the machine as well.

Example: python benchmarks/pretrain_join.py --docs
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import tomli_w

from quiltwork.log import Entry, SqliteLog, Statement, decode
from quiltwork.log.statement import said_in
from quiltwork.pretrain.entries import Joined, Ready
from quiltwork.pretrain.facts import Closed, RunState
from quiltwork.pretrain.recipe import load
from quiltwork.pretrain.state import apply

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "pretrain_join.json"
PAGE = ROOT / "docs" / "pretrain.md"
BEGIN, END = "<!-- join -->", "<!-- /join -->"
PROGRAM = [sys.executable, "-m", "quiltwork.cli.main", "pretrain"]
NAMES = ("amber", "blue", "coral", "delta")
VICTIM = NAMES[-1]
PATIENCE_S = 600.0

ROUNDS_BEFORE = 26
"""When the fourth joins: there is a checkpoint of round 20 by then, and rounds to replay."""

ROUNDS_AFTER = 8
"""For which the others go on without who was killed."""

STAGES = """
import json, time
laps, began, cpu = {}, time.monotonic(), time.process_time()
def lap(name):
    global began, cpu
    now, used = time.monotonic(), time.process_time()
    laps[name] = [now - began, used - cpu]
    began, cpu = now, used
laps["python"] = [0.0, time.process_time()]
import quiltwork.pretrain.commands, quiltwork.pretrain.join
lap("the program without torch")
import torch
lap("torch")
import quiltwork.pretrain.loop
import tempfile
from pathlib import Path
from quiltwork.pretrain.home import Home
from quiltwork.pretrain.recipe import load, recipe_of
from quiltwork.pretrain.trainer import Trainer, data_fingerprint
lap("the program with torch")
folder = Path(tempfile.mkdtemp())
recipe = recipe_of(load("demo").created(seed=bytes(32), version="0"))
from quiltwork.pretrain.data.opening import open_dataset
open_dataset(recipe.data)
lap("opening the data")
trainer = Trainer(recipe, unit_sequences=4, folder=folder, blobs=Home(folder).shelf, threads=1)
data_fingerprint(trainer)
lap("building the model")
print(json.dumps(laps))
"""


class Run:
    """A server and workers below a folder."""

    def __init__(self, folder: Path, nice: int) -> None:
        self.folder, self.run, self._nice = folder, folder / "run", nice
        config = load("demo").model_dump(mode="json", exclude_unset=True)
        config["config"] |= {"total_steps": 1_000_000, "verification_percent": 0.0}
        config["lr_schedule"] = {"kind": "constant", "base_lr": 0.001}
        (folder / "run.toml").write_text(tomli_w.dumps(config))
        self.env = {**os.environ, "OMP_NUM_THREADS": "1", "QUILTWORK_HOME": str(folder / "home")}
        if self.env.pop("PYTHONDONTWRITEBYTECODE", ""):  # as users have it: compiled modules are kept
            self.env["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
        self.state, self.closed = RunState(), dict[int, Closed]()
        self.heard: list[tuple[int, Entry | Statement]] = []
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a command of `quiltwork pretrain`."""
        with open(self.folder / f"{words[0]}-{len(self._processes)}.out", "wb") as output:
            process = subprocess.Popen(
                [*PROGRAM, *words],
                env=self.env,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                start_new_session=True,  # as in a terminal of its own
                preexec_fn=self.go_before,
            )
        self._processes.append(process)
        return process

    def go_before(self) -> None:
        """Let a process run before other work of the machine: within its session, and its session among others (sched(7))."""
        if self._nice < 0:
            os.nice(self._nice)
            if Path("/proc/self/autogroup").exists():
                Path("/proc/self/autogroup").write_text(str(self._nice))

    def serve(self) -> None:
        """Begin the run."""
        self.start("serve", "run.toml", "--out", str(self.run), "--port", "0")
        self.until((self.run / "invitation").exists)

    def join(self, name: str) -> subprocess.Popen[bytes]:
        """Start a worker, or start it again."""
        invitation = (self.run / "invitation").read_text().strip()
        folder = str(self.folder / name)
        return self.start("join", invitation, "--name", name, "--folder", folder, "--threads", "1")

    def look(self) -> RunState:
        """Fold what is new."""
        log = SqliteLog(self.run / "log.db", readonly=True)
        try:
            for entry in log.read(self.state.entries):
                self.heard.append((entry.time, said_in(entry)))
                apply(self.state, entry)
                for number in range(max(self.closed, default=0) + 1, self.state.last + 1):
                    self.closed[number] = self.state.closed[number]
        finally:
            log.close()
        return self.state

    def until(self, condition: Callable[[], object]) -> None:
        """Wait for something."""
        patience = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > patience:
                raise SystemExit(f"It did not happen in {PATIENCE_S:g} s; see the outputs in {self.folder}.")
            time.sleep(0.05)

    def author(self, name: str) -> bytes:
        """The key of a worker that has joined."""
        return next((a for a, member in self.state.members.items() if member.said.name == name), b"")

    def first(self, author: bytes, kind: type, since_ns: int) -> int:
        """When somebody said something first after a moment, by the clock of the log's owner, which is this machine's."""
        return next(
            (
                at
                for at, said in self.heard
                if at >= since_ns and said.author == author and isinstance(decode(said), kind)
            ),
            0,
        )

    def accepted_since(self, name: str, number: int) -> Closed | None:
        """The first round after this one in which a member's work was accepted."""
        author = self.author(name)
        return next(
            (
                closed
                for closed in self.closed.values()
                if closed.number > number and any(update.author == author for update in closed.updates)
            ),
            None,
        )

    def end(self) -> None:
        """End what still runs."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def cpu_s(process: subprocess.Popen[bytes]) -> float:
    """Processor time of a process that runs (proc(5): fields 14 and 15 of stat, after a name in parentheses)."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stages(run: Run) -> dict[str, list[float]]:
    """What a process does before it can say that it joins, each in seconds of wall and of processor time."""
    done = subprocess.run(
        [sys.executable, "-c", STAGES],
        env=run.env,
        capture_output=True,
        text=True,
        check=True,
        start_new_session=True,
        preexec_fn=run.go_before,
    )
    return json.loads(done.stdout)


def joined(run: Run) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    """Start the fourth, and wait until something of it is accepted."""
    began, at = run.look().last, time.time_ns()
    process = run.join(VICTIM)
    run.until(lambda: run.look() and run.accepted_since(VICTIM, began))
    used = cpu_s(process)
    author, contributed = run.author(VICTIM), run.accepted_since(VICTIM, began)
    assert contributed is not None
    said = {
        "joined_s": run.first(author, Joined, at),
        "ready_s": run.first(author, Ready, at),
        "committed_s": next(commit.at for commit in contributed.commits if commit.author == author),
        "accepted_s": contributed.closed,
    }
    found: dict[str, Any] = {name: round((when - at) / 1e9, 2) for name, when in said.items()}
    return process, found | {"cpu_s": round(used, 2), "rounds": contributed.number - began}


def killed(run: Run, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Kill the fourth in the middle of a round, and see what that costs the others."""
    author = run.author(VICTIM)
    run.until(lambda: (r := run.look().round) is not None and author in r.assigned and author not in r.committed)
    process.send_signal(signal.SIGKILL)
    process.wait()
    first = run.state.last + 1
    run.until(lambda: run.look().last >= first + ROUNDS_AFTER)
    before = [c for c in run.closed.values() if first - ROUNDS_AFTER <= c.number < first]
    after = [c for c in run.closed.values() if first <= c.number < first + ROUNDS_AFTER]
    back = [unit for closed in after for unit in closed.assigned.get(author, ()) if unit in closed.returned]
    done = [unit for closed in run.closed.values() for update in closed.updates for unit in update.body.units]
    units = statistics.median(sum(map(len, closed.assigned.values())) for closed in before)
    usual = statistics.median(closed.closed - closed.opened for closed in before) / 1e9
    waited = [closed for closed in after if author in closed.assigned and author in closed.roster]
    missing = set(range(run.state.next_unit)) - set(done) - set(run.state.returned)
    if run.state.round is not None:
        missing -= {unit for each in run.state.round.assigned.values() for unit in each}
    return {
        "units_of_a_round": int(units),
        "units_given_back": len(back),
        "units_lost": len(missing),
        "units_twice": len(done) - len(set(done)),
        "extra_rounds": round(len(back) / units, 2),
        "rounds_without_update": sum(not closed.accepted for closed in after),
        "rounds_that_waited": len(waited),
        "usual_round_s": round(usual, 2),
        "waiting_round_s": round(max(((c.closed - c.opened) / 1e9 for c in waited), default=0.0), 2),
    }


def measure(times: int, nice: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="quiltwork-join-") as folder:
        run = Run(Path(folder), nice)
        try:
            stages(run)  # compiles, as the first start of a user does
            parts = stages(run)
            run.serve()
            for name in NAMES[:-1]:
                run.join(name)
            run.until(lambda: run.look().last >= ROUNDS_BEFORE and run.state.checkpoints)
            load_before = os.getloadavg()[0]
            process, new = joined(run)
            deaths, returns = [], []
            for _ in range(times):
                deaths.append(killed(run, process))
                process, again = joined(run)
                returns.append(again)
            process.kill()
        finally:
            run.end()
    return {
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "load_average": round(load_before, 1),
        "parts": {name: [round(value, 2) for value in each] for name, each in parts.items()},
        "newcomer": new,
        "killed": deaths,
        "returned": returns,
    }


def table(found: dict[str, Any]) -> str:
    rows = [
        "| from the start of the process | said `Joined` | ready | first commitment | accepted | processor time |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, each in [
        ("a newcomer", found["newcomer"]),
        *(("the killed one, again", one) for one in found["returned"]),
    ]:
        cells = [f"{each[key]:.1f} s" for key in ("joined_s", "ready_s", "committed_s", "accepted_s", "cpu_s")]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    parts = ", ".join(f"{name} {cpu:.2f} s" for name, (_, cpu) in found["parts"].items())
    deaths = found["killed"]

    def most(key: str) -> float:
        return max(each[key] for each in deaths)

    lost = int(most("units_lost") + most("units_twice"))
    death = (
        f"The death of one of four workers (SIGKILL, {len(deaths)} times): {lost or 'no'} units lost; at most "
        f"{most('units_given_back'):g} units, of {deaths[0]['units_of_a_round']} a round, were done again by others, the work of "
        f"{most('extra_rounds'):g} rounds; at most {most('rounds_that_waited'):g} rounds waited for it, "
        f"{most('waiting_round_s'):.1f} s instead of {statistics.median(each['usual_round_s'] for each in deaths):.1f} s."
    )
    where = f"Measured on {found['date']} ({found['machine']}) at a load average of {found['load_average']:g}"
    before = f", run before other work of the machine (nice {found['nice']})" if found["nice"] < 0 else ""
    return "\n".join([*rows, "", f"Processor time before `Joined`: {parts}.", death, f"{where}{before}.", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1, help="how often the fourth is killed and comes back")
    parser.add_argument("--nice", type=int, default=0, help="below 0: run before other work of the machine; needs root")
    parser.add_argument("--docs", action="store_true", help="put the result into docs/pretrain.md")
    parser.add_argument("--again", action="store_true", help="only write the table of what was measured")
    options = parser.parse_args()
    if options.again:
        found = json.loads(RESULTS.read_text())
    else:
        found = measure(options.kills, options.nice) | {"nice": options.nice}
        RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    told = table(found)
    print(told)
    if options.docs:
        text = PAGE.read_text()
        PAGE.write_text(re.sub(f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}\n{told}{END}", text, flags=re.DOTALL))


if __name__ == "__main__":
    main()
