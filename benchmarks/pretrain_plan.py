"""Whether `quiltwork pretrain plan` predicts what a run takes: real members on emulated links, beside the plan.

For each setting a server and its members are started as a user would start them, each member in a network namespace with a
link of its own, and the server between them. After the first rounds, in which connections are made, the seconds of a round and
the bytes that a member sends and receives are taken from the run's log and from the devices, and compared with the plan for
the same file. How long a member's units take is measured on this machine before, alone, and given to the plan, as a user would.

Needs root (`links/star.py`). Results are kept after every setting: a second call goes on.

Example: python benchmarks/pretrain_plan.py --docs
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
import tomllib
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from links import LinkError, Star, missing
from quiltwork.pretrain.facts import RunState
from quiltwork.pretrain.plan import Job, Plan
from quiltwork.pretrain.planning import planned
from quiltwork.pretrain.state import apply
from quiltwork.run import Run

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "pretrain_plan.json"
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- plan -->", "<!-- /plan -->"

RUN = """run_id = "plan"
seed = 1

[config]
init_min_clients = {members}
min_clients = {members}
total_steps = 100000
global_batch_size_start = {units}
global_batch_size_end = {units}
unit_sequences = 1
max_round_train_time = 120.0
round_witness_time = 120.0
warmup_time = 120.0
epoch_time = 36000.0
waiting_for_members_extra_time = 0.5
checkpoint_rounds = 100000
verification_percent = 0.0

[model]
kind = "gpt"
hidden = {hidden}
layers = 2
heads = 2
mlp_hidden = {mlp}
context = 16

[optimizer]
{optimizer}

[lr_schedule]
kind = "constant"
base_lr = 0.001

[data]
sequence_length = 16

[[data.sources]]
name = "text"
files = ["text.bin"]
dtype = "uint8"
"""
TEXT = b"".join(b"line %d says that %d times 7 is %d\n" % (n, n, 7 * n) for n in range(20_000))

UPDATES = {
    "dense": {"hidden": 64, "mlp": 224, "optimizer": 'kind = "adamw"'},
    "compressed": {"hidden": 128, "mlp": 448, "optimizer": 'kind = "demo_exact"\nkept = 32'},
}
"""542 kB of fp32, and 42 kB of DeMo's signs."""

UNITS = 2
"""For each member. They are given out in proportion to speed: of as many units as members, a slow one would get none."""

WARM_ROUNDS = 3
"""Connections are made and doubled, and speeds become known."""

START_S = 120.0
"""Until the first rounds are over, on a busy machine."""

ROUND_S = 40.0
"""More than any round of these settings takes."""


class Setting(NamedTuple):
    """Members, all alike, and the link of each. `delay_ms` is one way, to the server."""

    members: int
    rate_mbit: float
    delay_ms: float
    update: str

    @property
    def key(self) -> str:
        """Its name in the results."""
        return f"{self.members} members, {self.rate_mbit:g} Mbit/s, {self.delay_ms:g} ms, {self.update}"


SETTINGS = (
    Setting(2, 1000, 0, "compressed"),
    Setting(2, 5, 10, "dense"),
    Setting(4, 5, 10, "dense"),
    Setting(3, 20, 10, "dense"),
    Setting(3, 50, 10, "dense"),
    Setting(2, 5, 100, "dense"),
    Setting(4, 20, 100, "dense"),
    Setting(2, 5, 10, "compressed"),
    Setting(4, 5, 10, "compressed"),
    Setting(3, 5, 100, "compressed"),
    Setting(4, 20, 100, "compressed"),
)


def write_config(setting: Setting, folder: Path) -> Path:
    """The run's file, with the text beside it."""
    (folder / "text.bin").write_bytes(TEXT)
    config = folder / "plan.toml"
    config.write_text(RUN.format(members=setting.members, units=UNITS * setting.members, **UPDATES[setting.update]))
    return config


def work_seconds(update: str) -> float:
    """How long this machine by itself takes for a round: from its data to the model with the update applied; median of 15."""
    with tempfile.TemporaryDirectory() as folder:
        config = write_config(Setting(1, 1, 0, update), Path(folder))
        words = [sys.executable, __file__, "--time-work", str(config)]
        done = subprocess.run(words, check=True, text=True, stdout=subprocess.PIPE, env=environment())
    return float(done.stdout.split()[-1])


