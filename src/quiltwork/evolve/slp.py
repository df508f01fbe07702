"""Local optimisation of a small smooth constrained problem: sequential linear programming in a shrinking trust region.

Extremal constructions are mostly vertices: as many constraints hold with equality as there are unknowns. There the linearised
problem's own vertex converges quadratically (Palacios-Gomez, Lasdon and Engquist 1982; the exact penalty of Fletcher and
Sainz de la Maza 1989), and a linear program of a hundred rows takes HiGHS two milliseconds. Where the optimum is curved the
steps stay as long as the trust region allows, and SLSQP finishes on the constraints that are near. All of it is bounded by
iterations and not by time, so that results repeat.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from quiltwork.evolve.polish import Nlp

Vector = NDArray[np.float64]

FEASIBLE = 1e-9
"""Largest violation of a constraint that still counts as rounding; evaluators have none of it and repair what is left."""

SETTLED = 1e-11
"""Predicted gain, relative to the objective, below which a descent ends: enough to tell basins apart."""

LAST_DIGIT = 1e-15
"""The same where the last digit counts."""

SMALLEST_RADIUS = 1e-9
"""Trust radius at which steps drown in rounding."""

HOPE = 5.0
"""Steps like the last one that an unpromising start is granted before it is given up."""

PATIENCE = 3
"""Steps before a start can be unpromising."""

SLSQP_UNKNOWNS = 160
"""SLSQP factorises dense matrices: beyond this many unknowns a finish would take seconds."""


@dataclass(frozen=True, slots=True)
class Local:
    """Where a local search ended: the point (n,), its objective, its largest violation (0: feasible), whether it converged."""

    x: Vector
    value: float
    violation: float
    converged: bool

    @property
    def feasible(self) -> bool:
        """Whether the point is valid up to rounding."""
        return self.violation <= FEASIBLE


@dataclass(slots=True)
class _Point:
    """An iterate with its first derivatives: gradient (n,), constraint values (m,), Jacobian (m, n)."""

    x: Vector
    value: float
    gradient: Vector
    slack: Vector
    jacobian: Vector

    @property
    def violation(self) -> float:
        return max(0.0, -float(self.slack.min())) if len(self.slack) else 0.0


def improve(nlp: Nlp, x: Vector, *, steps: int = 40, hopeless_above: float = np.inf, settled: float = SETTLED) -> Local:
    """Descend from `x` (n,) to a local minimum by at most `steps` linear programs (or L-BFGS-B, where nothing constrains).

    A descent that will hardly get below `hopeless_above` is given up early.
    """
    if nlp.constraints is None:
        return _lbfgs(nlp, x, steps)
    here = _look(nlp, nlp.clip(x))
    radius, penalty, converged = nlp.radius, 10.0 * (1.0 + float(np.abs(here.gradient).sum())), False
    for step in range(steps):
        move, slack = _linear_program(nlp, here, radius, penalty)
        if move is None:
            radius /= 4.0
            continue
        predicted = penalty * (here.violation - slack) - float(np.sum(here.gradient * move))
        converged = predicted <= SETTLED * (1.0 + abs(here.value))
        if predicted <= settled * (1.0 + abs(here.value)):
            break
        there = _look(nlp, nlp.clip(here.x + move))
        gained = here.value - there.value + penalty * (here.violation - there.violation)
        length = float(np.abs(move).max())
        if gained > 0.05 * predicted:
            here = there
            if gained < 0.5 * predicted:
                radius = 0.6 * length
            elif length > 0.99 * radius:
                radius *= 1.0 if gained < 0.9 * predicted else 2.0
        else:
            radius = 0.3 * length
        if slack > FEASIBLE:
            penalty *= 4.0
        if radius < SMALLEST_RADIUS:
            break
        if step >= PATIENCE and here.value - HOPE * max(gained, 0.0) > hopeless_above:
            break
    return Local(here.x, here.value, here.violation, converged)


def tighten(nlp: Nlp, x: Vector) -> Local:
    """Bring a local minimum to the last digits: a longer descent, and SLSQP where the optimum is not a vertex."""
    found = improve(nlp, x, steps=100, settled=LAST_DIGIT)
    if nlp.constraints is None or found.converged or len(x) > SLSQP_UNKNOWNS:
        return found
    finished = improve(nlp, _slsqp(nlp, found.x), steps=20, settled=LAST_DIGIT)
    return min((found, finished), key=lambda local: (not local.feasible, local.value))


def _look(nlp: Nlp, x: Vector) -> _Point:
    value, gradient = nlp.objective(x)
    assert nlp.constraints is not None
    slack, jacobian = nlp.constraints(x)
    return _Point(x, float(value), gradient, slack, jacobian)


def _linear_program(nlp: Nlp, here: _Point, radius: float, penalty: float) -> tuple[Vector | None, float]:
    """The best step in the box of `radius` by first derivatives, and the violation that it predicts to remain.

    Rows that cannot become active in the box are left out. One elastic column keeps the program feasible.
    """
    from scipy import optimize

    linprog: Any = optimize.linprog  # as with `minimize` below
    near = here.slack < radius * np.abs(here.jacobian).sum(axis=1)
    rows = here.jacobian[near]
    matrix = np.empty((len(rows), len(here.x) + 1))
    matrix[:, :-1] = -rows
    matrix[:, -1] = -1.0
    bounds = np.empty((len(here.x) + 1, 2))
    lower, upper = nlp.box(len(here.x))
    bounds[:-1, 0] = np.maximum(lower - here.x, -radius)
    bounds[:-1, 1] = np.minimum(upper - here.x, radius)
    bounds[-1] = 0.0, np.inf
    costs = np.append(here.gradient, penalty)
    solved = linprog(
        costs, A_ub=matrix, b_ub=here.slack[near], bounds=bounds, method="highs-ds", options={"presolve": False}
    )
    if solved.x is None or solved.status != 0:
        return None, 0.0
    return solved.x[:-1], max(0.0, float(solved.x[-1]))


def _slsqp(nlp: Nlp, x: Vector) -> Vector:
    """Sequential least squares (Kraft 1988) on the constraints that are near at `x`; where it fails, `x`."""
    from scipy import optimize

    minimize: Any = optimize.minimize  # its stubs know fewer calls than it takes
    assert nlp.constraints is not None
    constraints: Callable[[Vector], tuple[Vector, Vector]] = nlp.constraints
    slack, jacobian = constraints(x)
    near = slack < 0.05 * nlp.radius * np.abs(jacobian).sum(axis=1)
    lower, upper = nlp.box(len(x))
    result = minimize(
        lambda z: nlp.objective(z)[0],
        x,
        jac=lambda z: nlp.objective(z)[1],
        method="SLSQP",
        bounds=optimize.Bounds(lower, upper),
        constraints=[
            {"type": "ineq", "fun": lambda z: constraints(z)[0][near], "jac": lambda z: constraints(z)[1][near]}
        ],
        options={"maxiter": 60, "ftol": 1e-15},
    )
    return nlp.clip(result.x) if np.isfinite(result.x).all() else x


def _lbfgs(nlp: Nlp, x: Vector, steps: int) -> Local:
    from scipy import optimize

    minimize: Any = optimize.minimize  # its stubs know fewer calls than it takes
    lower, upper = nlp.box(len(x))
    result = minimize(
        lambda z: nlp.objective(z)[0],
        nlp.clip(x),
        jac=lambda z: nlp.objective(z)[1],
        method="L-BFGS-B",
        bounds=optimize.Bounds(lower, upper),
        options={"maxiter": 10 * steps, "ftol": 1e-15, "gtol": 1e-12},
    )
    return Local(result.x, float(result.fun), 0.0, bool(result.success))
