"""Which rooms have pages, and what such pages are. A room's module loads when the first of its runs is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from quiltwork.errors import UserError
from quiltwork.log import Entry
from quiltwork.run import Run

ROOMS = {"evolve": "quiltwork.evolve.pages", "pretrain": "quiltwork.pretrain.pages"}
"""Room -> the module that is its pages. `static/js/ROOM/run.js` draws them."""


class Watch(Protocol):
    """A run that is followed. It is fed its entries in order, and asked between two of them; never both at once."""

    entries: int

    @property
    def standing(self) -> str:
        """How the log leaves the run: "new", "driven", or why it was laid down: "budget", "interrupted"."""
        ...

    def feed(self, entry: Entry) -> None:
        """Take the next entry."""
        ...

    def card(self) -> dict[str, Any]:
        """The run in a line of a list."""
        ...

    def since(self, entries: int) -> dict[str, Any]:
        """What is new since the log had so many entries, bounded; `entries` in it says how many it has now."""
        ...

    def view(self, name: str, words: Mapping[str, str]) -> dict[str, Any]:
        """A part of the page. Raises `UserError` for what is not there."""
        ...

    def file(self, name: str, words: Mapping[str, str]) -> tuple[bytes, str]:
        """Bytes and their media type. Raises `UserError` for what is not there."""
        ...


class Pages(Protocol):
    """A room's `pages.py`."""

    def watch(self, run: Run) -> Watch:
        """Follow a run."""
        ...

    def problems(self, root: Path) -> list[dict[str, Any]]:
        """What a run can be begun with, below `root`."""
        ...

    def models(self) -> list[str]:
        """The models that a run can ask, by name."""
        ...

    def begin_words(self, root: Path, order: Mapping[str, Any], out: Path) -> list[str]:
        """The command line that begins a run. Raises `UserError` that names the field."""
        ...

    def resume_words(self, path: Path, order: Mapping[str, Any]) -> list[str]:
        """The command line that takes a run up again. Raises `UserError` that names the field."""
        ...

    def name_for(self, order: Mapping[str, Any]) -> str:
        """What a new run is called, but for the time."""
        ...


@cache
def pages_of(room: str) -> Pages:
    """A room's pages. Raises `UserError` for a room that has none."""
    if room not in ROOMS:
        raise UserError(f"runs of {room} have no pages yet; `quiltwork log show` shows what happened in them")
    return cast(Pages, import_module(ROOMS[room]))
