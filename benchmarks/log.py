"""How fast the log is: signed appends, statements, reading, verification, in each place where a log can live.

Processor time is that of everybody who takes part: this process, the HTTP server that it starts, and Postgres's processes if
they run on this machine under --postgres-pid.

Example: python benchmarks/log.py --entries 20000 --json
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, Protocol

from quiltwork.keys import Identity
from quiltwork.log import (
    Body,
    Log,
    MemoryLog,
    Receipt,
    Relayed,
    Sequencer,
    Speaker,
    Speakers,
    SqliteLog,
    Statement,
    Writer,
    decode,
    kind,
    log_id,
    verify,
)

STEP = 3
"""Entries that a step of `evolve` appends at once."""

CLIENTS = 16
TOKEN = "a-token-for-benchmarks"


@kind("benchmark.measured", 1)
class Measured(Body, frozen=True):
    """About what `evolve` says of a step: 200 bytes."""

    step: int
    program: str
    note: str
    metrics: dict[str, float]


class Submits(Protocol):
    """What takes statements."""

    def submit(self, statements: Sequence[Statement]) -> Receipt:
        """Place them."""
        ...


class Result(NamedTuple):
    """One line of the table."""

    log: str
    what: str
    entries_per_cpu_s: float
    entries_per_wall_s: float
    ms_each: float
    wanted_per_s: float | None = None


def body(step: int) -> Measured:
    return Measured(
        step, "0123456789abcdef" * 4, "a child of two parents", {"radius_sum": 2.63598, "gap": 1e-9, "valid": 1.0}
    )


class Clock:
    """Processor seconds of this process and of the families of others."""

    def __init__(self, *pids: int) -> None:
        self._pids = pids

    def cpu_s(self) -> float:
        """Seconds of processors, so far."""
        return time.process_time() + sum(_family_cpu_s(pid) for pid in self._pids)

    def timed(self, entries: int, action: Callable[[], object]) -> tuple[float, float, float]:
        """Entries per second of processors and of the clock on the wall, and processor milliseconds for each."""
        start_cpu, start_wall = self.cpu_s(), time.perf_counter()
        action()
        cpu, wall = self.cpu_s() - start_cpu, time.perf_counter() - start_wall
        return entries / cpu, entries / wall, 1e3 * cpu / entries


def _family_cpu_s(pid: int) -> float:
    """Of a process and its children, those that have ended too; to a hundredth of a second."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    total = 0
    for each in (pid, *map(int, children)):
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:  # it has ended just now
            continue
        total += sum(map(int, fields[11:15] if each == pid else fields[11:13]))
    return total / os.sysconf("SC_CLK_TCK")


def appends(name: str, log: Log, entries: int, clock: Clock) -> list[Result]:
    writer = Writer(log, Identity.generate())
    bodies = [body(step) for step in range(entries)]
    batches = [bodies[start : start + 100] for start in range(0, entries, 100)]
    steps = [bodies[start : start + STEP] for start in range(0, entries, STEP)]
    return [
        Result(
            name,
            "signed appends, 100 at once",
            *clock.timed(entries, lambda: [writer.append(*each) for each in batches]),
            5_000,
        ),
        Result(
            name,
            f"signed appends, {STEP} at once",
            *clock.timed(entries, lambda: [writer.append(*each) for each in steps]),
        ),
    ]


def reads(name: str, log: Log, clock: Clock) -> list[Result]:
    count = log.head().length
    return [
        Result(name, "read", *clock.timed(count, lambda: sum(1 for _ in log.read()))),
        Result(
            name,
            "read and decode",
            *clock.timed(count, lambda: sum(decode(entry) is not None for entry in log.read())),
        ),
        Result(name, "verify the chain", *clock.timed(count, lambda: verify(log, signatures=False)), 20_000),
        Result(name, "verify chain and signatures", *clock.timed(count, lambda: verify(log))),
    ]


