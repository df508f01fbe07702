"""Parts (a), (b) and (f): what an iteration costs, what a slow model leaves of the throughput, and memory."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import task
from harness import Outcome, scripted
from records import Results, Row
from systems import Order, System, Tried

PRELOADS = (0, 1_000, 5_000)
REPLIES = {"quiltwork": (600, 600, 600), "openevolve": (300, 100, 30), "shinka": (60, 40, 40)}
"""Replies per measurement, by how long the slow ones take: 5,000 programs cost OpenEvolve a second per iteration."""

LATENCY_S = 2.0
SLOW_REPLIES = {"quiltwork": 600, "openevolve": 40, "openevolve, 16 processes": 160, "shinka": 12}


def overhead(systems: list[System], results: Results) -> None:
    """An instant model at growing numbers of programs."""
    for index, preload in enumerate(PRELOADS):
        for system in systems:
            replies = REPLIES[system.name][index]

            def measure(system: System = system, replies: int = replies, preload: int = preload) -> Row:
                return _measure(system, results, replies=replies, order={"preload": preload}, options={})

            results.measure(f"overhead/{system.name}/{preload}", measure)


def latency(systems: list[System], results: Results) -> None:
    """A model that takes two seconds for every answer."""
    for name, replies in SLOW_REPLIES.items():
        system = next((each for each in systems if each.name == name.split(",")[0]), None)
        if system is None:
            continue
        processes = 16 if "16" in name else 2

        def measure(system: System = system, replies: int = replies, processes: int = processes) -> Row:
            options = {"latency_s": LATENCY_S}
            return _measure(system, results, replies=replies, order={"processes": processes}, options=options)

        results.measure(f"latency/{name}", measure)


def _measure(system: System, results: Results, *, replies: int, order: dict, options: dict) -> Row:
    with run(system, results, options, replies=replies, wall_s=600.0, **order) as done:
        row = steady(done.outcome, done.tried)
        if done.outcome.timed_out:
            row["remark"] = f"ended after {done.outcome.wall_s:.0f} s with {len(done.tried)} of {replies}"
        return row


def steady(outcome: Outcome, tried: list[Tried]) -> Row:
    """Iterations per second and CPU per iteration over the last two thirds, and the greatest PSS."""
    tried = sorted(tried, key=lambda each: each.time)
    if len(tried) < 6:
        raise RuntimeError(f"only {len(tried)} programs came of it (exit status {outcome.code})")
    start, end = tried[len(tried) // 3], tried[-1]
    count = end.step - start.step  # not all steps are still there: OpenEvolve forgets displaced programs
    return {
        "per_s": count / (end.time - start.time),
        "cpu_ms": 1e3 * outcome.cpu_between(start.time, end.time) / count,
        "main_mb": outcome.peak_main_mb,
        "all_mb": outcome.peak_all_mb,
        "steps": end.step - tried[0].step,
    }


@dataclass
class Done:
    """A job that has run: how it went, what it tried, what the model counted, and its folder while the context lasts."""

    outcome: Outcome
    tried: list[Tried]
    stats: dict[str, int]
    folder: Path


@contextlib.contextmanager
def run(
    system: System, results: Results, options: dict, *, wall_s: float, in_flight: int = 64, **order: Any
) -> Iterator[Done]:
    """Run one job over the scripted model, for at most `wall_s`."""
    with tempfile.TemporaryDirectory(prefix="quiltwork-peers-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with scripted(sys.executable, folder, {"mark": name, **options}) as model:
            asked = Order(name, model.url, in_flight=in_flight, **order)
            task.write(folder, url=model.url, limit_s=asked.limit_s, in_flight=in_flight)
            job = system.start(asked)
            try:
                job.wait(results.limit_s(wall_s))
            finally:
                outcome = job.end()
            stats = model.stats()
        yield Done(outcome, system.history(folder), stats, folder)