def time_work(config: Path) -> float:
    """What `work_seconds` asks for, in this process."""
    from quiltwork.blobs import FolderBlobs
    from quiltwork.pretrain.effects import Apply, Load, Train
    from quiltwork.pretrain.entries import Committed
    from quiltwork.pretrain.facts import Closed, Commit
    from quiltwork.pretrain.recipe import RunConfig, recipe_of
    from quiltwork.pretrain.trainer import Trainer

    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    wanted = RunConfig.model_validate(tomllib.loads(config.read_text()))
    trainer = Trainer(
        recipe_of(wanted.created(seed=bytes(32), version="0")),
        unit_sequences=wanted.rules.unit_sequences,
        folder=config.parent,
        blobs=FolderBlobs(config.parent / "blobs"),
        threads=1,
        root=config.parent,
    )
    trainer.load(Load(None, ()), trainer.blobs.get)
    own, took, nobody = b"", [], bytes(32)
    for number in range(1, 19):
        units = tuple(range(UNITS * number, UNITS * (number + 1)))
        began = time.perf_counter()
        done = trainer.train(Train(number, number, number - 1, own, units))
        own = done.own
        said = Committed(number, units, done.payload, done.size, nobody, done.own, done.loss)
        times = {"since": 0, "opened": 0, "closed": 0}
        who = {"roster": (), "witnesses": (), "assigned": {}, "returned": ()}
        commits = (Commit(nobody, said, 0, b"", 0),)
        closed = Closed(number, number, number - 1, nobody, **times, **who, commits=commits, accepted=(0,))
        trainer.apply(Apply(closed))
        took.append(time.perf_counter() - began)
    return statistics.median(took[3:])


def environment() -> dict[str, str]:
    """Of the processes that we start: one thread each."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def predict(setting: Setting, work_s: float, folder: Path) -> tuple[Plan, Job, float]:
    """What `quiltwork pretrain plan` says, and the operations a second that were its input."""
    config = str(write_config(setting, folder))
    link = {"up": setting.rate_mbit, "down": setting.rate_mbit, "delay_s": setting.delay_ms / 1e3, "loss": 0.0}
    _, job = planned(config, members=setting.members, flops=1.0, **link)
    used = job.footprint
    work = UNITS * (job.flops_per_token * job.sequence_length * job.unit_sequences + used.unit_flops)
    work += used.encode_flops + used.apply_flops + used.apply_flops_each
    found, job = planned(config, members=setting.members, flops=work / work_s, **link)
    return found, job, work / work_s


class Follower:
    """The run's log, folded as it grows."""

    def __init__(self, path: Path) -> None:
        self.run = Run.open(path, drive=False)
        self.state = RunState()
        self.closed_s: dict[int, float] = {}
        """When each round closed, by the server's clock."""
        self._read = 0

    def look(self) -> int:
        """Fold what is new; gives the number of rounds."""
        for entry in self.run.log.read(self._read):
            apply(self.state, entry)
            self._read += 1
            if self.state.last and self.state.last not in self.closed_s:
                self.closed_s[self.state.last] = self.state.closed[self.state.last].closed / 1e9
        return self.state.last

    def wait_for(self, rounds: int, seconds: float, processes: list[subprocess.Popen[str]]) -> None:
        """Until so many rounds are closed. Exits with what the processes said if one of them ends, or if it takes too long."""
        until = time.monotonic() + seconds
        while self.look() < rounds:
            ended = [process for process in processes if process.poll() is not None]
            if ended or time.monotonic() > until:
                what = f"{ended[0].args} ended" if ended else f"{rounds} rounds took more than {seconds:g} s"
                raise RuntimeError(f"{what}; phase {self.state.phase}, round {self.state.last}")
            time.sleep(0.05)


