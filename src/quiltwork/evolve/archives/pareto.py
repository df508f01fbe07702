"""A bounded Pareto front, for problems with several metrics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from quiltwork.evolve.archives.base import Elite
from quiltwork.evolve.archives.cells import is_finite, rank_key


class ParetoArchive:
    """Elites of which none is better than another in every metric, at most `size` of them. It has no cells.

    When there are too many, the one in the most crowded place goes (crowding distance: NSGA-II, Deb et al. 2002,
    section III-B), but never the one with the best first metric; among equally crowded ones the latest step goes, so
    that the incumbent stays on a tie. `ranked()` goes by the same distance, loneliest first: the ends of the front,
    then those in its gaps, so that parents spread the front out. The order is made when the front changes, not when it
    is read.
    """

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"a front needs room for at least one elite, got {size}")
        self.size = size
        self._elites: dict[int, Elite] = {}
        self._ranked: list[Elite] = []

    def add(self, elite: Elite) -> bool:
        """Offer an elite; true when it now is in the archive. One that equals or is dominated by another is refused.

        An elite whose step is in the archive already replaces that one first. Raises `ValueError` when it has another
        number of metrics than those there.
        """
        self.remove(elite.step)
        if not is_finite(elite):
            return False
        others = list(self._elites.values())
        if others:
            there = np.array([other.fitness for other in others])
            here = np.array(elite.fitness)
            if here.shape != there.shape[1:]:
                raise ValueError(f"step {elite.step} has {here.size} metrics, the front has {there.shape[1]}")
            if (there >= here).all(axis=1).any():
                return False
            for beaten in np.flatnonzero((there <= here).all(axis=1)):
                del self._elites[others[beaten].step]
        self._elites[elite.step] = elite
        self._order()
        return elite.step in self._elites

    def remove(self, step: int) -> None:
        """Take a step's elite out; nothing happens when it is not there."""
        if self._elites.pop(step, None) is not None:
            self._order()

    def _order(self) -> None:
        """Rank all elites, and drop the last ones while there are too many."""
        elites = sorted(self._elites.values(), key=rank_key)
        while True:
            distances = crowding_distances(np.array([elite.fitness for elite in elites])) if elites else ()
            places = sorted(range(len(elites)), key=lambda i: (-distances[i], elites[i].step))
            if len(elites) <= self.size:
                self._ranked = [elites[place] for place in places]
                return
            # Place 0 is the best in the first metric: an island must not lose its best one.
            gone = elites.pop(next(place for place in reversed(places) if place != 0))
            del self._elites[gone.step]

    def __contains__(self, step: int) -> bool:
        return step in self._elites

    def __len__(self) -> int:
        return len(self._elites)

    def __iter__(self) -> Iterator[Elite]:
        return iter(self._ranked)

    def ranked(self) -> Sequence[Elite]:
        """Give all elites, the loneliest on the front first; ties by the smaller step. O(1), to be read only."""
        return self._ranked

    def cell(self, descriptors: Sequence[float]) -> int:
        """Give 0, always: a front has no cells."""
        return 0


def crowding_distances(front: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Tell how far apart each point's two neighbours are, summed over the metrics in units of the metric's range.

    `front` has shape (points, metrics). The two ends of each metric are infinitely far. Points that tie in a metric
    stand in the order of `front`.
    """
    count = len(front)
    distances = np.zeros(count)
    for column in front.T:
        order = np.argsort(column, kind="stable")
        along = column[order]
        span = along[-1] - along[0]
        if span > 0.0 and count > 2:
            distances[order[1:-1]] += (along[2:] - along[:-2]) / span
        distances[order[[0, -1]]] = np.inf
    return distances
