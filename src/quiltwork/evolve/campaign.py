"""One tuning of one program's constants, over several steps of the run."""

from __future__ import annotations

from dataclasses import dataclass, field

from quiltwork.evolve.proposers.tune import campaign_length, popsize


@dataclass(slots=True)
class Campaign:
    """What the fold knows of a campaign. `opened` is its first step and its name, `parent` the step that it tunes."""

    opened: int
    island: int
    parent: int
    dimensions: int
    asked: int = 0
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
        """Whether every turn has been told."""
        return len(self.turns) >= campaign_length(self.dimensions)

    def tell(self, point: tuple[float, ...], fitness: float | None) -> None:
        """Record the next turn; `fitness` None when the program failed. Steps are committed in order, and so are turns."""
        self.turns.append((point, fitness))
