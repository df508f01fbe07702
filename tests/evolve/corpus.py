"""Programs as people write them, for tests of whoever changes programs."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

from hypothesis import strategies as st

from quiltwork.evolve.config import Metric, ProblemConfig
from quiltwork.evolve.draws import draw
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.program import Program
from quiltwork.evolve.proposers.base import Brief, Specimen, Turn

FORMULA = """\
# EVOLVE-BLOCK-START
def model(x, y):
    return x
# EVOLVE-BLOCK-END


def table(rows):
    return [model(*row) for row in rows]
"""

PACKING = '''\
"""Bins, one item at a time."""
import math
import numpy as np

CAPACITY = 100

# EVOLVE-BLOCK-START
def priority(item, bins):
    """Higher is better."""
    scores = []
    for index, free in enumerate(bins):
        left = free - item  # what stays free
        if left < 0:
            scores.append(-1e9)
            continue
        score = -(left ** 2) + 0.5 * index
        if left == 0 and item > CAPACITY / 2:
            score += 10.0
        scores.append(
            score
            * 1.0
        )
    return np.array(scores)

# a note between functions

def choose(item, bins):
    best, value = 0, -math.inf
    for i, each in enumerate(priority(item, bins)):
        if each > value: best, value = i, each
    return best
# EVOLVE-BLOCK-END

def run(items):
    return [choose(i, [CAPACITY] * 3) for i in items]
'''

ANNEALING = """\
import random
from math import exp, sqrt

# EVOLVE-BLOCK-START temperature
START, RATE = 10.0, 0.995
WEIGHTS = [0.25, -1.5, 3]
STEPS = 200
# EVOLVE-BLOCK-END

def energy(p):
    return sum(w * v for w, v in zip(WEIGHTS, p))

class Walk:
    def __init__(self, n):
        self.p = [0.0] * n

    # EVOLVE-BLOCK-START
    def step(self, t, rng):
        i = rng.randrange(len(self.p))
        old = self.p[i]
        before = energy(self.p) + max(rng.random() for _ in range(3))
        self.p[i] = old + (rng.random() - 0.5) * sqrt(t)
        delta = energy(self.p) - before
        if delta > 0 and rng.random() > exp(-delta / t):
            self.p[i] = old
        return (delta
                if delta < 0 else 0.0)
    # EVOLVE-BLOCK-END

def search(n, seed):
    rng = random.Random(seed)
    walk, t = Walk(n), START
    for _ in range(STEPS):
        walk.step(t, rng)
        t *= RATE
    return walk.p
"""

SCRIPT = """\
def fib(n, memo={}):
\ta, b = 0, 1
\twhile n > 0:
\t\ta, b = b, a + b
\t\tn -= 1
\treturn a


naïve = {"ü": 2.5, 'limit': 10}
pick = lambda v, k=3: v[k] if len(v) > k else v[-1]
label = f"{naïve['ü']:.2f} of {fib(3)}"
matrix = [[1.0, 2.0], [3.0, 4.5]]
total = sum(v * 0.5 for row in matrix for v in row if v > 1.5)
"""

CORPUS = (
    Program({"program.py": FORMULA}),
    Program({"program.py": PACKING}),
    Program({"program.py": PACKING.replace("\n", "\r\n")}),
    Program({"main.py": ANNEALING, "notes.txt": "no code\n"}),
    Program({"main.py": SCRIPT}),
    Program({"a.py": PACKING, "lib/b.py": ANNEALING, "c.c": "// EVOLVE-BLOCK-START\nint x;\n// EVOLVE-BLOCK-END\n"}),
)

programs = st.sampled_from(CORPUS)


def make_problem(program: Program, building_blocks: Mapping[str, Mapping[str, str]] | None = None) -> Problem:
    """A problem of which nothing but its program and its building blocks is real."""
    config = ProblemConfig(name="test", metrics=(Metric(name="score"),))
    return Problem(Path("/nowhere"), config, program, (), "", building_blocks or {})


def specimen(program: Program, fitness: float = 0.0) -> Specimen:
    return Specimen(program=program, fitness=(fitness,), metrics={"score": fitness}, artifacts={})


def make_brief(
    parent: Program,
    seed: int = 0,
    *,
    inspirations: tuple[Program, ...] = (),
    building_blocks: Mapping[str, Mapping[str, str]] | None = None,
    history: tuple[Turn, ...] = (),
    turn: int = 0,
    campaign_seed: int = 0,
) -> Brief:
    return Brief(
        problem=make_problem(parent, building_blocks),
        parent=specimen(parent),
        inspirations=[specimen(each) for each in inspirations],
        rng=draw(seed, 0, "propose"),
        history=history,
        turn=turn,
        campaign_seed=campaign_seed,
    )


def parses(program: Program) -> bool:
    """Whether all its Python does."""
    for path, text in program.files.items():
        if path.endswith(".py"):
            ast.parse(text)
    return True
