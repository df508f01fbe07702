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
from typing import Any

import numpy as np

from quiltwork.evolve.nlp import Nlp, Vector

FEASIBLE = 1e-9
"""Largest violation of a constraint that still counts as rounding; evaluators have none of it and repair what is left."""

ROUNDING = 1e-14
"""A violation that small may come from computing the constraint: to chase it is to chase noise."""

SETTLED = 1e-11
"""Predicted gain, relative to the objective, below which a descent ends: enough to tell basins apart."""

LAST_DIGIT = 1e-15
"""The same where the last digit counts."""

ELASTIC = 100.0
"""Price of a violation inside a linear program, in units of the gradient: high, so that it is paid only when it must be."""

OVER_THE_MULTIPLIERS = 1.2
"""Price of a violation when a step is judged, in units of the sum of the multipliers: just enough for an exact penalty.
A higher one makes curved constraints impassable, since every step along a tangent leaves them a little."""

WORTH_A_STEP = 0.05
"""Share of the promised gain that a step must keep to be taken."""

SMALLEST_RADIUS = 1e-10
"""Trust radius at which steps drown in rounding."""

HOPE = 5.0
"""Steps like the last one that an unpromising start is granted before it is given up."""

PATIENCE = 3
"""Steps before a start can be unpromising."""

HIGHS = {"presolve": False, "primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
"""Tolerances as tight as the solver takes them; presolve costs more than it saves on a hundred rows."""

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


@dataclass(frozen=True, slots=True)
class _Plan:
    """A step (n,), the violation that the linear model expects after it, and what violation costs per unit."""

    move: Vector
    violation: float
    price: float


@dataclass(frozen=True, slots=True)
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
    here, radius, converged = _look(nlp, nlp.clip(x)), nlp.radius, False
    scale = nlp.scales(len(here.x))
    for step in range(steps):
        plan = _linear_program(nlp, here, radius, scale)
        if plan is None:
            radius /= 4.0
            continue
        predicted = plan.price * (here.violation - plan.violation) - float(np.sum(here.gradient * plan.move))
        converged = predicted <= SETTLED * (1.0 + abs(here.value))
        if predicted <= settled * (1.0 + abs(here.value)):
            break
        there = _look(nlp, nlp.clip(here.x + plan.move))
        gained = here.value - there.value + plan.price * (here.violation - there.violation)
        length = float(np.abs(plan.move / scale).max())
        if gained > WORTH_A_STEP * predicted:
            here = there
        radius = _next_radius(radius, length, gained / predicted)
        if radius < SMALLEST_RADIUS or (converged and gained <= 0.0 and here.violation < ROUNDING):
            break
        if step >= PATIENCE and here.value - HOPE * max(gained, 0.0) > hopeless_above:
            break
    return Local(here.x, here.value, here.violation, converged)


def _next_radius(radius: float, length: float, agreement: float) -> float:
    """The trust radius after a step of some length, whose gain was `agreement` times what the linear model promised."""
    if agreement <= WORTH_A_STEP:
        return 0.3 * length
    if agreement < 0.5:
        return 0.6 * length
    if length < 0.99 * radius:
        return min(radius, 10.0 * length)
    return 2.0 * radius if agreement > 0.9 else radius


def tighten(nlp: Nlp, x: Vector) -> Local:
    """Bring a local minimum to the last digits: a longer descent, and SLSQP where the optimum is not a vertex."""
    found = improve(nlp, x, steps=100, settled=LAST_DIGIT)
    if nlp.constraints is None or found.converged or len(x) > SLSQP_UNKNOWNS:
        return found
    finished = improve(nlp, _slsqp(nlp, found.x), steps=20, settled=LAST_DIGIT)
    return finished if finished.feasible and finished.value < found.value + FEASIBLE else found


def order(local: Local) -> tuple[bool, float]:
    """Better ones first: what is feasible before what is not."""
    return not local.feasible, local.value


def _look(nlp: Nlp, x: Vector) -> _Point:
    value, gradient = nlp.objective(x)
    assert nlp.constraints is not None
    slack, jacobian = nlp.constraints(x)
    return _Point(x, float(value), gradient, slack, jacobian)


def _linear_program(nlp: Nlp, here: _Point, radius: float, scale: Vector) -> _Plan | None:
    """The best step within the trust region by first derivatives; None where the program cannot be solved.

    Everything is measured in radii, so that the solver's tolerances shrink with the steps. Rows that cannot become active in
    the region are left out. One elastic column keeps the program feasible.
    """
    from scipy import optimize

    linprog: Any = optimize.linprog  # its stubs know fewer calls than it takes
    n = len(here.x)
    slopes, slack = here.jacobian * scale, here.slack / radius
    near = slack < np.abs(slopes).sum(axis=1)
    matrix = np.full((int(near.sum()), n + 1), -1.0)
    matrix[:, :n] = -slopes[near]
    lower, upper = nlp.box(n)
    bounds = np.empty((n + 1, 2))
    bounds[:n, 0] = np.maximum((lower - here.x) / (radius * scale), -1.0)
    bounds[:n, 1] = np.minimum((upper - here.x) / (radius * scale), 1.0)
    bounds[n] = 0.0, np.inf
    elastic = ELASTIC * (1.0 + float(np.abs(here.gradient).sum()))
    solved = linprog(
        np.append(here.gradient * scale, elastic),
        A_ub=matrix,
        b_ub=slack[near],
        bounds=bounds,
        method="highs-ds",
        options=HIGHS,
    )
    if solved.x is None or solved.status != 0:
        return None
    price = OVER_THE_MULTIPLIERS * float(np.abs(solved.ineqlin.marginals).sum())
    return _Plan(solved.x[:n] * radius * scale, max(0.0, float(solved.x[n]) * radius), price)


def _slsqp(nlp: Nlp, x: Vector) -> Vector:
    """Sequential least squares (Kraft 1988) on the constraints that are near at `x`; where it fails, `x`."""
    from scipy import optimize

    minimize: Any = optimize.minimize
    assert nlp.constraints is not None
    constraints: Callable[[Vector], tuple[Vector, Vector]] = nlp.constraints
    slack, jacobian = constraints(x)
    near = slack < 0.05 * nlp.radius * (np.abs(jacobian) * nlp.scales(len(x))).sum(axis=1)
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

    minimize: Any = optimize.minimize
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
