"""What `evolve` reaches without any language model, on the gallery, beside the baselines and the published values.

    python benchmarks/evolve_nokey.py [--problems circle_packing_26 ...] [--seeds 0 1 2] [--budget 120cpu-s]
                                      [--kinds quilt random one_plus_one best_of_n] [--out RESULTS.json] [--resume]

Every (problem, kind, seed) is one run of its own with the same budget; the table shows the median and the best of the
seeds, the CPU seconds until the best was found, and where a problem holds some data out, the score there. Results are
written after every run, and `--resume` goes on where an earlier call ended.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from quiltwork.evolve.budget import parse_budget
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.session import begin, drive, opened
from quiltwork.evolve.verdict import judge

GALLERY = Path(__file__).resolve().parent.parent / "gallery"
KINDS = ("quilt", "random", "one_plus_one", "best_of_n")


@dataclass(frozen=True)
class Result:
    """One run: what it reached and what that took."""

    problem: str
    kind: str
    seed: int
    budget: str
    value: float
    cpu_s: float
    found_at_cpu_s: float
    evaluations: int
    held_out: float | None
    certified: str | None


def solve(problem: Problem, *, kind: str, seed: int, budget: str, workers: int) -> Result:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run"
        begin(problem, path, seed=seed, budget=parse_budget(budget), settings={"kind": kind})
        with opened(path, drive=True) as session:
            if drive(session, workers=workers, trust=False) != "budget":
                raise SystemExit("interrupted; --resume goes on with the runs that are left")
            judge(session, trust=False)
            state, metric = session.state, problem.config.metrics[0]
            best = state.members[state.best or 0]
            certified = state.certified.get(best.step)
            return Result(
                problem=problem.path.name,
                kind=kind,
                seed=seed,
                budget=budget,
                value=best.metrics[metric.name],
                cpu_s=state.cpu_s,
                found_at_cpu_s=state.improvements[-1].cpu_s,
                evaluations=state.evaluations,
                held_out=state.held_out.get(best.step, {}).get(metric.name),
                certified=certified.value if certified else None,
            )


def table(results: list[Result]) -> str:
    lines = [
        f"{'problem':24} {'search':13} {'median':>16} {'best':>16} {'held out':>10} {'CPU s to best':>14} {'evals':>7}   "
        f"reference | best known"
    ]
    for name in dict.fromkeys(result.problem for result in results):
        problem = Problem.load(GALLERY / name)
        best_of = max if problem.config.metrics[0].direction == "maximize" else min
        for kind in dict.fromkeys(r.kind for r in results if r.problem == name):
            rows = [r for r in results if r.problem == name and r.kind == kind]
            held_out = [r.held_out for r in rows if r.held_out is not None]
            known = " | ".join(f"{k.who} {k.value:.12g}" for k in problem.known) if kind == "quilt" else ""
            lines.append(
                f"{name:24} {kind:13} {statistics.median(r.value for r in rows):16.10f} "
                f"{best_of(r.value for r in rows):16.10f} "
                f"{statistics.median(held_out) if held_out else float('nan'):10.4f} "
                f"{statistics.median(r.found_at_cpu_s for r in rows):14.1f} "
                f"{statistics.median(r.evaluations for r in rows):7.0f}   {known}"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", nargs="+", default=sorted(p.parent.name for p in GALLERY.glob("*/problem.toml")))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--budget", default="120cpu-s")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help="a JSON file for the results")
    parser.add_argument("--resume", action="store_true", help="keep the results that --out holds already")
    args = parser.parse_args()
    results: list[Result] = []
    if args.resume and args.out and args.out.exists():
        results = [Result(**row) for row in json.loads(args.out.read_text())["results"]]
    done = {(r.problem, r.kind, r.seed) for r in results}
    for name in args.problems:
        problem = Problem.load(GALLERY / name)
        for kind in args.kinds:
            for seed in args.seeds:
                if (name, kind, seed) in done:
                    continue
                result = solve(problem, kind=kind, seed=seed, budget=args.budget, workers=args.workers)
                results.append(result)
                print(
                    f"{name} {kind} seed {seed}: {result.value:.12g} after {result.found_at_cpu_s:.0f} CPU s",
                    flush=True,
                )
                if args.out:
                    facts = {
                        "date": time.strftime("%Y-%m-%d"),
                        "machine": platform.machine(),
                        "python": platform.python_version(),
                    }
                    args.out.write_text(json.dumps({**facts, "results": [asdict(r) for r in results]}, indent=1) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()
