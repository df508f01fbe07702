"""What the islands keep, on the archive's axes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from quiltwork.evolve.report.collect import archive_view
from quiltwork.evolve.report.maps import MOST_MARKS, voronoi_cells
from quiltwork.evolve.views.watch import NotThere, Watch, whole_number
from quiltwork.text.strangers import plain


def maps(watch: Watch, words: Mapping[str, str]) -> dict[str, Any]:
    """The archive of island `island` (none: the first). `elites` are [step, value, arm, place on each axis...].

    `cells` are the corners of a flat CVT's cells in the unit square; `low` and `high` the values over all islands.
    """
    state = watch.state
    if state.config is None:
        raise NotThere(f"{watch.run.name}: this run has not begun")
    view = archive_view(state)
    index = whole_number(words, "island", 0)
    if not 0 <= index < len(view.islands):
        raise NotThere(f"{watch.run.name}: there is no island {index}; there are {len(view.islands)}")
    island = view.islands[index]
    values = [elite.value for each in view.islands for elite in each.elites]
    return {
        "kind": view.kind,
        "axes": [[plain(axis.name, 80), axis.low, axis.high, axis.bins] for axis in view.axes],
        "island": index,
        "islands": len(view.islands),
        "cells_of": island.cells,
        "restarts": island.restarts,
        "elites": [
            [elite.step, elite.value, plain(state.members[elite.step].arm), *elite.place]
            for elite in island.elites[:MOST_MARKS]
        ],
        "left_out": max(0, len(island.elites) - MOST_MARKS),
        "cells": _corners(view.centroids[:MOST_MARKS]),
        "low": min(values, default=None),
        "high": max(values, default=None),
        "best": state.best,
    }


@lru_cache(maxsize=8)
def _corners(centroids: tuple[tuple[float, ...], ...]) -> list[list[tuple[float, float]]]:
    return voronoi_cells(np.asarray(centroids, dtype=float).reshape(-1, 2))