def submits(name: str, log: Log, sequencer: Submits, entries: int, clock: Clock) -> list[Result]:
    """One statement a request, so that what is measured is how they come together."""
    results = []
    for clients in (1, CLIENTS):
        voices = [Speaker(Identity.generate(), log_id(log)) for _ in range(clients)]
        said = [voice.say(*[body(step) for step in range(entries // clients)]) for voice in voices]

        def speak(statements: Sequence[Statement]) -> None:
            for statement in statements:
                assert not sequencer.submit((statement,)).refused

        with ThreadPoolExecutor(clients) as pool:
            what = f"submits, {clients} client{'s' * (clients > 1)}"
            count = sum(len(each) for each in said)
            results.append(Result(name, what, *clock.timed(count, partial(_all, pool.map, speak, said))))
    return results


def _all(in_turn: Callable[..., Iterator[None]], *arguments: object) -> None:
    for _ in in_turn(*arguments):
        pass


def hearing(entries: int, clock: Clock) -> list[Result]:
    """What it costs a fold to know who speaks."""
    log = MemoryLog()
    writer = Writer(log, Identity.generate())
    writer.append(body(0))
    voices = [Speaker(Identity.generate(), log_id(log)) for _ in range(CLIENTS)]
    for step in range(entries // CLIENTS):
        writer.append(*[Relayed(*voice.say(body(step))) for voice in voices])
    count = log.head().length

    def hear(*, signatures: bool) -> None:
        speakers = Speakers(signatures=signatures)
        for entry in log.read():
            speakers.hear(entry)

    return [
        Result("memory", "hear and decode statements", *clock.timed(count, lambda: hear(signatures=False)), 20_000),
        Result("memory", "hear, signatures checked", *clock.timed(count, lambda: hear(signatures=True))),
    ]


@contextmanager
def served(path: Path) -> Iterator[tuple[str, int]]:
    """A server of its own for a log in a file: its address, and its process."""
    command = [sys.executable, __file__, "--serve", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), process.pid
        finally:
            process.terminate()


def serve(path: Path) -> None:
    from quiltwork.log.http import Limits, Rate, Right, Tokens
    from quiltwork.log.http.listen import listen
    from quiltwork.log.http.serve import serve as serve_log

    flood = Rate(1e9, 1e9)
    limits = Limits(flood, flood, flood, flood)
    with closing(SqliteLog(path)) as log, listen("127.0.0.1", 0) as listener:
        identity = Identity.generate()
        Writer(log, identity).append(body(0))
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        serve_log(log, Tokens({TOKEN: set(Right)}), listener, sequencer=Sequencer(log, identity), limits=limits)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=10_000, help="how many to append in each way [default: 10000]")
    parser.add_argument("--postgres", metavar="DSN", help="an empty database to measure in, too")
    parser.add_argument("--postgres-pid", type=int, help="the first process of its server, if it runs here")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    results = everything(options.entries, options.postgres, options.postgres_pid)
    if options.json:
        print(json.dumps([result._asdict() for result in results], indent=2))
        return
    print(f"{'LOG':<10}{'WHAT':<30}{'PER CPU S':>12}{'PER WALL S':>12}{'CPU MS EACH':>13}{'WANTED':>8}")
    for result in results:
        wanted = "" if result.wanted_per_s is None else f"{result.wanted_per_s:,.0f}"
        speed = f"{result.entries_per_cpu_s:>12,.0f}{result.entries_per_wall_s:>12,.0f}{result.ms_each:>13.4f}"
        print(f"{result.log:<10}{result.what:<30}{speed}{wanted:>8}")


def everything(entries: int, postgres: str | None, postgres_pid: int | None) -> list[Result]:
    alone = Clock()
    few = entries // 5  # requests take a hundred times as long as what is done in memory

    def measure(name: str, log: Log, count: int, clock: Clock) -> list[Result]:
        found = [*appends(name, log, count, clock), *reads(name, log, clock)]
        return found + submits(name, log, Sequencer(log, Identity.generate()), few, clock)

    results = measure("memory", MemoryLog(), entries, alone) + hearing(entries, alone)
    with TemporaryDirectory() as folder, closing(SqliteLog(Path(folder) / "log.db")) as log:
        results += measure("sqlite", log, entries, alone)
    if postgres:
        from quiltwork.log.postgres import PostgresLog

        with closing(PostgresLog(postgres, f"benchmark {time.time_ns()}")) as log:
            results += measure("postgres", log, entries, Clock(*[postgres_pid] if postgres_pid else []))
    with TemporaryDirectory() as folder, served(Path(folder) / "log.db") as (url, pid):
        from quiltwork.log.http import HttpLog

        with closing(HttpLog(url, TOKEN)) as log:
            clock = Clock(pid)
            results += [*appends("http", log, entries, clock), *reads("http", log, clock)]
            results += submits("http", log, log, few, clock)
    return results


if __name__ == "__main__":
    main()
