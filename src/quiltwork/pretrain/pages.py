"""The room's pages: what `quiltwork web` shows of a run of pretrain. Thin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quiltwork.errors import UserError
from quiltwork.pretrain.views import Watch
from quiltwork.pretrain.views import page as views
from quiltwork.run import Run


class RunPage(Watch):
    """A run as its page asks for it, part by part."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run

    @property
    def standing(self) -> str:
        """How the log leaves the run."""
        return views.standing(self)

    def card(self) -> dict[str, Any]:
        """The run in a line, for a list of runs."""
        return views.card(self)

    def since(self, entries: int) -> dict[str, Any]:
        """What is new since the log had so many entries; with 0 all that a page shows first."""
        return {**views.delta(self, entries), "path": str(self.run.path), "made": self.run.created}

    def view(self, name: str, words: Mapping[str, str]) -> dict[str, Any]:
        """A part of the page: "rounds" or "round". Raises `NotThere`."""
        parts = {"rounds": views.round_list, "round": views.round_panel}
        if name not in parts:
            raise views.NotThere(f"{self.run.name}: there is no view {name!r}; there are {', '.join(parts)}")
        return parts[name](self, words)

    def file(self, name: str, words: Mapping[str, str]) -> tuple[bytes, str]:
        """Raises `NotThere`: payloads are not for browsers."""
        raise views.NotThere(f"{self.run.name}: there is no file {name!r}")


def watch(run: Run) -> RunPage:
    """Follow a run."""
    return RunPage(run)


def problems(root: Path) -> list[dict[str, Any]]:
    """None: a run is begun where it is served."""
    return []


def models() -> list[str]:
    """None are asked."""
    return []


def begin_words(root: Path, order: Mapping[str, Any], out: Path) -> list[str]:
    """Raises `UserError`: whoever serves a run must be reached by its members, which a page cannot know."""
    raise UserError("a run of pretrain is begun with: quiltwork pretrain serve CONFIG")


def resume_words(path: Path, order: Mapping[str, Any]) -> list[str]:
    """Raises `UserError`, as `begin_words` does."""
    raise UserError(f"a run of pretrain is taken up again with: quiltwork pretrain serve {path}")


def name_for(order: Mapping[str, Any]) -> str:
    """What a new run is called, but for the time."""
    return "pretrain"
