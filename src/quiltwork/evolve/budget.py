"""Budgets: what a run may spend, in evaluations, processor seconds or seconds on the wall."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from quiltwork.errors import UserError

Unit = Literal["evals", "cpu-s", "wall-s"]

_UNITS: dict[str, tuple[Unit, float]] = {
    "eval": ("evals", 1.0),
    "evals": ("evals", 1.0),
    "cpu-s": ("cpu-s", 1.0),
    "cpu-min": ("cpu-s", 60.0),
    "cpu-h": ("cpu-s", 3600.0),
    "s": ("wall-s", 1.0),
    "min": ("wall-s", 60.0),
    "h": ("wall-s", 3600.0),
}


class Budget(NamedTuple):
    """An amount of one unit. The unit is also the currency in which proposers pay for their steps."""

    amount: float
    unit: Unit

    def __str__(self) -> str:
        return f"{self.amount:g}{self.unit if self.unit != 'wall-s' else 's'}"

    def extended(self, more: Budget) -> Budget:
        """This budget and another of the same unit."""
        if more.unit != self.unit:
            raise UserError(f"this run's budget is in {self.unit}; it cannot be extended by {more}")
        return Budget(self.amount + more.amount, self.unit)


def parse_budget(text: str) -> Budget:
    """Read "500evals", "120cpu-s", "5cpu-min", "90s", "5min" or "2h"."""
    match = re.fullmatch(r"\s*([0-9][0-9_]*(?:\.[0-9]+)?)\s*([a-z-]+)\s*", text)
    if match is None or match[2] not in _UNITS:
        raise UserError(f"budget {text!r} is not understood; write 500evals, 120cpu-s, 5cpu-min, 90s, 5min or 2h")
    unit, factor = _UNITS[match[2]]
    amount = float(match[1].replace("_", "")) * factor
    if amount <= 0 or (unit == "evals" and amount != int(amount)):
        raise UserError(f"budget {text!r} must be more than nothing, and evaluations a whole number")
    return Budget(amount, unit)
