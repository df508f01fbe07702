"""What an island keeps: a grid or a CVT over the problem's descriptors, or a Pareto front where metrics are several.

An archive does no input or output and draws nothing at random once it is made: it is a function of what was added
to it.
"""

from __future__ import annotations

from quiltwork.evolve.archives.base import Archive, Elite
from quiltwork.evolve.archives.cvt import CvtArchive
from quiltwork.evolve.archives.grid import GridArchive
from quiltwork.evolve.archives.pareto import ParetoArchive
from quiltwork.evolve.config import ProblemConfig

__all__ = ["Archive", "CvtArchive", "Elite", "GridArchive", "ParetoArchive", "make_archive"]


def make_archive(config: ProblemConfig, seed: int) -> Archive:
    """Make an empty archive as the problem wants it. `seed` places the cells of a CVT: equal seeds give equal cells."""
    if len(config.metrics) > 1:
        return ParetoArchive(config.archive.pareto_size)
    if config.archive.kind == "cvt":
        return CvtArchive([(d.low, d.high) for d in config.descriptors], config.archive.cells, seed)
    return GridArchive([(d.low, d.high, d.bins) for d in config.descriptors])
