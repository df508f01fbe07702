"""The live panel of a run in a terminal, plain lines where there is none, and the table that a run ends with."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, RenderableType
from rich.live import Live

from quiltwork.evolve.display.panel_parts import Pace, closing_table, frame, progress_line
from quiltwork.evolve.display.snapshot import Snapshot

FRAMES_PER_S = 2.0
"""A frame costs some 10 ms of the processor time that a run could have used."""

PACE_OVER_S = 30.0
"""Speed and the estimate of what is left look this far back."""

LINE_EVERY_S = 10.0
"""Without a terminal: a line for each new best, but no more than one a second, and else one this often."""

LOOK_EVERY_S = 1.0


class Spender(Protocol):
    """Whoever drives the run, as far as the panel wants to know."""

    def live_cpu_s(self) -> float:
        """Tell the processor seconds spent, with what is in flight."""
        ...


class Panel:
    """Shows what `source` gives while the `with` block runs. Pure reading: it never changes the run, nor ends it.

    On a terminal it is one live frame; elsewhere (a pipe, a CI log) it prints plain lines; `quiet` prints nothing.
    """

    def __init__(
        self,
        source: Callable[[], Snapshot],
        *,
        quiet: bool = False,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._quiet = quiet
        self._console = console or Console()
        self._clock = clock
        self._spender: Spender | None = None
        self._last: Snapshot | None = None
        self._wall_began: tuple[float, float] | None = None
        self._samples: deque[tuple[float, int, float]] = deque()
        self._live: Live | None = None
        self._lines: threading.Thread | None = None
        self._ended = threading.Event()
        self._told_best: int | None = None
        self._told_at = float("-inf")

    def watch(self, spender: Spender) -> None:
        """Ask this driver for the processor seconds that are being spent now."""
        self._spender = spender

    def __enter__(self) -> Self:
        if self._quiet:
            return self
        if self._console.is_terminal:
            self._live = Live(get_renderable=self.frame, console=self._console, refresh_per_second=FRAMES_PER_S)
            self._live.start()
        else:
            self._lines = threading.Thread(target=self._print_lines, name="quiltwork-progress", daemon=True)
            self._lines.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._live is not None:
            self._live.stop()
        if self._lines is not None:
            self._lines.join()
            if (line := self._line(self._clock(), last=True)) is not None:
                self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def frame(self) -> RenderableType:
        """Render the run as it is now, in the size of the console."""
        view = self._look()
        if view is None:
            return ""
        return frame(view, self._pace(view), width=self._console.width, height=self._console.height)

    def _look(self) -> Snapshot | None:
        """Take a snapshot with live spend; the one before while the fold is changing what it reads."""
        try:
            view = self._source()
            live = self._spender.live_cpu_s() if self._spender is not None else view.cpu_s
        except (RuntimeError, LookupError):
            # The fold runs in another thread: a container grew or shrank while it was walked. The next frame shows it.
            return self._last
        now = self._clock()
        if view.stop_reason:
            self._wall_began = None
        elif self._wall_began is None:
            self._wall_began = (now, view.wall_s)
        # What is in flight is charged at its upper bound; what was shown before stays, lest a bar should run backwards.
        shown = self._last.cpu_s if self._last is not None else 0.0
        cpu_s = max(view.cpu_s, live, shown) if not view.stop_reason else view.cpu_s
        wall_s = (
            view.wall_s
            if self._wall_began is None
            else max(view.wall_s, self._wall_began[1] + now - self._wall_began[0])
        )
        spent = {"cpu-s": cpu_s, "wall-s": wall_s}.get(view.budget.unit, view.budget.spent)
        self._last = replace(view, cpu_s=cpu_s, wall_s=wall_s, budget=replace(view.budget, spent=spent))
        return self._last

    def _pace(self, view: Snapshot) -> Pace:
        """Measure speed over the last while; the estimate assumes that it stays."""
        now = self._clock()
        self._samples.append((now, view.evaluations, view.budget.spent))
        while len(self._samples) > 2 and self._samples[1][0] < now - PACE_OVER_S:
            self._samples.popleft()
        then, evaluations, spent = self._samples[0]
        if now - then <= 0.0:
            return Pace()
        per_s = (view.budget.spent - spent) / (now - then)
        left = (view.budget.total - view.budget.spent) / per_s if per_s > 0.0 else None
        return Pace((view.evaluations - evaluations) / (now - then), None if left is None else max(0.0, left))

    def _print_lines(self) -> None:
        while not self._ended.wait(LOOK_EVERY_S):
            if (line := self._line(self._clock())) is not None:
                self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _line(self, now: float, *, last: bool = False) -> str | None:
        """Give the line that is due now: for a new best, or when the last one is long ago."""
        view = self._look()
        if view is None:
            return None
        best = view.best.step if view.best is not None else None
        if not last and best == self._told_best and now - self._told_at < LINE_EVERY_S:
            return None
        self._told_best, self._told_at = best, now
        return progress_line(view, self._pace(view))


def final_table(view: Snapshot) -> RenderableType:
    """Make the table that a run ends with: the known values, this run, who is ahead, and what was spent."""
    return closing_table(view)
