"""Islands: archives that evolve apart, exchange copies of their best round a ring, and start again when they are stuck."""

from __future__ import annotations

import operator
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from quiltwork.evolve.archives import Archive, Elite


@dataclass(slots=True)
class Island:
    """One archive, with when its best one last got better (in committed steps of the whole run)."""

    archive: Archive
    improved_at: int = 0
    restarts: int = 0

    @property
    def best(self) -> Elite | None:
        """The elite with the best first metric (then the second, and so on), or None while nothing has been kept."""
        if not len(self.archive):
            return None
        first = self.archive.ranked()[0]
        return first if len(first.fitness) == 1 else max(self.archive, key=lambda elite: (elite.fitness, -elite.step))

    def offer(self, elite: Elite, *, now: int) -> bool:
        """Add an elite; notes when the island's best got better."""
        before = self.best
        kept = self.archive.add(elite)
        if kept and (before is None or elite.fitness > before.fitness):
            self.improved_at = now
        return kept

    def rank(self, fitness: tuple[float, ...]) -> float:
        """The share of elites that are worse, 0 to 1; with several metrics, of those that are no better in any of them."""
        ranked = self.archive.ranked()
        if not ranked:
            return 1.0
        if len(fitness) == 1:
            worse = len(ranked) - bisect_right(ranked, (-fitness[0],), key=lambda elite: (-elite.fitness[0],))
        else:
            worse = sum(all(map(operator.ge, fitness, e.fitness)) and fitness != e.fitness for e in ranked)
        return worse / len(ranked)

    def draw(self, rng: np.random.Generator, count: int, *, greed: float) -> list[Elite]:
        """Elites at rank n * u ** (1 + greed): greed 0 is uniform, more prefers the better ones. With repetition."""
        ranked = self.archive.ranked()
        places = (len(ranked) * rng.random(count) ** (1.0 + greed)).astype(int)
        return [ranked[place] for place in places]


def migrate(islands: Sequence[Island], *, now: int) -> None:
    """Copy each island's best to the next one round the ring; all leave before any arrives."""
    leaving = [island.best for island in islands]
    for index, elite in enumerate(leaving):
        if elite is not None and len(islands) > 1:
            islands[(index + 1) % len(islands)].offer(elite, now=now)


def restart_stagnant(islands: Sequence[Island], fresh: Callable[[int], Archive], *, after: int, now: int) -> list[int]:
    """Empty the islands that have not improved for `after` steps and seed each with the others' best ones.

    `fresh(i)` makes an empty archive for island i. The island that holds the run's best never restarts. Returns indexes.
    """
    bests = [island.best for island in islands]
    leader = max((best.fitness for best in bests if best is not None), default=())
    restarted = []
    for index, (island, best) in enumerate(zip(islands, bests, strict=True)):
        if best is None or best.fitness == leader or now - island.improved_at < after:
            continue
        island.archive = fresh(index)
        island.restarts += 1
        island.improved_at = now
        for other, elite in enumerate(bests):
            if other != index and elite is not None:
                island.archive.add(elite)
        restarted.append(index)
    return restarted
