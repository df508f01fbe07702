"""`quiltwork evolve new`: a small problem that runs, commented, for a user to change."""

from __future__ import annotations

from pathlib import Path

from quiltwork.errors import UserError

PROBLEM_TOML = """\
# What is improved, how it is scored, what it may use. Every field: docs/problem-format.md
name = "{name}"
summary = "Approximate sin(x) on [0, 3] by arithmetic alone"
budget = "400evals"            # or "90cpu-s", "5min"; --budget overrides it

[[metrics]]                    # the first one decides; several make a Pareto front
name = "error"
direction = "minimize"

[[descriptors]]                # what makes programs different: the archive keeps the best of each kind
name = "program.nodes"         # measured for you; evaluate.py may add its own
low = 0
high = 200
bins = 12

[limits]                       # per evaluation; the jail enforces them
wall_s = 2.0
memory_mb = 512
"""

PROGRAM = '''\
"""The program that is improved. Only what stands between the two markers changes."""


# EVOLVE-BLOCK-START
def approximate(x):
    return 0.9 * x - 0.2 * x * x


# EVOLVE-BLOCK-END


def table(xs):
    """What evaluate.py calls, in the jail: one call for all points."""
    return [approximate(x) for x in xs]
'''

EVALUATE = '''\
"""The judge. It runs outside the program's jail and sees nothing of the program but data."""

import math

from quiltwork.evolve import InvalidScore, Score

POINTS = [3.0 * i / 40 for i in range(41)]


def evaluate(candidate):
    """Score one program: `candidate.call` runs its function in the jail. What comes back is a stranger's data: check it."""
    values = candidate.call("table", POINTS)
    if not isinstance(values, list) or len(values) != len(POINTS):
        raise InvalidScore(f"table() must return {len(POINTS)} numbers")
    if not all(isinstance(v, int | float) and math.isfinite(v) for v in values):
        raise InvalidScore("table() must return finite numbers")
    errors = [abs(v - math.sin(x)) for x, v in zip(POINTS, values, strict=True)]
    worst = max(range(len(errors)), key=errors.__getitem__)
    return Score(
        metrics={"error": max(errors)},
        artifacts={"feedback.txt": f"worst at x = {POINTS[worst]:.3f}: off by {errors[worst]:.3g}"},
    )


def held_out(candidate):
    """Run once, at the end, on the best program: points that selection never saw."""
    points = [3.0 * (i + 0.5) / 97 for i in range(97)]
    values = candidate.call("table", points)
    return Score(metrics={"error": max(abs(v - math.sin(x)) for x, v in zip(points, values, strict=True))})
'''

README = """\
# {name}

Approximate sin(x) for x in [0, 3] with additions and multiplications. The score is the largest error at 41 points.
A proposer reads this file, so say here what a good idea might be: a cubic, or a quintic with tuned coefficients.
"""

KNOWN = """\
# Where a run stands: the value of the first metric that others reached. The best known one comes last.
[[known]]
who = "Taylor polynomial of degree 5 about 0"
value = 0.3838799919401327
source = "x - x^3/6 + x^5/120 at the 41 points"
"""


def write_problem(folder: Path) -> list[Path]:
    """Write the example into a folder that is new or empty; returns the files."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: it exists and is not empty; name a folder that is not there yet")
    files = {
        "problem.toml": PROBLEM_TOML,
        "program/program.py": PROGRAM,
        "evaluate.py": EVALUATE,
        "README.md": README,
        "known.toml": KNOWN,
    }
    written = []
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{name}", folder.resolve().name), "utf-8")
        written.append(path)
    return written