def measure(setting: Setting, rounds: int) -> dict[str, Any]:
    """Run it for real, and give the seconds of each round, the bytes of each member, and what the routers noticed."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="quiltwork-plan-")))
        config = write_config(setting, folder)
        star = Star(setting.members, rate_mbit=setting.rate_mbit, delay_ms=setting.delay_ms)
        stack.enter_context(star)
        processes: list[subprocess.Popen[str]] = []
        stack.callback(end, processes)
        program = [sys.executable, "-m", "quiltwork.cli.main", "pretrain"]
        run = folder / "run"

        def start(side: Any, name: str, *words: str) -> subprocess.Popen[str]:
            home = {**environment(), "QUILTWORK_HOME": str(folder / f"home-{name}")}
            said = stack.enter_context((folder / f"{name}.txt").open("w"))
            process: subprocess.Popen[str] = side.start(
                [*program, *words], stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=home, cwd=folder
            )
            processes.append(process)
            return process

        server = start(
            star.middle, "server", "serve", str(config), "--out", str(run), "--host", star.middle.ip, "--quiet"
        )
        while not (run / "invitation").exists() or not (run / "invitation").read_text().strip():
            if server.poll() is not None:
                raise RuntimeError(f"the server ended: {(folder / 'server.txt').read_text()}")
            time.sleep(0.1)
        invitation = (run / "invitation").read_text().strip()
        for number, end_ in enumerate(star.ends):
            options = ("--host", end_.ip, "--threads", "1", "--data", str(folder), "--quiet")
            start(end_, f"member{number}", "join", invitation, "--name", f"m{number}", *options)
        os.environ.setdefault("QUILTWORK_HOME", str(folder / "home-server"))
        follower = Follower(run)
        stack.callback(follower.run.close)
        follower.wait_for(1, START_S, processes)
        prefer(processes)
        follower.wait_for(follower.look() + WARM_ROUNDS, WARM_ROUNDS * ROUND_S, processes)
        first, before = follower.look(), [spoke.carried() for spoke in star.spokes]
        cpu = [processor_s(process) for process in processes]
        follower.wait_for(first + rounds, rounds * ROUND_S, processes)
        last, after = follower.look(), [spoke.carried() for spoke in star.spokes]
        cpu = [processor_s(process) - used for process, used in zip(processes, cpu, strict=True)]
        closed = [follower.closed_s[number] for number in range(first, last + 1)]
        stages = stage_seconds(follower.state, range(first + 1, last + 1))
        accepted = [len(follower.state.closed[number].accepted) for number in range(first + 1, last + 1)]
    took = [later - earlier for earlier, later in pairwise(closed)]
    moved = [(b[0] - a[0], b[1] - a[1]) for a, b in zip(before, after, strict=True)]
    passed = sum(each["passed"] for spoke in star.spokes for each in spoke.router)
    late = sum(each["late"] for spoke in star.spokes for each in spoke.router)
    return {
        "round_s": took,
        "stages": stages,
        "sent_bytes": [sent / len(took) for sent, _ in moved],
        "received_bytes": [received / len(took) for _, received in moved],
        "updates": statistics.mean(accepted),
        "server_cpu_s": cpu[0] / len(took),
        "member_cpu_s": [used / len(took) for used in cpu[1:]],
        "late_packets": late / max(passed, 1),
        "overflowed": sum(each["overflowed"] for spoke in star.spokes for each in spoke.router),
    }


def stage_seconds(state: RunState, rounds: range) -> dict[str, float]:
    """Medians of the seconds from a round's opening to its first and last commitment, and from there to its close."""
    closed = [state.closed[number] for number in rounds]
    ends = [max(commit.at for commit in each.commits) for each in closed]
    return {
        "first_commit": statistics.median((min(c.at for c in each.commits) - each.opened) / 1e9 for each in closed),
        "last_commit": statistics.median((end_ - each.opened) / 1e9 for end_, each in zip(ends, closed, strict=True)),
        "witness": statistics.median((each.closed - end_) / 1e9 for end_, each in zip(ends, closed, strict=True)),
    }


def prefer(processes: list[subprocess.Popen[str]]) -> None:
    """Let these, threads and all, go before all other work of this machine: a plan is of machines that do nothing else."""
    for process in processes:
        for thread in Path(f"/proc/{process.pid}/task").iterdir():
            os.sched_setscheduler(int(thread.name), os.SCHED_RR, os.sched_param(1))


