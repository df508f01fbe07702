"""Parts (d) and (e): `kill -9` in the middle, and whether a seed means anything."""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import task
from harness import scripted
from records import Results, Row
from speed import run
from systems import Order, System

KILL_AFTER = {"quiltwork": 150, "openevolve": 150, "shinka": 25}
TOTAL = {"quiltwork": 200, "openevolve": 200, "shinka": 35}
"""OpenEvolve saves itself every 100 iterations, as its default is; ShinkaEvolve gets fewer because it is slow."""

LATENCY_S = 0.2
ORPHANS_AFTER_S = 8.0
RUNS = 4
SAME_REPLIES = {"quiltwork": 60, "openevolve": 60, "shinka": 15}


def crash(systems: list[System], results: Results) -> None:
    """Kill each in the middle, count what stays, and let it go on."""
    for system in systems:

        def measure(system: System = system) -> Row:
            return _killed(system, results)

        results.measure(f"crash/{system.name}", measure)


def _killed(system: System, results: Results) -> Row:
    with tempfile.TemporaryDirectory(prefix="quiltwork-peers-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with scripted(sys.executable, folder, {"mark": name, "latency_s": LATENCY_S}) as model:
            task.write(folder, url=model.url, limit_s=10, in_flight=16)
            order = Order(name, model.url, TOTAL[system.name], in_flight=16)
            job = system.start(order)
            try:
                job.wait(results.limit_s(240), until=lambda: model.stats()["answered"] >= KILL_AFTER[system.name])
                if job.process.poll() is not None:
                    raise RuntimeError("the run ended before it could be killed; see job.log")
                job.kill_main()
                killed = model.stats()
                time.sleep(ORPHANS_AFTER_S)
                orphans = len(job.survivors())
            finally:
                job.end()
            before, paid = model.stats()["answered"], killed["answered"]
            kept = system.kept(folder)
            again = system.start(replace(order, resume=True))
            try:
                again.wait(results.limit_s(300))
            finally:
                outcome = again.end()
            more = model.stats()["answered"] - before
        return {
            "paid": paid,
            "in_flight": killed["asked"] - paid,
            "kept": kept,
            "lost": max(0, paid - kept),
            "asked_after": more,
            "asked_again": max(0, before + more - order.replies),
            "orphans": orphans,
            "resumed": outcome.code == 0 and more > 0,
            "programs": len(system.history(folder)),
        }


def same_seed(systems: list[System], results: Results) -> None:
    """Four runs with one seed and a model whose answer depends on the prompt alone."""
    for system in systems:

        def measure(system: System = system) -> Row:
            digests = [_digest(system, results) for _ in range(RUNS)]
            return {"runs": RUNS, "histories": len(set(digests))}

        results.measure(f"seed/{system.name}", measure)


def _digest(system: System, results: Results) -> str:
    """One worker for the peers, so that no race can be blamed; two for us."""
    workers = 2 if system.name == "quiltwork" else 1
    replies = SAME_REPLIES[system.name]
    options = {"by_prompt": True}
    with run(
        system, results, options, wall_s=180.0, replies=replies, workers=workers, processes=workers, proposals=1
    ) as done:
        if done.outcome.code != 0 or len(done.tried) < replies // 3:
            raise RuntimeError(f"exit status {done.outcome.code}, {len(done.tried)} programs")
        history = "\n".join(f"{each.score!r} {each.code}" for each in done.tried)
    return hashlib.sha256(history.encode()).hexdigest()
