"""The live panel of whoever serves a run; where there is no terminal, a plain line for each round."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, RenderableType
from rich.live import Live

from quiltwork.pretrain.display.lines import Lines
from quiltwork.pretrain.display.parts import frame
from quiltwork.pretrain.facts import RunState
from quiltwork.pretrain.views import RunView, Watch, snapshot

FRAMES_PER_S = 4.0
"""As often as the run is folded."""


class Coordinator(Protocol):
    """Who serves a run, as far as the panel wants to know. `watch` is called after every folding, with the state."""

    followed: Watch
    watch: Callable[[RunState], None]


@contextmanager
def live(coordinator: Coordinator, *, quiet: bool = False, console: Console | None = None) -> Iterator[None]:
    """Show a run while the `with` block goes on. Pure reading; `quiet` shows nothing."""
    console = console or Console()
    before = coordinator.watch
    try:
        if quiet:
            yield
        elif console.is_terminal:
            shown = _Shown(coordinator.followed, console)
            coordinator.watch = _both(before, shown.look)
            with Live(get_renderable=shown.frame, console=console, refresh_per_second=FRAMES_PER_S):
                yield
        else:
            lines = Lines(
                lambda line: console.print(line, highlight=False, markup=False, soft_wrap=True),
                coordinator.followed.story,
            )
            coordinator.watch = _both(before, lines)
            yield
    finally:
        coordinator.watch = before


class _Shown:
    """The moment that the panel shows: taken by the thread that folds, drawn by another."""

    def __init__(self, followed: Watch, console: Console) -> None:
        self._followed, self._console = followed, console
        self._view: RunView | None = None

    def look(self, state: RunState) -> None:
        """Take a moment."""
        self._view = snapshot(state, self._followed.story)

    def frame(self) -> RenderableType:
        """Draw it, in the size of the terminal."""
        view = self._view
        return "" if view is None else frame(view, width=self._console.width, height=self._console.height)


def _both(one: Callable[[RunState], None], other: Callable[[RunState], None]) -> Callable[[RunState], None]:
    def call(state: RunState) -> None:
        one(state)
        other(state)

    return call
