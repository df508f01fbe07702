"""Many seeds of the simulator: how many held, and what happened in them. Can be stopped at any time, and is resumed.

Results are kept in benchmarks/results/pretrain_sim.json, one scenario beside the other. They are of the code that made them:
where the protocol or the simulator has changed since, a scenario begins again. A seed that does not hold is listed with the
command that runs it again.

Example: python benchmarks/pretrain_sim.py --seeds 0:10000 --nodes 6 --rounds 24 --jobs 2
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from blake3 import blake3

import quiltwork
import quiltwork.audit
import quiltwork.pretrain
from quiltwork.pretrain.simulator import Report, Scenario, Violation, simulate

RESULTS = Path(__file__).parent / "results" / "pretrain_sim.json"

CHUNK = 25
"""Seeds that a process runs before it reports: some seconds, which is all that is lost when it is stopped."""

MOST_LISTED = 100
"""Failures of a scenario that are listed: more say nothing more."""

CODE = (
    *("agreement", "assignment", "audits", "beacon", "bitmap", "config", "deadlines", "duties", "effects", "entries"),
    *("facts", "node", "phases", "rewind", "rounds", "schedules", "selection", "state"),
)
"""What a member is made of, beside the simulator and the rules of audits: a change in it is another protocol."""


def code() -> str:
    """A fingerprint of what is simulated."""
    room, audit = Path(quiltwork.pretrain.__file__).parent, Path(quiltwork.audit.__file__).parent
    files = [*(room / f"{name}.py" for name in CODE), *(room / "simulator").glob("*.py"), *audit.glob("*.py")]
    return blake3(b"".join(blake3(path.read_bytes()).digest() for path in sorted(files))).hexdigest()[:16]


@dataclass
class Tally:
    """What became of some seeds of a scenario."""

    held: int = 0
    failed: int = 0
    cpu_seconds: float = 0.0
    totals: Counter[str] = field(default_factory=Counter)
    liars: Counter[str] = field(default_factory=Counter)
    ejected: Counter[str] = field(default_factory=Counter)
    audits: Counter[str] = field(default_factory=Counter)
    failures: list[dict[str, object]] = field(default_factory=list)

    def add(self, report: Report) -> None:
        """Count a run that held."""
        self.held += 1
        self.totals.update(
            rounds=report.rounds,
            steps=report.steps,
            entries=report.entries,
            simulated_seconds=round(report.seconds),
            units=report.units,
            crashes=report.crashes,
            partitions=report.partitions,
            diverged=report.diverged,
            rewinds=report.rewinds,
            lost=int(report.is_lost),
        )
        self.liars.update(report.liars)
        self.ejected.update(report.ejected)
        self.audits.update(report.audits)

    def merge(self, other: Tally) -> None:
        """Add what became of other seeds."""
        self.held += other.held
        self.failed += other.failed
        self.cpu_seconds += other.cpu_seconds
        for mine, its in ((self.totals, other.totals), (self.liars, other.liars)):
            mine.update(its)
        self.ejected.update(other.ejected)
        self.audits.update(other.audits)
        self.failures = sorted([*self.failures, *other.failures], key=lambda each: str(each))[:MOST_LISTED]


def run(seeds: range, scenario: Scenario) -> Tally:
    """Run some seeds. A seed that fails otherwise than by a violation has failed, too: it is a bug all the same."""
    tally, start = Tally(), time.process_time()
    for seed in seeds:
        try:
            tally.add(simulate(seed, scenario))
        except (Violation, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            tally.failed += 1
            why = f"{type(error).__name__}: {error}"
            tally.failures.append({"seed": seed, "why": why, "again": Report(seed, scenario).again})
    tally.cpu_seconds = time.process_time() - start
    return tally


@dataclass
class Results:
    """A scenario's part of the file. `done` are ranges of seeds, ends excluded."""

    code: str
    done: list[tuple[int, int]] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)

    def missing(self, first: int, end: int) -> Iterator[range]:
        """The seeds from `first` to before `end` that were not run, in chunks."""
        start = first
        for low, high in [*self.done, (end, end)]:
            for chunk in range(start, min(low, end), CHUNK):
                yield range(chunk, min(chunk + CHUNK, low, end))
            start = max(start, high)

    def mark(self, chunk: range) -> None:
        """Note that these seeds were run."""
        ranges = sorted([*self.done, (chunk.start, chunk.stop)])
        merged = [ranges[0]]
        for low, high in ranges[1:]:
            if low <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], high))
            else:
                merged.append((low, high))
        self.done = merged


