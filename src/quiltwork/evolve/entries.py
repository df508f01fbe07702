"""The kinds of entry that `evolve` appends.

A step is planned, then proposed (or refused), then evaluated (or refused). Its entries may reach the log in any order
among other steps' entries; the fold commits steps in their own order.
"""

from __future__ import annotations

from quiltwork.log import Body, kind


class Cost(Body, frozen=True):
    """What an effect used. `evaluations` counts runs of the evaluator, repeats and stages included."""

    cpu_s: float = 0.0
    wall_s: float = 0.0
    evaluations: int = 0


@kind("evolve.started", 1)
class Started(Body, frozen=True):
    """A run begins. `problem` is the blob of the problem's files, `config` its settings, frozen, as JSON."""

    problem: str
    config: str
    seed: int
    budget: str
    program: str
    version: str


@kind("evolve.planned", 1)
class Planned(Body, frozen=True):
    """Who proposes at this step, and from what. `campaign` groups the steps of one tuning."""

    step: int
    arm: str
    island: int
    parents: tuple[int, ...] = ()
    inspirations: tuple[int, ...] = ()
    campaign: int | None = None
    turn: int = 0
    start: str | None = None


@kind("evolve.proposed", 1)
class Proposed(Body, frozen=True):
    """A child program. `normal` is the hash of its normal form; `construction` stands in for the program's own output."""

    step: int
    program: str
    normal: str
    note: str = ""
    construction: str | None = None
    point: tuple[float, ...] = ()
    nodes: int = 0
    lines: int = 0
    cost: Cost = Cost()


@kind("evolve.evaluated", 1)
class Evaluated(Body, frozen=True):
    """The verdict on a step's program. `metrics` is empty unless `verdict` is "ok"."""

    step: int
    verdict: str
    detail: str = ""
    metrics: dict[str, float] = {}
    descriptors: dict[str, float] = {}
    artifacts: dict[str, str] = {}
    construction: str | None = None
    stage: str = ""
    repeats: int = 1
    cost: Cost = Cost()


@kind("evolve.refused", 1)
class Refused(Body, frozen=True):
    """A step ends without an evaluation: nothing to propose, or a program that has been seen before."""

    step: int
    reason: str
    detail: str = ""
    cost: Cost = Cost()


@kind("evolve.resumed", 1)
class Resumed(Body, frozen=True):
    """A driver takes the run up again, with more budget if it says so."""

    version: str
    budget: str


@kind("evolve.stopped", 1)
class Stopped(Body, frozen=True):
    """A driver lays the run down. `host_cpu_s` is what the driver itself used since it took the run up."""

    reason: str
    host_cpu_s: float = 0.0
    wall_s: float = 0.0


@kind("evolve.held_out", 1)
class HeldOut(Body, frozen=True):
    """How a step's program does on what selection never saw."""

    step: int
    metrics: dict[str, float]


@kind("evolve.certified", 1)
class Certified(Body, frozen=True):
    """A step's construction was certified: `value` is an exact rational, `certificate` the blob that proves it."""

    step: int
    value: str
    claim: str
    certificate: str
