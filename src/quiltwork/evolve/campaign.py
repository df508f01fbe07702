"""One tuning of one program's constants, over several steps of the run."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from quiltwork.evolve.proposers.tune import campaign_length, popsize

PATIENCE = 6
"""Generations without a better program, and one more per four dimensions, after which a campaign has nothing left to find."""


@dataclass(slots=True)
class Campaign:
    """What the fold knows of a campaign. `opened` is its first step and its name, `parent` the step that it tunes."""

    opened: int
    island: int
    parent: int
    dimensions: int
    asked: int = 0
    best: float = -math.inf
    improved_in: int = 0
    turns: list[tuple[tuple[float, ...], float | None]] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        """Whether another turn may be asked: all turns of the generations before it have been told."""
        population = popsize(self.dimensions)
        return (
            self.asked < campaign_length(self.dimensions) and len(self.turns) >= self.asked // population * population
        )

    @property
    def finished(self) -> bool:
        """Whether every turn has been told, or the best has not got better for `PATIENCE` generations and more."""
        told = len(self.turns)
        if told >= campaign_length(self.dimensions):
            return True
        generation, inside = divmod(told, popsize(self.dimensions))
        return inside == 0 and generation - self.improved_in > PATIENCE + self.dimensions // 4

    def tell(self, point: tuple[float, ...], fitness: float | None) -> None:
        """Record the next turn; `fitness` None when the program failed. Steps are committed in order, and so are turns."""
        if fitness is not None and fitness > self.best:
            self.best, self.improved_in = fitness, len(self.turns) // popsize(self.dimensions)
        self.turns.append((point, fitness))