def name(scenario: Scenario) -> str:
    return f"{scenario.nodes} nodes x {scenario.rounds} rounds"


def read(path: Path, scenario: Scenario, fingerprint: str) -> Results:
    """What is known of a scenario, or nothing, if it is of other code."""
    told = json.loads(path.read_text()).get(name(scenario)) if path.exists() else None
    if told is None:
        return Results(fingerprint)
    if told["code"] != fingerprint:
        print(f"The results of {name(scenario)} are of other code ({told['code']}): it begins again.", file=sys.stderr)
        return Results(fingerprint)
    counters = {each: Counter(told["tally"][each]) for each in ("totals", "liars", "ejected", "audits")}
    done = [(low, high) for low, high in told["done"]]
    return Results(fingerprint, done, Tally(**{**told["tally"], **counters}))


def write(path: Path, scenario: Scenario, results: Results) -> None:
    """Put a scenario's results in the place of the old ones, at once or not at all."""
    told = json.loads(path.read_text()) if path.exists() else {}
    told[name(scenario)] = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "quiltwork": quiltwork.__version__,
        "code": results.code,
        "done": results.done,
        "tally": vars(results.tally),
    }
    path.parent.mkdir(exist_ok=True)
    beside = path.with_suffix(f".{os.getpid()}.tmp")
    beside.write_text(json.dumps(dict(sorted(told.items())), indent=1) + "\n")
    beside.replace(path)


def table(scenario: Scenario, results: Results) -> Iterator[str]:
    tally = results.tally
    totals = tally.totals
    yield f"{name(scenario)}: {tally.held:,} seeds held, {tally.failed:,} did not"
    yield f"  rounds      {totals['rounds']:,}, in {totals['steps']:,} of which something was accepted"
    yield f"  entries     {totals['entries']:,}, in {totals['simulated_seconds'] / 86_400:,.1f} simulated days"
    yield f"  accidents   {totals['crashes']:,} crashes, {totals['partitions']:,} partitions of the network"
    liars = (f"{count:,} {kind} ({tally.ejected[kind]:,} ejected)" for kind, count in sorted(tally.liars.items()))
    yield f"  liars       {', '.join(liars) or 'none'}"
    yield f"  audits      {', '.join(f'{count:,} {outcome}' for outcome, count in sorted(tally.audits.items())) or 'none'}"
    yield f"  honest      {tally.ejected['']:,} ejected; {totals['diverged']:,} times one held another model"
    yield f"  copies      {totals['rewinds']:,} times the owner took a run back, {totals['lost']:,} runs lost every model"
    yield f"  cost        {tally.cpu_seconds / max(tally.held + tally.failed, 1):.2f} processor seconds a seed"
    for failure in tally.failures:
        yield f"  FAILED      {failure['again']}    {failure['why']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0:10000", help="first and end, which is excluded [default: 0:10000]")
    parser.add_argument("--nodes", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--jobs", type=int, default=2, help="processes [default: 2]")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    first, end = (int(part) for part in options.seeds.split(":"))
    scenario = Scenario(nodes=options.nodes, rounds=options.rounds)
    results = read(options.results, scenario, code())
    with ProcessPoolExecutor(options.jobs) as pool:
        running = {pool.submit(run, chunk, scenario): chunk for chunk in results.missing(first, end)}
        try:
            for future in as_completed(running):
                results.tally.merge(future.result())
                results.mark(running[future])
                write(options.results, scenario, results)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
    print("\n".join(table(scenario, results)))


if __name__ == "__main__":
    main()
