"""What came back from an evaluator that ran inside the jail, made into a `Score`: it is data that a stranger wrote."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from quiltwork.evolve.score import InvalidScore

MOST_METRICS = 256
"""Numbers of one score that are kept: more is data, which belongs into an artifact."""

MOST_ARTIFACTS = 64
MOST_NAME = 64

UNIT_BINS_TO = 7.0
"""Where a `spread` value ends: one unit up to 1, then one for every factor of ten up to a million."""


def table(reply: Any, name: str) -> dict[str, Any]:
    """A table of a reply, with text keys. Raises `InvalidScore` where it has another shape."""
    found = reply.get(name) if isinstance(reply, dict) else None
    if not isinstance(found, dict):
        raise InvalidScore(f"the evaluator's reply has no table {name!r}")
    return found


def numbers(values: Mapping[str, Any], artifacts: dict[str, str | bytes]) -> dict[str, float]:
    """Finite numbers as metrics; what is not finite is told in `artifacts`, since a score holds finite numbers only."""
    metrics: dict[str, float] = {}
    for name, value in list(values.items())[:MOST_METRICS]:
        if not isinstance(value, bool | int | float):
            continue
        number = _float(value)
        if math.isfinite(number):
            metrics[name[:MOST_NAME]] = number
        else:
            artifacts[file_name(name)] = repr(value)
    return metrics


def texts(values: Mapping[str, Any]) -> dict[str, str | bytes]:
    """Artifacts under names that are files'; text gets the ending .txt, so that proposers are shown it."""
    found: dict[str, str | bytes] = {}
    for name, value in list(values.items())[:MOST_ARTIFACTS]:
        found[file_name(name, text=not isinstance(value, bytes))] = value if isinstance(value, bytes) else str(value)
    return found


def file_name(name: str, *, text: bool = True) -> str:
    """A plain file name for an artifact."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:MOST_NAME].lstrip(".") or "artifact"
    return plain if not text or plain.endswith((".txt", ".md", ".json")) else f"{plain}.txt"


def mean(values: Mapping[str, Any], *, without: tuple[str, ...] = ()) -> float | None:
    """The mean of the numbers, flags and nan apart; None where there is none."""
    kept = [
        _float(value)
        for name, value in values.items()
        if name not in without and isinstance(value, int | float) and not isinstance(value, bool)
    ]
    kept = [value for value in kept if not math.isnan(value)]
    return sum(kept) / len(kept) if kept else None


def spread(value: float) -> float:
    """A number of unknown range on a fixed axis from -7 to 7: as it is up to 1, by its order of magnitude beyond."""
    size = abs(value)
    scaled = size if size <= 1.0 else min(UNIT_BINS_TO, 1.0 + math.log10(size))
    return math.copysign(scaled, value)


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf
