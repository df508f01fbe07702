"""How fast the log is: signed appends, reading, verification. In one process, on one core.

Example: python benchmarks/log.py --entries 20000 --json
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from quiltwork.keys import Identity
from quiltwork.log import Body, Log, MemoryLog, SqliteLog, Writer, decode, kind, verify

STEP = 3
"""Entries that a step of `evolve` appends at once."""


@kind("benchmark.measured", 1)
class Measured(Body, frozen=True):
    """About what `evolve` says of a step: 200 bytes."""

    step: int
    program: str
    note: str
    metrics: dict[str, float]


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


def timed(entries: int, action: Callable[[], object]) -> tuple[float, float, float]:
    """Entries per second of the processor and of the clock on the wall, and processor milliseconds for each."""
    start_cpu, start_wall = time.process_time(), time.perf_counter()
    action()
    cpu, wall = time.process_time() - start_cpu, time.perf_counter() - start_wall
    return entries / cpu, entries / wall, 1e3 * cpu / entries


def measure(name: str, log: Log, entries: int) -> list[Result]:
    writer = Writer(log, Identity.generate())
    bodies = [body(step) for step in range(entries)]
    batches = [bodies[start : start + 100] for start in range(0, entries, 100)]
    steps = [bodies[start : start + STEP] for start in range(0, entries, STEP)]
    return [
        Result(
            name,
            "signed appends, 100 at once",
            *timed(entries, lambda: [writer.append(*each) for each in batches]),
            5_000,
        ),
        Result(
            name, f"signed appends, {STEP} at once", *timed(entries, lambda: [writer.append(*each) for each in steps])
        ),
        Result(name, "read", *timed(2 * entries, lambda: sum(1 for _ in log.read()))),
        Result(
            name, "read and decode", *timed(2 * entries, lambda: sum(decode(entry) is not None for entry in log.read()))
        ),
        Result(name, "verify the chain", *timed(2 * entries, lambda: verify(log, signatures=False)), 20_000),
        Result(name, "verify chain and signatures", *timed(2 * entries, lambda: verify(log))),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=10_000, help="how many to append in each way [default: 10000]")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    results = measure("memory", MemoryLog(), options.entries)
    with TemporaryDirectory() as folder, closing(SqliteLog(Path(folder) / "log.db")) as log:
        results += measure("sqlite", log, options.entries)
    if options.json:
        print(json.dumps([result._asdict() for result in results], indent=2))
        return
    print(f"{'LOG':<8}{'WHAT':<30}{'PER CPU S':>12}{'PER WALL S':>12}{'CPU MS EACH':>13}{'WANTED':>8}")
    for result in results:
        wanted = "" if result.wanted_per_s is None else f"{result.wanted_per_s:,.0f}"
        speed = f"{result.entries_per_cpu_s:>12,.0f}{result.entries_per_wall_s:>12,.0f}{result.ms_each:>13.4f}"
        print(f"{result.log:<8}{result.what:<30}{speed}{wanted:>8}")


if __name__ == "__main__":
    main()
