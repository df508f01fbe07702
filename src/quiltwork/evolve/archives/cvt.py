"""A CVT archive: cells of about equal volume in any number of dimensions, where a grid would have too many."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from quiltwork.evolve.archives.cells import CellArchive, check_ranges, scaled

if TYPE_CHECKING:
    from scipy.spatial import KDTree

ITERATIONS = 12
"""Rounds of Lloyd's algorithm: later ones move centroids by less than a tenth of their distance."""

SAMPLES_PER_CELL, MOST_SAMPLES, LEAST_PER_CELL = 100, 40_000, 4
"""Uniform points that the centroids are fitted to: plenty for few cells, and still seconds for 100,000 of them."""


class CvtArchive(CellArchive):
    """One elite per Voronoi cell of `centroids` (CVT-MAP-Elites: Vassiliades et al., arXiv 1610.05729).

    `centroids` has shape (cells, descriptors) and lies in the unit cube: each descriptor is clipped to its fixed range
    and scaled to 0..1, so that no unit weighs more than another. Equal seeds give equal cells, on every machine.
    """

    def __init__(self, ranges: Sequence[tuple[float, float]], cells: int, seed: int) -> None:
        super().__init__()
        check_ranges(ranges)
        if cells < 1:
            raise ValueError(f"an archive needs at least one cell, got {cells}")
        self.ranges = tuple(ranges)
        self.cells = cells
        self.centroids, self._tree = _cells(len(ranges), cells, seed)

    def cell(self, descriptors: Sequence[float]) -> int:
        """Give the index of the nearest centroid. Values outside the ranges are clipped."""
        point = [scaled(value, low, high) for value, (low, high) in zip(descriptors, self.ranges, strict=True)]
        return int(self._tree.query(point)[1])


@lru_cache(maxsize=8)
def _cells(dimensions: int, cells: int, seed: int) -> tuple[npt.NDArray[np.float64], KDTree]:
    """Give centroids and their search tree; all islands of a run share one of each."""
    from scipy.spatial import KDTree

    centroids = centroidal_voronoi(dimensions, cells, seed)
    centroids.setflags(write=False)
    return centroids, KDTree(centroids)


def centroidal_voronoi(dimensions: int, cells: int, seed: int) -> npt.NDArray[np.float64]:
    """Place points of shape (cells, dimensions), each near the middle of its cell of the unit cube (Lloyd 1982).

    Sums run in the samples' order and distances are taken dimension by dimension, not by a BLAS: libraries that order
    their additions differently would give centroids that differ in the last bits, and in the end another history.
    """
    from scipy.spatial import KDTree

    rng = np.random.Generator(np.random.Philox(key=seed % 2**128))
    count = max(LEAST_PER_CELL * cells, min(SAMPLES_PER_CELL * cells, MOST_SAMPLES))
    samples = rng.random((count, dimensions))
    centroids = samples[:cells].copy()
    for _ in range(ITERATIONS):
        nearest = KDTree(centroids).query(samples)[1]
        sizes = np.bincount(nearest, minlength=cells)
        for axis in range(dimensions):
            sums = np.bincount(nearest, weights=samples[:, axis], minlength=cells)
            centroids[:, axis] = np.where(sizes > 0, sums / np.maximum(sizes, 1), centroids[:, axis])
    return centroids
