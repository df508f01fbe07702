"""A step, on its way and once it is history."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from quiltwork.evolve.entries import Evaluated, Planned, Proposed, Refused


@dataclass(slots=True)
class Member:
    """A step that has been committed. `fitness` is None for a program that was refused."""

    step: int
    arm: str
    island: int
    parents: tuple[int, ...]
    verdict: str
    program: str | None = None
    fitness: tuple[float, ...] | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    descriptors: tuple[float, ...] = ()
    artifacts: dict[str, str] = field(default_factory=dict)
    construction: str | None = None
    start: str | None = None
    note: str = ""
    detail: str = ""
    cpu_s: float = 0.0
    samples: int = 1

    def history_line(self) -> bytes:
        """What two runs must agree on, step by step: everything but times, costs and the wording of failures."""
        return msgspec.msgpack.encode(
            (
                self.step,
                self.arm,
                self.island,
                self.parents,
                self.verdict,
                self.program,
                self.construction,
                self.metrics,
                self.descriptors,
            ),
            order="deterministic",
        )


@dataclass(slots=True)
class Pending:
    """A step on its way: planned, perhaps proposed, perhaps with its outcome."""

    planned: Planned
    proposed: Proposed | None = None
    outcome: Evaluated | Refused | None = None


@dataclass(frozen=True, slots=True)
class Improvement:
    """The run's best got better. `cpu_s` and `evaluations` are what had been spent by then."""

    step: int
    evaluations: int
    cpu_s: float
    value: float
