"""What the pictures of docs/selection.md need to know of a run, taken from its log."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from quiltwork.evolve.archives import GridArchive
from quiltwork.evolve.commit import UNPAID
from quiltwork.evolve.entries import Evaluated, Planned, Refused
from quiltwork.evolve.proposers.tune import popsize
from quiltwork.evolve.state import State, apply
from quiltwork.log import decode
from quiltwork.run import Run

WINDOW = 100
"""Steps of which a proposer's share is counted."""

MOMENTS = (100, 500)
"""Committed steps after which the archives are drawn, beside the end."""

FIRST_SEEN, SEEN = 200, 22
"""The steps whose way through the pipeline is drawn."""


def facts(path: Path) -> dict[str, Any]:
    """Fold a run's log, and note what the pictures show as it passes."""
    state = State()
    planned: dict[int, int] = {}
    answered: dict[int, int] = {}
    committed: dict[int, int] = {}
    bests: list[list[tuple[int, float]]] = []
    maps: dict[int, list[list[tuple[int, float]]]] = {}
    campaigns: dict[int, list[tuple[int, float]]] = {}
    with Run.open(path, drive=False) as run:
        for entry in run.log.read():
            before = state.committed
            campaigns.update({number: list(each.turns) for number, each in state.campaigns.items()})
            apply(state, entry)
            match body := decode(entry):
                case Planned():
                    planned[body.step] = entry.seq
                case Evaluated() | Refused():
                    answered[body.step] = entry.seq
            for step in range(before, state.committed):
                committed[step] = entry.seq
            if before < state.committed:
                _note_bests(state, bests)
                maps.update({m: _maps(state) for m in MOMENTS if before < m <= state.committed})
    maps[state.committed] = _maps(state)
    assert state.started is not None
    assert state.config is not None
    longest = max(campaigns, key=lambda number: len(campaigns[number]))
    dimensions = len(campaigns[longest][0][0])
    seen = range(FIRST_SEEN, FIRST_SEEN + SEEN)
    return {
        "problem": state.config.name,
        "metric": state.config.metrics[0].name,
        "seed": state.started.seed,
        "budget": str(state.budget),
        "steps": state.committed,
        "digest": state.digest.hex(),
        "migrate_every": state.config.search.migrate_every,
        "pipeline_steps": state.config.pipeline,
        "axes": [descriptor.model_dump() for descriptor in state.config.descriptors],
        "window": WINDOW,
        "shares": _shares(state),
        "islands": bests,
        "maps": [{"steps": moment, "islands": maps[moment]} for moment in sorted(maps)],
        "campaign": {
            "step": longest,
            "constants": dimensions,
            "generation": popsize(dimensions),
            "turns": [None if fitness is None else -fitness for _, fitness in campaigns[longest]],
        },
        "pipeline": [
            {"step": step, "planned": planned[step], "answered": answered[step], "committed": committed[step]}
            for step in seen
        ],
    }


def _note_bests(state: State, bests: list[list[tuple[int, float]]]) -> None:
    """Add (committed steps, value) wherever an island's best has changed."""
    bests += [[] for _ in range(len(state.islands) - len(bests))]
    for island, curve in zip(state.islands, bests, strict=True):
        best = island.best
        if best is not None and (not curve or curve[-1][1] != -best.fitness[0]):
            curve.append((state.committed, -best.fitness[0]))


def _maps(state: State) -> list[list[tuple[int, float]]]:
    """(cell, value) of every elite, island by island."""
    maps = []
    for island in state.islands:
        assert isinstance(island.archive, GridArchive)
        maps.append(sorted((island.archive.cell(e.descriptors), -e.fitness[0]) for e in island.archive))
    return maps


def _shares(state: State) -> list[dict[str, int]]:
    """How many steps each proposer had, window by window."""
    windows = [Counter[str]() for _ in range(-(-state.committed // WINDOW))]
    for member in state.members.values():
        if member.arm not in UNPAID:
            windows[member.step // WINDOW][member.arm] += 1
    return [dict(sorted(window.items())) for window in windows]
