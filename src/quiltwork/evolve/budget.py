"""Budgets: what a run may spend, in evaluations, processor seconds, seconds on the wall, tokens or dollars."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from quiltwork.errors import UserError

Unit = Literal["evals", "cpu-s", "wall-s", "tokens", "usd"]

_UNITS: dict[str, tuple[Unit, float]] = {
    "eval": ("evals", 1.0),
    "evals": ("evals", 1.0),
    "cpu-s": ("cpu-s", 1.0),
    "cpu-min": ("cpu-s", 60.0),
    "cpu-h": ("cpu-s", 3600.0),
    "s": ("wall-s", 1.0),
    "min": ("wall-s", 60.0),
    "h": ("wall-s", 3600.0),
    "tokens": ("tokens", 1.0),
    "ktokens": ("tokens", 1e3),
    "mtokens": ("tokens", 1e6),
    "usd": ("usd", 1.0),
}

EXAMPLES = "500evals, 120cpu-s, 5cpu-min, 90s, 5min, 2h, 200ktokens or 1.50usd, several with commas: 500evals,2usd"


class Limit(NamedTuple):
    """So much of one unit."""

    amount: float
    unit: Unit

    def __str__(self) -> str:
        # Exact and short: the words are read back on resume.
        return f"{self.amount:.12g}{self.unit if self.unit != 'wall-s' else 's'}"


class Budget(NamedTuple):
    """An amount of one unit, which is also the currency in which proposers pay for their steps, and further limits."""

    amount: float
    unit: Unit
    caps: tuple[Limit, ...] = ()

    def __str__(self) -> str:
        return ",".join(map(str, self.limits))

    @property
    def limits(self) -> tuple[Limit, ...]:
        """All that holds, the currency's first."""
        return (Limit(self.amount, self.unit), *self.caps)

    def limit(self, unit: Unit) -> float | None:
        """What may be spent of a unit, or None."""
        return next((limit.amount for limit in self.limits if limit.unit == unit), None)

    def extended(self, more: Budget) -> Budget:
        """This budget with more of some of its units."""
        added = {limit.unit: limit.amount for limit in more.limits}
        if strange := [unit for unit in added if self.limit(unit) is None]:
            raise UserError(f"this run's budget is {self}; it has no limit in {strange[0]} that {more} could extend")
        return _of([Limit(limit.amount + added.get(limit.unit, 0.0), limit.unit) for limit in self.limits])


def parse_budget(text: str) -> Budget:
    """Read "500evals", "120cpu-s", "90s", "200ktokens", "1.50usd", or several with commas: "500evals,2usd"."""
    limits = [_limit(part, text) for part in text.split(",")]
    if len({limit.unit for limit in limits}) < len(limits):
        raise UserError(f"budget {text!r} names one unit twice; write each limit once")
    return _of(limits)


def _of(limits: list[Limit]) -> Budget:
    first, *caps = limits
    return Budget(first.amount, first.unit, tuple(caps))


def _limit(part: str, text: str) -> Limit:
    match = re.fullmatch(r"\s*([0-9][0-9_]*(?:\.[0-9]+)?)\s*([a-z-]+)\s*", part)
    if match is None or match[2] not in _UNITS:
        raise UserError(f"budget {text!r} is not understood; write {EXAMPLES}")
    unit, factor = _UNITS[match[2]]
    amount = float(match[1].replace("_", "")) * factor
    if amount <= 0 or (unit in ("evals", "tokens") and amount != int(amount)):
        raise UserError(f"budget {text!r} must be more than nothing, evaluations and tokens whole numbers")
    return Limit(amount, unit)
