"""How long `polish` alone takes to reach a target: value and CPU seconds, per problem and seed.

    python benchmarks/polish.py [--problems circle_packing_26 ...] [--seeds 10] [--limit 200]

Uses the declaration in the problem's `polish.py` directly: no run, no evaluator, one process. Each search starts from one of
the best constructions at hand, as in a run. The value is that of the objective before the evaluator's exact repair.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np

from quiltwork.evolve.nlp import Nlp
from quiltwork.evolve.polish import same, search

GALLERY = Path(__file__).resolve().parent.parent / "gallery"
TARGETS = {
    "circle_packing_26": -2.63598,
    "circle_packing_32": -2.93957,
    "distance_ratio_16_2d": 12.88923,
    "distance_ratio_14_3d": 4.165784,
    "heilbronn_triangle_11": -0.03652988988,
}
"""In the direction of the objective, which is minimised."""

POOL = 12


def declaration(name: str) -> Nlp:
    spec = importlib.util.spec_from_file_location(f"polish_{name}", GALLERY / name / "polish.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.problem()


def reach(nlp: Nlp, target: float, seed: int, limit: float) -> tuple[float, float, int]:
    """The best objective, CPU seconds, and searches until the target or the limit."""
    rng = np.random.default_rng(seed)
    pool: list[tuple[float, np.ndarray]] = []
    began, searches = time.process_time(), 0
    while time.process_time() - began < limit:
        start = pool[int(len(pool) * rng.random() ** 3)][1] if pool else None
        found = search(nlp, start, rng)
        searches += 1
        if found is None or any(same(found.value, value) for value, _ in pool):
            continue
        pool = sorted([*pool, (found.value, found.x)], key=lambda pair: pair[0])[:POOL]
        if pool[0][0] <= target:
            break
    return pool[0][0], time.process_time() - began, searches


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", nargs="+", default=list(TARGETS), choices=list(TARGETS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--limit", type=float, default=200.0, help="CPU seconds per seed")
    args = parser.parse_args()
    for name in args.problems:
        nlp, target = declaration(name), TARGETS[name]
        rows = []
        for seed in range(args.seeds):
            value, seconds, searches = reach(nlp, target, seed, args.limit)
            rows.append((value, seconds))
            print(f"{name:24} seed {seed:2}: {value:.13f} in {seconds:6.1f} CPU s, {searches} searches", flush=True)
        hits = sum(value <= target for value, _ in rows)
        times = [seconds for _, seconds in rows]
        reached = f"{hits} of {len(rows)} seeds reach {target}"
        print(f"{name:24} {reached}, median {statistics.median(times):.1f} CPU s, worst {max(times):.1f}")


if __name__ == "__main__":
    main()
