"""The three systems, as the parts see them: how a job is written, started and read."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import task
from harness import Job

DRIVERS = Path(__file__).with_name("drivers")


@dataclass(frozen=True)
class Order:
    """What is asked of a system. Seconds; `replies` is how many answers of the model it may use."""

    folder: str
    url: str
    replies: int
    model: str = "scripted"
    workers: int = 2
    processes: int = 2
    proposals: int = 16
    in_flight: int = 64
    preload: int = 0
    seed: int = 42
    limit_s: int = 10
    reply_s: int = 120
    max_tokens: int = 2_048
    resume: bool = False
    text: str = "Improve the score that the program's value() returns."
    settings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Tried:
    """One program of a run: its step, its score (None: refused) and when it was ready (s since 1970)."""

    step: int
    code: str
    score: float | None
    time: float


@dataclass(frozen=True)
class System:
    """One of them. `workers` of Order means what each calls so."""

    name: str
    title: str
    python: str
    driver: str
    history: Callable[[Path], list[Tried]]
    kept: Callable[[Path], int]
    """How many of the replies that a killed run was given it still knows."""

    def start(self, order: Order, *, environment: dict[str, str] | None = None) -> Job:
        """Begin a job whose folder has its files already."""
        folder = Path(order.folder)
        job = folder / "job.json"
        job.write_text(json.dumps(asdict(order)))
        keys = {"OPENAI_API_KEY": task.KEY, "LOCAL_OPENAI_API_KEY": task.KEY, "QUILTWORK_HOME": str(folder / "home")}
        keys |= {"PYTHONDONTWRITEBYTECODE": "1"}
        return Job(
            [self.python, str(DRIVERS / self.driver), str(job)], folder=folder, environment=keys | (environment or {})
        )


def systems(environments: dict[str, Path]) -> list[System]:
    """Ourselves, and those of the peers whose environment is there."""
    found = [System("quiltwork", "Quiltwork", sys.executable, "quiltwork_driver.py", _ours, _ours_kept)]
    peers = (
        ("openevolve", "OpenEvolve 0.4.0", "openevolve_driver.py", _openevolve, _openevolve_kept),
        ("shinka", "ShinkaEvolve 0.0.7", "shinka_driver.py", _shinka, _shinka_kept),
    )
    for name, title, driver, history, kept in peers:
        if name in environments:
            found.append(System(name, title, str(environments[name] / "bin" / "python"), driver, history, kept))
    return found


def _ours(folder: Path) -> list[Tried]:
    from quiltwork.evolve.entries import Evaluated, Proposed, Refused, Started
    from quiltwork.evolve.program import Program
    from quiltwork.log import decode
    from quiltwork.run import Run

    job = json.loads((folder / "job.json").read_text())
    programs: dict[int, str] = {}
    found: dict[int, Tried] = {}
    metric = ""
    with Run.open(folder / "run", drive=False) as run:
        for entry in run.log.read():
            body = decode(entry)
            if isinstance(body, Started):
                metric = json.loads(body.config)["metrics"][0]["name"]
            elif isinstance(body, Proposed):
                files = Program.decode(run.blobs.get(body.program)).files
                programs[body.step] = "".join(files.values())
            elif isinstance(body, Evaluated):
                score = body.metrics[metric] if body.verdict == "ok" else None
                found[body.step] = Tried(body.step, programs[body.step], score, entry.time / 1e9)
            elif isinstance(body, Refused):
                found[body.step] = Tried(body.step, programs.get(body.step, ""), None, entry.time / 1e9)
    return [found[step] for step in sorted(found) if step >= job["preload"]]


def _ours_kept(folder: Path) -> int:
    from quiltwork.evolve.entries import Replied
    from quiltwork.log import decode
    from quiltwork.run import Run

    with Run.open(folder / "run", drive=False) as run:
        return sum(isinstance(decode(entry), Replied) for entry in run.log.read())


def _openevolve(folder: Path) -> list[Tried]:
    path = folder / "history.json"
    if not path.exists():
        return []
    return [Tried(p["step"], p["code"], p["score"], p["time"]) for p in json.loads(path.read_text())["programs"]]


def _openevolve_kept(folder: Path) -> int:
    checkpoints = list((folder / "openevolve" / "checkpoints").glob("checkpoint_*"))
    if not checkpoints:
        return 0
    return max(int(path.name.split("_")[1]) for path in checkpoints)


def _shinka(folder: Path) -> list[Tried]:
    path = folder / "shinka" / "programs.sqlite"
    if not path.exists():
        return []
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60) as connection:
        rows = connection.execute(
            "select generation, code, combined_score, correct, timestamp from programs "
            "where id not like 'filled-%' order by timestamp"
        ).fetchall()
    unique: dict[tuple, Tried] = {}
    for step, code, score, correct, moment in rows:  # every island has a copy of the initial program
        unique.setdefault((code, score), Tried(step, code, score if correct else None, moment))
    return list(unique.values())


def _shinka_kept(folder: Path) -> int:
    return max(0, len(_shinka(folder)) - 1)
