"""Runs made up for the report's tests: plausible ones, and ones written by somebody who means harm."""

from __future__ import annotations

import random

from quiltwork.evolve.display.snapshot import (
    ArmView,
    AskedView,
    BestView,
    BudgetView,
    CurvePoint,
    EventView,
    KnownView,
    Snapshot,
)
from quiltwork.evolve.report.data import (
    ArchiveView,
    Artifact,
    Axis,
    Certificate,
    CreditPoint,
    EliteView,
    IslandMap,
    ProgramView,
    ReportData,
)

EMPTY = ReportData(Snapshot(problem="p", metric="m", maximize=True, seed=0, budget=BudgetView("evals", 10.0, 0.0)))
ARMS = ("compose", "mutate", "polish")
AXES = (Axis("program.nodes", 0, 100, 8), Axis("contacts", 0, 60, 6), Axis("depth", 0, 5, 4))


def run(
    count: int = 40, *, axes: int = 2, kind: str = "grid", text: str = "a note", source: str = "x = 1\n"
) -> ReportData:
    """A run of `count` steps. `text` stands wherever a program or an evaluator may write, `source` in every program."""
    rng = random.Random(count)
    programs: list[ProgramView] = []
    improved: list[int] = []
    best: tuple[float, int] | None = None
    for step in range(count):
        refused = step % 5 == 4
        value = 2.0 - 1.0 / (1 + step) - rng.random() * 0.1
        if not refused and (best is None or value > best[0]):
            best = (value, step)
            improved.append(step)
        programs.append(
            ProgramView(
                step=step,
                arm="seed" if step == 0 else ARMS[step % 3],
                island=step % 2,
                parents=(improved[-2] if improved[-1] == step else improved[-1],) if step else (),
                verdict=("duplicate" if step % 2 else text) if refused else "ok",
                note=f"{text} {step}",
                detail=text if refused else "",
                metrics={} if refused else {"m": value, text: 1.0},
                cpu_s=0.5,
                evaluations=step + 1,
                spent_cpu_s=0.5 * step,
                files={"program.py": f"{source}y = {step}\n", f"{text}.py": text},
                artifacts=(
                    Artifact(f"{text}.txt", text.encode("utf-8", "replace")),
                    Artifact(
                        "plot.svg",
                        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(2)</script></svg>",
                    ),
                ),
            )
        )
    return ReportData(
        snapshot=_snapshot(programs, improved, text),
        summary=text,
        programs=tuple(programs),
        improved=tuple(improved),
        archive=_archive(programs, axes, kind, rng),
        credits=tuple(CreditPoint(step, {"mutate": 0.4, "polish": 0.6}) for step in range(0, count, 10)),
        certificate=Certificate(improved[-1], text, "1/3", text),
        digest="8f3ad1c09be2447f5d6e1a0c33b7f2918e4d5566a1b2c3d4e5f60718293a4b5c",
        facts=((text, text),),
        commands=((text, text),),
    )


def _snapshot(programs: list[ProgramView], improved: list[int], text: str) -> Snapshot:
    best = programs[improved[-1]]
    curve = [programs[step] for step in improved]
    return Snapshot(
        problem=text,
        metric="m",
        maximize=True,
        seed=7,
        budget=BudgetView("evals", 100.0, float(len(programs))),
        steps=len(programs),
        evaluations=len(programs),
        refusals={"duplicate": len(programs) // 10, text: len(programs) // 10},
        known=(KnownView(text, 1.9, text), KnownView("best known", 2.0001, text)),
        best=BestView(best.step, best.metrics["m"], best.note, best.arm, best.metrics, {text: 1.0}, "1/3"),
        curve=tuple(CurvePoint(p.evaluations, p.spent_cpu_s, p.metrics["m"]) for p in curve),
        arms=tuple(ArmView(name, 10, 0.3, 0.3, 1, 5.0) for name in ARMS),
        asked=(AskedView(f"llm:{text}:diff", 12, 3_456, 0.0123, 4.0, 10, 7, 2),),
        events=(EventView(best.step, 1.0, best.arm, text),),
        wall_s=12.0,
        cpu_s=20.0,
    )


def _archive(programs: list[ProgramView], axes: int, kind: str, rng: random.Random) -> ArchiveView:
    ranges = AXES[:axes]
    islands = []
    for index in range(2):
        members = [p for p in programs if p.island == index and "m" in p.metrics]
        elites = [
            EliteView(p.step, p.metrics["m"], tuple(rng.uniform(axis.low, axis.high) for axis in ranges))
            for p in members
        ]
        islands.append(IslandMap(index, tuple(elites), 48))
    centroids = tuple((rng.random(), rng.random()) for _ in range(12)) if kind == "cvt" else ()
    return ArchiveView(kind, ranges, tuple(islands), centroids)  # type: ignore[arg-type]
