"""Quiltwork beside OpenEvolve 0.4.0 and ShinkaEvolve 0.0.7, in one go, on one machine.

    python benchmarks/peers/run.py [--only overhead latency ...] [--budget-min 120] [--envs DIR] [--again]
                                   [--model-url URL#ID] [--table]

The first call makes the environments (about 900 MB, below ~/.cache/quiltwork/peers). Results are kept after every
measurement in benchmarks/results/peers.json, and a later call measures what is missing (`--again`: all of it). At the end
the table is printed and written into docs/benchmarks.md. Every process has a time limit and is killed at it. Fork bombs
and memory hogs are let loose on peers that have no jail, so use a machine that can take 12 GB and 800 processes.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import environments
import quality
import table
from crash import crash, same_seed
from hostile import hostile
from records import Results, Row
from speed import latency, overhead
from systems import System, systems

ROOT = Path(__file__).resolve().parent.parent.parent
PARTS = ("size", "overhead", "latency", "hostile", "crash", "seed", "quality")
IMPORTS = {
    "quiltwork": "import quiltwork.evolve.session, quiltwork.evolve.proposers.llm, quiltwork.models.server",
    "openevolve": "import openevolve",
    "shinka": "import shinka.core",
}


def size(found: list[System], results: Results, made: dict[str, Path]) -> None:
    """Part (g): the time of an import, and what is installed."""
    for system in found:

        def measure(system: System = system) -> Row:
            if system.name not in made:
                raise RuntimeError("its environment could not be made")
            environment = made[system.name]
            wall_s, cpu_s = environments.import_s(environment / "bin" / "python", IMPORTS[system.name])
            return {"mb": environments.size_mb(environment), "import_s": wall_s, "import_cpu_s": cpu_s}

        results.measure(f"size/{system.name}", measure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--budget-min", type=float, default=240.0, help="stop after so many minutes")
    parser.add_argument("--envs", type=Path, default=Path.home() / ".cache" / "quiltwork" / "peers")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "peers.json")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs" / "benchmarks.md")
    parser.add_argument("--again", action="store_true", help="measure what is known already, too")
    parser.add_argument("--table", action="store_true", help="measure nothing, only write the table")
    parser.add_argument(
        "--model-url", default="", help="for `quality`: URL#ID of a server that runs; else one is started"
    )
    parser.add_argument("--replies", type=int, default=quality.REPLIES, help="for `quality`: of the model, per run")
    args = parser.parse_args()
    deadline = time.monotonic() + 60.0 * args.budget_min
    results = Results(args.out, deadline=deadline, again=args.again)
    if not args.table:
        made = environments.make(args.envs)
        found = systems(made)
        parts = {
            "size": lambda: size(found, results, made),
            "overhead": lambda: overhead(found, results),
            "latency": lambda: latency(found, results),
            "hostile": lambda: hostile(found, results),
            "crash": lambda: crash(found, results),
            "seed": lambda: same_seed(found, results),
            "quality": lambda: quality.quality(found, results, args.model_url, args.replies),
        }
        for name in args.only:
            parts[name]()
    text = table.markdown(results.rows, args.out)
    print(text)
    if table.write(args.docs, text):
        print(f"written into {args.docs}")


if __name__ == "__main__":
    main()
