"""Optimisers of a box of numbers by ask and tell, each a pure function of a seed and of what it was told."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from quiltwork.evolve.draws import draw

Point = tuple[float, ...]

DIAGONAL_ABOVE = 50
"""Dimensions above which CMA-ES learns the scales of the axes only: its full matrix would take longer than a campaign."""

SPREADS = (1.0, 0.5, 0.2)
"""First step sizes, drawn per campaign: a program that was tuned before wants a small one, a new one a large one."""

TPE_REACHES = (4.0, 1.0)
"""Half the width of TPE's box, drawn per campaign in the same spirit."""


class Search(Protocol):
    """One campaign's optimiser. Generations are asked and told in turn: ask 0, tell 0, ask 1, ..."""

    def ask(self, generation: int) -> tuple[Point, ...]:
        """Return the points of a generation, `popsize` of them."""
        ...

    def tell(self, points: Sequence[Point], costs: Sequence[float]) -> None:
        """Learn the costs of a generation's points; smaller is better."""
        ...


def popsize(dimensions: int) -> int:
    """Return the points per generation: 4 + 3 ln n, the default of CMA-ES (Hansen, arXiv 1604.00772, table 1)."""
    return 4 + int(3 * math.log(max(dimensions, 1)))


def costs_of(fitnesses: Sequence[float | None]) -> list[float]:
    """Turn fitnesses, larger for better, into costs; a failed turn costs more than any other of its generation."""
    known = [-fitness for fitness in fitnesses if fitness is not None]
    worst = max(known) if known else 0.0
    failed = worst + max(1.0, abs(worst))
    return [failed if fitness is None else -fitness for fitness in fitnesses]


class CmaSearch:
    """CMA-ES (Hansen and Ostermeier 2001) by `cma`; separable (Ros and Hansen 2008) in many dimensions.

    Its normal numbers come from a generator keyed by seed and generation, not from numpy's global one.
    """

    def __init__(self, dimensions: int, seed: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says that it cannot plot
            import cma

        self._normal = _Normal()
        self._seed = seed
        options = {
            "popsize": popsize(dimensions),
            "randn": self._normal,
            "seed": np.nan,
            "verbose": -9,
            "verb_log": 0,
            "CMA_diagonal": dimensions > DIAGONAL_ABOVE,
        }
        self._strategy: Any = cma.CMAEvolutionStrategy([0.0] * dimensions, _drawn(SPREADS, seed), options)

    def ask(self, generation: int) -> tuple[Point, ...]:
        """Sample a generation."""
        self._normal.generator = draw(self._seed, generation, "cmaes")
        return tuple(tuple(float(value) for value in point) for point in self._strategy.ask())

    def tell(self, points: Sequence[Point], costs: Sequence[float]) -> None:
        """Move and reshape the distribution."""
        self._strategy.tell([np.array(point) for point in points], list(costs))


class TpeSearch:
    """Tree-structured Parzen estimator (Bergstra et al., NIPS 2011) by `optuna`, asked in batches."""

    def __init__(self, dimensions: int, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        reach = _drawn(TPE_REACHES, seed)
        self._optuna = optuna
        self._box = {f"x{i}": optuna.distributions.FloatDistribution(-reach, reach) for i in range(dimensions)}
        self._size = popsize(dimensions)
        self._seed = seed
        self._trials: list[Any] = []

    def ask(self, generation: int) -> tuple[Point, ...]:
        """Sample a generation from a study made of what was told: nothing else is carried from one to the next."""
        seed = int(draw(self._seed, generation, "tpe").integers(2**31))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the liar is an experimental feature
            sampler = self._optuna.samplers.TPESampler(
                seed=seed, n_startup_trials=2 * self._size, constant_liar=True, n_ei_candidates=16
            )
        study = self._optuna.create_study(sampler=sampler)
        study.add_trials(self._trials)
        asked = [study.ask(self._box) for _ in range(self._size)]
        return tuple(tuple(float(trial.params[name]) for name in self._box) for trial in asked)

    def tell(self, points: Sequence[Point], costs: Sequence[float]) -> None:
        """Remember a generation."""
        self._trials += [
            self._optuna.trial.create_trial(
                params=dict(zip(self._box, point, strict=True)), distributions=self._box, value=cost
            )
            for point, cost in zip(points, costs, strict=True)
        ]


def _drawn(choices: Sequence[float], seed: int) -> float:
    return choices[int(draw(seed, 0, "spread").integers(len(choices)))]


class _Normal:
    """What `cma` calls for its standard normal numbers."""

    def __init__(self) -> None:
        self.generator = np.random.Generator(np.random.Philox(key=0))

    def __call__(self, *shape: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        return self.generator.standard_normal(shape)
