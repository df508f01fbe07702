"""Drives Quiltwork: `python quiltwork_driver.py JOB.json`, through its command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from quiltwork.cli.main import main as quiltwork


def main(job: dict) -> None:
    folder = Path(job["folder"])
    words = ["--workers", str(job["workers"]), "--json"]
    run = str(folder / "run")
    budget = f"{job['preload'] + job['replies'] + 1}evals"
    if job["preload"]:
        fill(folder, job, budget)
    if job["preload"] or job["resume"]:
        words = ["resume", run, *words]
    else:
        seed = ["--seed", str(job["seed"])]
        settings = [word for name, value in job["settings"].items() for word in ("--set", f"{name}={value}")]
        words = ["run", str(folder / "problem"), "--out", run, "--budget", budget, *seed, *settings, *words]
    sys.argv = ["quiltwork", "evolve", *words]
    quiltwork()


def fill(folder: Path, job: dict, budget: str) -> None:
    """Append the entries of programs that passed, as a run would have."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from task import honest, knob_of

    from quiltwork.evolve.budget import parse_budget
    from quiltwork.evolve.entries import Evaluated, Planned, Proposed
    from quiltwork.evolve.problem import Problem
    from quiltwork.evolve.session import begin
    from quiltwork.run import Run

    problem = Problem.load(folder / "problem")
    begin(problem, folder / "run", seed=job["seed"], budget=parse_budget(budget))
    with Run.open(folder / "run", drive=True) as run:
        for number in range(job["preload"]):
            program = problem.program.with_file("program.py", honest(10_000_000 + number))
            planned = Planned(
                step=number,
                arm="mutate" if number else "seed",
                island=number % 3 if number else 0,
                parents=(0,) if number else (),
            )
            run.writer.append(
                planned,
                Proposed(step=number, program=run.blobs.put(program.encode()), normal=f"filled {number}"),
                Evaluated(
                    step=number,
                    verdict="ok",
                    metrics={"score": 0.5 * knob_of(number)},
                    descriptors={"program.nodes": number * 7 % 1_000},
                ),
            )


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
