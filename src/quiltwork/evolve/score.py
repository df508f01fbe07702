"""What a problem's evaluator says of one candidate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

Data = Any
"""What crosses the jail's wall: None, bool, int, float, str, bytes, list, dict with string keys, numpy array."""


@dataclass(frozen=True, slots=True)
class Score:
    """Named metrics of one candidate, with what else the evaluator learned about it.

    `metrics` are finite floats; those that `problem.toml` names decide selection, the others are shown.
    `descriptors` place the candidate in the archive (the problem declares their ranges).
    `artifacts` are feedback for whoever proposes next: text, or bytes of a picture under a name such as `plot.svg`.
    `construction` is the object that the program built, where the problem carries one from program to program.
    """

    metrics: Mapping[str, float]
    descriptors: Mapping[str, float] = field(default_factory=dict)
    artifacts: Mapping[str, str | bytes] = field(default_factory=dict)
    construction: Data = None

    def __post_init__(self) -> None:
        """Refuse what cannot be compared: a metric that is no number, or is not finite, makes the score invalid."""
        for kind, values in (("metric", self.metrics), ("descriptor", self.descriptors)):
            for name, value in values.items():
                if isinstance(value, bool) or not math.isfinite(float(value)):
                    raise InvalidScore(f"{kind} {name!r} is {value!r}: a score holds finite numbers only")


class InvalidScore(ValueError):
    """The candidate is not valid: the evaluator says why. Raise it from `evaluate` to refuse a candidate."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A claim about a construction, in exact arithmetic, that a stranger can check without this library.

    `value` is the exact value that is claimed (rounded in the safe direction), `claim` says it in one sentence, `data` is
    what the problem's `check.py` reads: strings, integers and lists of them (rationals as "p/q"), no floats.
    """

    value: Fraction
    claim: str
    data: Mapping[str, Data]
