"""From an open run to the data of its report: reads the log once more and the blobs that the page will show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from quiltwork.evolve.archives import CvtArchive
from quiltwork.evolve.display.snapshot import snapshot
from quiltwork.evolve.library import Library
from quiltwork.evolve.report.data import (
    ArchiveView,
    Artifact,
    Axis,
    Certificate,
    CreditPoint,
    EliteView,
    IslandMap,
    ProgramView,
    ReportData,
)
from quiltwork.evolve.report.page import ARTIFACT_BUDGET, MANY, MOST_ARTIFACT_BYTES, lineage
from quiltwork.evolve.session import Session
from quiltwork.evolve.state import State, apply
from quiltwork.keys import short

CREDIT_POINTS = 150
"""Moments at which the proposers' credit is drawn."""


@dataclass(slots=True)
class Passage:
    """What only a walk through the log tells. `spent` has (evaluations, CPU seconds) by each step's commit."""

    spent: dict[int, tuple[int, float]] = field(default_factory=dict)
    credits: list[CreditPoint] = field(default_factory=list)
    authors: dict[bytes, int] = field(default_factory=dict)
    began: int = 0
    entries: int = 0


def collect(session: Session) -> ReportData:
    """Gather a run's report. Of a long run only what matters carries its source and artifacts."""
    state = session.state
    passage = walk(session)
    views = {step: _view(state, passage, step) for step in sorted(state.members)}
    improved = tuple(improvement.step for improvement in state.improvements)
    elites = {elite.step for island in state.islands for elite in island.archive}
    line = list(lineage(views, state.best))
    order = list(dict.fromkeys([*line, *improved, *sorted(elites), 0]))
    if len(views) <= MANY:
        order = list(dict.fromkeys([*order, *views]))
    left_out = _fill(session, views, [step for step in order if step in views])
    return ReportData(
        snapshot=snapshot(state, session.problem),
        summary=session.problem.config.summary,
        programs=tuple(views.values()),
        improved=improved,
        archive=archive_view(state),
        credits=tuple(passage.credits),
        certificate=_certificate(session),
        digest=state.digest.hex(),
        facts=_facts(session, passage),
        commands=_commands(session),
        artifacts_left_out=left_out,
    )


def walk(session: Session) -> Passage:
    """Fold the log again and note, on the way, what the end no longer knows."""
    passage, state = Passage(), State()
    every = max(1, session.state.committed // CREDIT_POINTS)
    for entry in session.run.log.read():
        committed = state.committed
        apply(state, entry)
        passage.entries += 1
        passage.began = passage.began or entry.time
        passage.authors[entry.author] = passage.authors.get(entry.author, 0) + 1
        for step in range(committed, state.committed):
            passage.spent[step] = (state.evaluations, state.cpu_s)
            if step % every == 0 or step == session.state.committed - 1:
                passage.credits.append(_credit(state, step))
    return passage


def _credit(state: State, step: int) -> CreditPoint:
    rates = {name: state.bandit.rate(name) for name in state.bandit.arms}
    total = sum(rates.values()) or 1.0
    return CreditPoint(step, {name: rate / total for name, rate in rates.items()})


def _view(state: State, passage: Passage, step: int) -> ProgramView:
    member = state.members[step]
    evaluations, cpu_s = passage.spent.get(step, (state.evaluations, state.cpu_s))
    return ProgramView(
        step=step,
        arm=member.arm,
        island=member.island,
        parents=member.parents,
        verdict=member.verdict,
        note=member.note,
        detail=member.detail,
        metrics=dict(member.metrics) if member.fitness is not None else {},
        cpu_s=member.cpu_s,
        evaluations=evaluations,
        spent_cpu_s=cpu_s,
    )


def _fill(session: Session, views: dict[int, ProgramView], order: Iterable[int]) -> int:
    """Add source to these steps and to their parents, and artifacts while there is room; returns those left out."""
    library = Library(session.run.blobs, session.problem)
    room, left_out = ARTIFACT_BUDGET, 0
    steps = list(order)
    parents = [views[step].parents[0] for step in steps if views[step].parents]
    for step in dict.fromkeys([*steps, *(parent for parent in parents if parent in views)]):
        program = session.state.members[step].program
        if program is not None:
            views[step] = replace(views[step], files=dict(library.program(program).files))
    for step in steps:
        found = []
        for name, blob in sorted(session.state.members[step].artifacts.items()):
            data = session.run.blobs.get(blob) if room > 0 else b""
            if room <= 0 or len(data) > MOST_ARTIFACT_BYTES:
                left_out += 1
                continue
            room -= len(data)
            found.append(Artifact(name, data))
        views[step] = replace(views[step], artifacts=tuple(found))
    return left_out


def archive_view(state: State) -> ArchiveView:
    """Show what the islands keep on the archive's axes: descriptors, or the metrics where there are several."""
    config = state.config
    assert config is not None
    signs = [1.0 if metric.direction == "maximize" else -1.0 for metric in config.metrics]
    front = len(signs) > 1
    islands = []
    centroids: tuple[tuple[float, ...], ...] = ()
    for index, island in enumerate(state.islands):
        archive = island.archive
        elites = [
            EliteView(
                step=elite.step,
                value=signs[0] * elite.fitness[0],
                place=tuple(s * v for s, v in zip(signs, elite.fitness, strict=True)) if front else elite.descriptors,
            )
            for elite in archive.ranked()
        ]
        islands.append(IslandMap(index, tuple(elites), getattr(archive, "cells", 0), island.restarts))
        if isinstance(archive, CvtArchive) and len(archive.ranges) == 2:
            centroids = tuple((float(x), float(y)) for x, y in archive.centroids)
    if front:
        return ArchiveView("front", tuple(Axis(m.name, 0.0, 1.0) for m in config.metrics), tuple(islands))
    kind = config.archive.kind
    axes = tuple(Axis(d.name, d.low, d.high, d.bins if kind == "grid" else 1) for d in config.descriptors)
    return ArchiveView(kind, axes, tuple(islands), centroids)


def _certificate(session: Session) -> Certificate | None:
    step = session.state.best
    certified = session.state.certified.get(step) if step is not None else None
    if certified is None:
        return None
    text = session.run.blobs.get(certified.certificate).decode("utf-8", "replace")
    return Certificate(certified.step, certified.claim, certified.value, text)


def _facts(session: Session, passage: Passage) -> tuple[tuple[str, str], ...]:
    state = session.state
    assert state.started is not None
    facts = [
        ("run", session.run.path.name),
        ("seed", str(state.started.seed)),
        ("version", state.started.version),
        ("problem", state.started.problem),
        ("history digest", state.digest.hex()),
        ("log", f"{passage.entries:,} entries, head {session.run.log.head().hash.hex()}"),
        ("began", f"{datetime.fromtimestamp(passage.began / 1e9, UTC):%Y-%m-%d %H:%M:%S} UTC"),
        ("authors", ", ".join(f"{short(author)} ({count:,} entries)" for author, count in passage.authors.items())),
        ("budget", str(state.budget)),
        ("stopped", state.stop_reason or "not yet"),
    ]
    if state.issue_count:
        facts.append(("entries that did not fit", f"{state.issue_count:,}"))
    return tuple(facts)


def _commands(session: Session) -> tuple[tuple[str, str], ...]:
    name = session.run.path.name
    return (
        ("verify and derive it again", f"quiltwork evolve replay {name} --check"),
        ("compare its history", f"quiltwork evolve history {name} --digest"),
        ("take its best program", f"quiltwork evolve best {name} --out best"),
    )
