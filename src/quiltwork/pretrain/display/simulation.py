"""A simulation on the screen: how far it is, and what came of it; of a violation, the one line that reproduces it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from quiltwork.pretrain.display.parts import times
from quiltwork.pretrain.facts import Health, RunState
from quiltwork.pretrain.simulator import Report, Scenario, Violation, simulate
from quiltwork.pretrain.simulator.referee import Referee
from quiltwork.pretrain.simulator.world import SECOND, START
from quiltwork.pretrain.views import Story
from quiltwork.pretrain.views.wording import counted, rounds
from quiltwork.text.numbers import duration

FRAMES_PER_S = 8.0

LINE_EVERY_S = 10.0
"""Where there is no terminal, so often a line says how far it is."""


def show_simulation(
    seed: int, scenario: Scenario, *, quiet: bool = False, console: Console | None = None
) -> dict[str, Any]:
    """Simulate a run and say how it went. Gives the report as plain data, with what was violated, or nothing.

    `again` in it is the command that runs the same once more, `real_seconds` what it took here; after a violation the
    counts are those of the moment in which it was seen. `quiet` says nothing.
    """
    console = console or Console(quiet=quiet)
    began = time.monotonic()
    progress = _Progress(scenario, began)

    def look(referee: Referee) -> None:
        progress.look(referee)
        if progress.line_is_due():
            console.print(progress.line(), soft_wrap=True)

    violation = ""
    try:
        if console.is_terminal and not quiet:
            with Live(get_renderable=progress.line, console=console, refresh_per_second=FRAMES_PER_S, transient=True):
                report = simulate(seed, scenario, watch=progress.look)
        else:
            report = simulate(seed, scenario, watch=look)
    except Violation as error:
        violation = str(error)
        report = _until_now(seed, scenario, progress.state)
    real = time.monotonic() - began
    story = progress.story
    for line in _violated(seed, scenario, violation) if violation else _told(report, story, real):
        console.print(line, highlight=False, markup=False, soft_wrap=True, style="red" if violation else None)
    return {
        **asdict(report),
        "lost_units": story.lost_units,
        "barren_rounds": story.barren_rounds,
        "drops": sum(life.dropped for life in story.lives.values()),
        "violation": violation,
        "again": again(seed, scenario),
        "real_seconds": round(real, 3),
    }


def again(seed: int, scenario: Scenario) -> str:
    """The command that runs the same simulation again."""
    flags = [*["--honest"] * (not scenario.liars), *["--calm"] * (not scenario.accidents)]
    return " ".join([Report(seed, scenario).again, *flags])


class _Progress:
    """How far a simulation is. `look` is called at every round; `line` by another thread."""

    def __init__(self, scenario: Scenario, began: float) -> None:
        self.state: RunState | None = None
        self.story = Story()
        self._scenario, self._began, self._told = scenario, began, began
        self._words = "machines start"

    def look(self, referee: Referee) -> None:
        """Take a moment."""
        state = self.state = referee.state
        self.story.look(state, max(0, state.entries - 1))
        healths = Counter(member.health for member in state.members.values())
        parts = [
            f"step {state.step:,} of {self._scenario.rounds:,}",
            f"{healths[Health.HEALTHY]:,} of {counted(self._scenario.nodes, 'machine')} at work",
            f"{duration((state.now - START) / SECOND)} simulated",
        ]
        if healths[Health.EJECTED]:
            parts.append(f"{healths[Health.EJECTED]:,} ejected")
        self._words = "  ".join(parts)

    def line_is_due(self) -> bool:
        """Whether it is time to say once more how far it is."""
        now = time.monotonic()
        if now - self._told < LINE_EVERY_S:
            return False
        self._told = now
        return True

    def line(self) -> Text:
        """Say how far it is."""
        return Text(f"{self._words}  {duration(time.monotonic() - self._began)} here", no_wrap=True)


def _told(report: Report, story: Story, real: float) -> Iterator[str]:
    scenario = report.scenario
    drops = sum(life.dropped for life in story.lives.values())
    accidents = (
        counted(report.crashes, "crash", "crashes"),
        counted(report.partitions, "partition") + " of the network",
        f"dropped {counted(drops, 'time')}",
    )
    yield f"{report.steps:,} steps in {rounds(report.rounds)}: what must hold held at each of {report.entries:,} entries."
    yield ""
    faster = times(report.seconds / max(real, 1e-9))
    yield f"time       {duration(report.seconds)} simulated in {duration(real)}: {faster} as fast"
    yield f"machines   {scenario.nodes:,}: {', '.join(accidents)}"
    yield f"liars      {_liars(report)}"
    yield f"audits     {_counts(report.audits) or 'none were drawn'}"
    yield f"units      {report.units:,} accepted; {story.lost_units:,} were lost on the way and given to others"
    if story.barren_rounds:
        yield f"rounds     {story.barren_rounds:,} brought no update"
    if report.diverged:
        yield f"models     {counted(report.diverged, 'time')} an honest machine held another one, and loaded it again"


def _liars(report: Report) -> str:
    return (
        ", ".join(
            f"{count} {cheat} ({f'{out} ejected' if (out := report.ejected.get(cheat, 0)) else 'not ejected'})"
            for cheat, count in sorted(report.liars.items())
        )
        or "none"
    )


def _counts(found: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(found.items()))


def _violated(seed: int, scenario: Scenario, violation: str) -> Iterator[str]:
    yield f"What must hold did not: {violation}"
    yield f"The same again: {again(seed, scenario)}"


def _until_now(seed: int, scenario: Scenario, state: RunState | None) -> Report:
    """What can be said of a simulation that was broken off."""
    report = Report(seed, scenario)
    if state is not None:
        report.rounds, report.steps, report.entries = state.last, state.step, state.entries
        report.seconds = (state.now - START) / SECOND
        report.units, report.returned_units = state.accepted_units, state.next_unit - state.accepted_units
        report.audits = {str(outcome): count for outcome, count in state.outcomes.items()}
    return report
