"""What a step costs beside its evaluation: iterations per second and CPU per iteration, at growing numbers of programs.

    python benchmarks/evolve_overhead.py [--sizes 100 1000 10000 100000] [--steps 600] [--workers 2] [--json]

A run is filled with programs by appending their entries, then driven for `--steps` more evaluations of a trivial
evaluator, once jailed and once with --trust, the start of workers and jails included. CPU seconds are those of the
driver, the workers and the jails. Compare the rows of one run.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from quiltwork.evolve.budget import Budget
from quiltwork.evolve.entries import Evaluated, Planned, Proposed
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.session import Session, begin, drive, opened
from quiltwork.run import Run

PROBLEM = {
    "problem.toml": """
name = "trivial"
[[metrics]]
name = "value"
[[descriptors]]
name = "place"
low = 0.0
high = 1.0
bins = 50
[search]
arms = ["mutate", "cross"]
""",
    "program/program.py": """
# EVOLVE-BLOCK-START
def value(x):
    a = 0.25
    b = 0.5
    if x > 2:
        a = a + x * b
    return a * x + b - 0.125


# EVOLVE-BLOCK-END
""",
    "evaluate.py": """
from quiltwork.evolve import InvalidScore, Score


def evaluate(candidate):
    value = candidate.call("value", 3)
    if not isinstance(value, int | float) or abs(value) > 1e9:
        raise InvalidScore("value() must return a small number")
    return Score(metrics={"value": -abs(value - 7.3)}, descriptors={"place": abs(value) % 1.0})
""",
}

FILL_BATCH = 500


def write_problem(folder: Path) -> Problem:
    for name, text in PROBLEM.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Problem.load(folder)


def fill(path: Path, count: int) -> None:
    """Append the entries of `count` programs, all different and all passed, as a run would have."""
    with Run.open(path, drive=True) as run:
        problem = write_problem(path.parent / "fill")
        text = problem.program.files["program.py"]
        batch = []
        for step in range(count):
            program = problem.program.with_file("program.py", text.replace("0.125", repr(step * 0.001)))
            seeded = step == 0
            batch += [
                Planned(
                    step=step,
                    arm="seed" if seeded else "mutate",
                    island=0 if seeded else step % 3,
                    parents=() if seeded else (0,),
                ),
                Proposed(step=step, program=run.blobs.put(program.encode()), normal=f"fill {step}"),
                Evaluated(
                    step=step,
                    verdict="ok",
                    metrics={"value": -10.0 - (step * 7919 % 1009) / 1009},
                    descriptors={"place": (step * 104729 % 997) / 997},
                ),
            ]
            if len(batch) >= 3 * FILL_BATCH:
                run.writer.append(*batch)
                batch.clear()
        if batch:
            run.writer.append(*batch)


def measure(folder: Path, size: int, *, steps: int, workers: int, trust: bool) -> dict[str, float | int | bool]:
    problem = write_problem(folder / "problem")
    path = folder / f"run-{size}-{'trust' if trust else 'jail'}"
    begin(problem, path, seed=1, budget=Budget(size + steps, "evals"))
    fill(path, size)
    started = time.monotonic()
    with opened(path, drive=True) as session:
        folded_s = time.monotonic() - started
        done = timed(session, workers=workers, trust=trust)
    return {"programs": size, "trust": trust, "fold_s": folded_s, **done}


def timed(session: Session, *, workers: int, trust: bool) -> dict[str, float | int]:
    """Drive to the end. The run's own account of processor seconds is used: it holds the driver, workers and jails."""
    steps_before, cpu_before = session.state.committed, session.state.cpu_s
    started = time.monotonic()
    drive(session, workers=workers, trust=trust)
    wall, cpu = time.monotonic() - started, session.state.cpu_s - cpu_before
    steps = session.state.committed - steps_before
    return {"steps": steps, "steps_per_s": steps / wall, "cpu_ms_per_step": 1e3 * cpu / steps}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1_000, 10_000, 100_000])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = []
    if not args.json:
        print(f"{'programs':>9} {'jail':>6} {'steps/s':>9} {'CPU ms/step':>12} {'fold s':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for size in args.sizes:
            for trust in (False, True):
                row = measure(Path(folder) / str(size), size, steps=args.steps, workers=args.workers, trust=trust)
                rows.append(row)
                if not args.json:
                    jail = "off" if trust else "on"
                    print(
                        f"{size:>9} {jail:>6} {row['steps_per_s']:>9.0f} {row['cpu_ms_per_step']:>12.2f} {row['fold_s']:>8.1f}"
                    )
    if args.json:
        print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
