"""What a problem's `polish.py` declares: a construction as numbers, its objective and its constraints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quiltwork.evolve.score import Data

Vector = NDArray[np.float64]
Rng = np.random.Generator
Move = Callable[[Vector, Rng], Vector]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nlp:
    """A construction as a vector x of n numbers, to be made as small in `objective` as its constraints allow.

    A problem's `polish.py` defines `problem() -> Nlp`. Everything in it must be a function of its arguments alone.
    """

    random: Callable[[Rng], Vector]
    """A start (n,) to begin from. It need not satisfy the constraints."""
    objective: Callable[[Vector], tuple[float, Vector]]
    """Value to minimise, and its gradient (n,)."""
    to_construction: Callable[[Vector], Data]
    """The construction as the problem's evaluator wants it."""
    from_construction: Callable[[Data], Vector]
    """The vector of a construction that the evaluator has passed."""
    constraints: Callable[[Vector], tuple[Vector, Vector]] | None = None
    """Values (m,), none of which may be negative, and their Jacobian (m, n)."""
    bounds: tuple[Vector, Vector] | None = None
    """Least and largest value of each unknown, (n,) each; equal ones hold an unknown fixed."""
    perturb: Move | Mapping[str, Move] | None = None
    """One move or several by name, that leave a local minimum. Without it: `default_moves`."""
    radius: float = 0.1
    """How far, in each unknown, a first linear model may be believed: a tenth of the construction's size, say."""
    scale: Vector | None = None
    """Units of the unknowns (n,), where `radius` does not suit them all: large for one that only bounds the others."""
    hops: int = 30
    """Local searches per proposal; choose it such that they take about half a second together."""

    def box(self, n: int) -> tuple[Vector, Vector]:
        """The bounds, infinite where there are none."""
        return self.bounds if self.bounds is not None else (np.full(n, -np.inf), np.full(n, np.inf))

    def scales(self, n: int) -> Vector:
        """The units of the unknowns."""
        return self.scale if self.scale is not None else np.ones(n)

    def clip(self, x: Vector) -> Vector:
        """The nearest point within the bounds."""
        return x if self.bounds is None else np.clip(x, *self.bounds)

    def moves(self) -> Mapping[str, Move]:
        """The perturbations, by name."""
        if self.perturb is None:
            return default_moves(self)
        return self.perturb if isinstance(self.perturb, Mapping) else {"perturb": self.perturb}


def default_moves(nlp: Nlp) -> Mapping[str, Move]:
    """Moves that need to know nothing of the construction: draw some unknowns anew, or kick some or all of them."""

    def some(n: int, rng: Rng) -> NDArray[np.bool_]:
        chosen: NDArray[np.bool_] = rng.random(n) < rng.choice([0.05, 0.2, 1.0])
        chosen[rng.integers(n)] = True
        return chosen

    def redraw(x: Vector, rng: Rng) -> Vector:
        return np.where(some(len(x), rng), nlp.random(rng), x)

    def kick(x: Vector, rng: Rng) -> Vector:
        size = nlp.radius * rng.choice([0.1, 0.3, 1.0, 3.0])
        return nlp.clip(x + some(len(x), rng) * rng.normal(0.0, size, len(x)))

    return {"redraw": redraw, "kick": kick}
