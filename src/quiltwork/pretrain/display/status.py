"""A run as it is now, read once: from its folder, or from the server that keeps its log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager

from rich.console import Console

from quiltwork.errors import UserError
from quiltwork.log import Entry
from quiltwork.log.http import HttpLog
from quiltwork.log.open import open_log
from quiltwork.pretrain import meeting
from quiltwork.pretrain.display.parts import status
from quiltwork.pretrain.serve import ROOM, parse_invitation
from quiltwork.pretrain.views import RunView, Watch, snapshot
from quiltwork.run import Run, find_run

PIPE_WIDTH = 240
"""Columns where there is no terminal: no event is cut short there."""


def look(run: str) -> RunView:
    """Read a run: a folder, a name in `runs`, `URL#token` or a log. Raises UserError that says what is wrong with it."""
    watch = Watch()
    with _entries(run) as entries:
        for entry in entries:
            watch.feed(entry)
    if watch.entries and watch.state.created is None:
        raise UserError(f"{meeting.shareable(run)} keeps no run of pretrain that this version can read.")
    return snapshot(watch.state, watch.story)


def show_status(view: RunView, console: Console | None = None) -> None:
    """Print a run, in the width of the terminal."""
    console = console or Console()
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    console.print(status(view, width=console.width))


@contextmanager
def _entries(run: str) -> Iterator[Iterable[Entry]]:
    if meeting.is_log(run):
        with closing(open_log(run)) as log:
            yield log.read()
        return
    if "://" in run:
        url, token = parse_invitation(run)
        with closing(HttpLog(f"{url}/log", token)) as served:
            yield served.read()
        return
    with Run.open(find_run(run), drive=False) as opened:
        if opened.room != ROOM:
            raise UserError(f"{run} is a run of {opened.room}, not of pretrain.")
        yield opened.log.read()
