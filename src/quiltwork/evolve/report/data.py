"""What a report is made of: plain data, so that the page knows neither logs nor blobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from quiltwork.evolve.display.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Artifact:
    """Something that an evaluator wrote about a program. Pictures go by the end of the name; all else is text."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class ProgramView:
    """One step. `metrics` is empty unless `verdict` is "ok"; `evaluations` and `spent_cpu_s` are the run's by then.

    `files` is None where the source was left out (a long run keeps it only for what matters).
    """

    step: int
    arm: str
    island: int
    parents: tuple[int, ...]
    verdict: str
    note: str = ""
    detail: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    cpu_s: float = 0.0
    evaluations: int = 0
    spent_cpu_s: float = 0.0
    files: Mapping[str, str] | None = None
    artifacts: tuple[Artifact, ...] = ()


@dataclass(frozen=True, slots=True)
class Axis:
    """One descriptor (or, on a front, one metric) and the range that the archive cuts into `bins`."""

    name: str
    low: float
    high: float
    bins: int = 1


@dataclass(frozen=True, slots=True)
class EliteView:
    """An occupant of an archive: its step, its first metric, and where it stands on the archive's axes."""

    step: int
    value: float
    place: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class IslandMap:
    """One island's archive. `cells` is 0 where it has none."""

    index: int
    elites: tuple[EliteView, ...]
    cells: int = 0
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class ArchiveView:
    """What the islands keep. `centroids` are those of a CVT, in the unit cube, shape (cells, axes)."""

    kind: Literal["grid", "cvt", "front"]
    axes: tuple[Axis, ...]
    islands: tuple[IslandMap, ...]
    centroids: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class CreditPoint:
    """Each proposer's part of the expected gain per cost (0 to 1, together 1) after so many steps."""

    steps: int
    credit: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Certificate:
    """A proof of the best program's value: the claim in a sentence, the exact rational, the file that a checker reads."""

    step: int
    claim: str
    value: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class ReportData:
    """A whole run, as its report shows it. `programs` are in the order of their steps, from 0.

    `improved` are the steps at which the best got better; `artifacts_left_out` counts those that were too many to carry;
    `facts` are pairs (what, value) for the run's passport; `commands` are pairs (what for, command line) that replay it.
    """

    snapshot: Snapshot
    summary: str = ""
    programs: tuple[ProgramView, ...] = ()
    improved: tuple[int, ...] = ()
    archive: ArchiveView | None = None
    credits: tuple[CreditPoint, ...] = ()
    certificate: Certificate | None = None
    digest: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    commands: tuple[tuple[str, str], ...] = ()
    artifacts_left_out: int = 0