def processor_s(process: subprocess.Popen[str]) -> float:
    """Seconds of processor time that a process has used (proc_pid_stat(5), fields 14 and 15)."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def end(processes: list[subprocess.Popen[str]]) -> None:
    """End what was started, the members first."""
    for process in reversed(processes):
        process.terminate()
    for process in reversed(processes):
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def compare(row: dict[str, Any]) -> tuple[Plan, Job, float]:
    """The plan for a setting that was measured, with the speed that was measured then."""
    setting = Setting(*(row[field] for field in Setting._fields))
    with tempfile.TemporaryDirectory() as folder:
        return predict(setting, row["work_s"], Path(folder))


def table(settings: dict[str, dict[str, Any]]) -> str:
    """Predicted beside measured: seconds of a round (median), and bytes of a member and round.

    Devices count headers and talk as well, which the plan counts as the part of a link that updates do not get.
    """
    lines = [
        "| setting | s a round: plan | measured (least to most) | plan : measured | sent, kB: plan | measured | ratio | "
        "received, kB: plan | measured | ratio |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for setting in SETTINGS:
        if (row := settings.get(setting.key)) is None:
            continue
        found, job, _ = compare(row)
        took, share = row["round_s"], found.shares[0]
        up, down = share.upload_bytes / job.efficiency, share.download_bytes / job.efficiency
        sent, received = statistics.mean(row["sent_bytes"]), statistics.mean(row["received_bytes"])
        lines.append(
            f"| {setting.key} | {found.round_s:.2f} | {statistics.median(took):.2f} ({min(took):.2f} to {max(took):.2f}) | "
            f"{found.round_s / statistics.median(took):.2f} | {up / 1e3:.0f} | {sent / 1e3:.0f} | "
            f"{up / sent:.2f} | {down / 1e3:.0f} | {received / 1e3:.0f} | {down / received:.2f} |"
        )
    return "\n".join(lines)


def publish(results: dict[str, Any]) -> None:
    """Write the table into the page."""
    rows = results["settings"].values()
    dates, loads = sorted(row["measured"] for row in rows), [row["load"] for row in rows]
    works = {update: [row["work_s"] for row in rows if row["update"] == update] for update in UPDATES}
    notes = (
        f"Measured {dates[0]} to {dates[-1]} UTC on {results['machine']}; load when each setting began {min(loads):.1f} to "
        f"{max(loads):.1f}. A member's units of a round took "
        + " and ".join(f"{1e3 * min(w):.0f} to {1e3 * max(w):.0f} ms ({update})" for update, w in works.items() if w)
        + ". Source: `benchmarks/results/pretrain_plan.json`."
    )
    page = PAGE.read_text()
    if BEGIN not in page:
        sys.exit(f"{PAGE} has no place for the table: {BEGIN} and {END}.")
    written = f"{BEGIN}\n\n{table(results['settings'])}\n\n{notes}\n\n{END}"
    PAGE.write_text(re.sub(f"{BEGIN}.*?{END}", lambda _: written, page, flags=re.DOTALL))


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8, help="that are measured in each setting; medians are shown")
    parser.add_argument("--only", default="", help="settings whose name holds this")
    parser.add_argument("--again", action="store_true", help="measure what has been measured, too")
    parser.add_argument("--docs", action="store_true", help=f"write the table into {PAGE.relative_to(ROOT)}")
    parser.add_argument("--time-work", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.time_work:
        print(time_work(args.time_work))
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started ends, too
    if (lack := missing()) is not None:
        sys.exit(f"Cannot emulate links: {lack}.")
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"settings": {}}
    results["machine"] = (
        f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    )
    for setting in SETTINGS:
        if args.only in setting.key and (args.again or setting.key not in results["settings"]):
            load, work_s = os.getloadavg()[0], work_seconds(setting.update)
            try:
                found = measure(setting, args.rounds)
            except (RuntimeError, LinkError) as error:
                print(f"{setting.key}: {error}", file=sys.stderr)
                continue
            found |= {"work_s": work_s, "load": load, "measured": datetime.now(UTC).strftime("%Y-%m-%d %H:%M")}
            results["settings"][setting.key] = setting._asdict() | found
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
            print(f"{setting.key}: {statistics.median(found['round_s']):.3f} s a round", file=sys.stderr, flush=True)
    print(table(results["settings"]))
    if args.docs:
        publish(results)


if __name__ == "__main__":
    main()
