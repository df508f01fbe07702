"""What a terminal is told: how training goes, and the table at the end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from quiltwork.pretrain.compare.contestants import Contestant
from quiltwork.pretrain.compare.page import Findings, verdicts
from quiltwork.pretrain.compare.series import Summary, common_loss
from quiltwork.pretrain.compare.training import Standing
from quiltwork.pretrain.display.parts import columns
from quiltwork.text.numbers import duration, number, size


class Watcher(Protocol):
    """Is told when a contestant begins and has come further. `resumed` is the step that it was at already."""

    def begins(self, contestant: Contestant, resumed: int) -> None:
        """Tell who is trained next."""

    def looks(self, contestant: Contestant, standing: Standing) -> None:
        """Tell how far it has come."""

    def ends(self, contestant: Contestant, standing: Standing) -> None:
        """Tell that it is done."""


class Silent:
    """Says nothing."""

    def begins(self, contestant: Contestant, resumed: int) -> None:
        """See Watcher."""

    def looks(self, contestant: Contestant, standing: Standing) -> None:
        """See Watcher."""

    def ends(self, contestant: Contestant, standing: Standing) -> None:
        """See Watcher."""


class Lines(Silent):
    """A line for each contestant that is done: for a pipe."""

    def __init__(self, console: Console) -> None:
        self._console, self._resumed = console, 0

    def begins(self, contestant: Contestant, resumed: int) -> None:
        """See Watcher."""
        self._resumed = resumed

    def ends(self, contestant: Contestant, standing: Standing) -> None:
        """See Watcher."""
        went = f", of which {self._resumed:,} were done before" if self._resumed else ""
        text = f"{contestant.name}: {standing.step:,} steps{went}, {_how(standing)}"
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


class Bars(Silent):
    """A bar for each contestant: for people."""

    def __init__(self, progress: Progress, steps: int) -> None:
        self._progress, self._steps = progress, steps
        self._tasks: dict[str, TaskID] = {}

    def begins(self, contestant: Contestant, resumed: int) -> None:
        """See Watcher."""
        task = self._progress.add_task(contestant.label, total=self._steps, completed=resumed, how="")
        self._tasks[contestant.name] = task

    def looks(self, contestant: Contestant, standing: Standing) -> None:
        """See Watcher."""
        self._progress.update(self._tasks[contestant.name], completed=standing.step, how=_how(standing))

    ends = looks


@contextmanager
def watching(console: Console, steps: int, *, quiet: bool) -> Iterator[Watcher]:
    """Show how training goes while the block goes on: bars on a terminal, lines elsewhere."""
    if quiet:
        yield Silent()
    elif not console.is_terminal:
        yield Lines(console)
    else:
        parts = (
            TextColumn("{task.description:<18}"),
            BarColumn(24),
            TextColumn("{task.completed:>5.0f} of {task.total:.0f}  {task.fields[how]}"),
        )
        with Progress(*parts, console=console) as progress:
            yield Bars(progress, steps)


def _how(standing: Standing) -> str:
    if standing.diverged:
        return standing.diverged
    return f"loss {standing.points[-1].loss:.4f}, {size(standing.sent)} sent" if standing.points else ""


def table(found: Findings) -> str:
    """Say what came of it."""
    goal, link = common_loss(found.curves), found.comparison.link
    heads = ["optimizer", "loss", "gap", "sent", "fewer", "compute/step", f"time at {link.words}"]
    if goal is not None:
        heads += [f"sent to {goal:.3f}", f"time to {goal:.3f}"]
    rows = [heads, *(_row(line, reach=goal is not None) for line in found.summaries)]
    diverged = [
        f"{curve.contestant.name} diverged after step {curve.last.step:,}: {curve.diverged}"
        for curve in found.curves
        if curve.diverged
    ]
    return "\n".join([*columns(rows, right=range(1, len(heads))), "", *verdicts(found), *diverged])


def _row(line: Summary, *, reach: bool) -> list[str]:
    row = [
        line.curve.contestant.name,
        f"{line.loss:.4f}" if math.isfinite(line.loss) else "-",
        "" if line.gap is None or line.curve.contestant.name == "adamw" else f"{line.gap:+.1%}",
        size(line.sent),
        f"{number(line.fewer, 3)}x",
        duration(line.step_s),
        duration(line.seconds),
    ]
    if reach:
        row += [
            "-" if line.reach_sent is None else size(line.reach_sent),
            "-" if line.reach_s is None else duration(line.reach_s),
        ]
    return row
