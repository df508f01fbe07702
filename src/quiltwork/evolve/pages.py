"""The room's pages: what `quiltwork web` shows of a run of evolve, and the words that begin or resume one. Thin."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from quiltwork.errors import UserError
from quiltwork.evolve.budget import parse_budget
from quiltwork.evolve.views import NotThere, Watch, archive, lineage, program, steps, summary
from quiltwork.models.catalogue import CATALOGUE, path_of
from quiltwork.models.settings import own_models, resolve_models
from quiltwork.run import Run
from quiltwork.text.strangers import plain

MOST_PROBLEMS = 300
DEEPEST = 3
"""Folders below the server's own in which problems are looked for."""

SKIPPED = {"node_modules", "venv", "dist", "build", "runs"}


class RunPage(Watch):
    """A run as its page asks for it, part by part."""

    def card(self) -> dict[str, Any]:
        """The run in a line, for a list of runs."""
        return summary.card(self)

    def since(self, entries: int) -> dict[str, Any]:
        """What is new since the log had so many entries; with 0 all that a page shows first."""
        return summary.delta(self, entries)

    def view(self, name: str, words: Mapping[str, str]) -> dict[str, Any]:
        """A part of the page: "steps", "step", "lineage" or "archive". Raises `NotThere`."""
        views = {
            "steps": steps.page,
            "step": program.panel,
            "lineage": lineage.graph,
            "archive": archive.maps,
        }
        if name not in views:
            raise NotThere(f"{self.run.name}: there is no view {name!r}; there are {', '.join(views)}")
        return views[name](self, words)

    def file(self, name: str, words: Mapping[str, str]) -> tuple[bytes, str]:
        """Bytes that a page shows as a picture or offers as text, and their media type. Raises `NotThere`."""
        if name != "artifact":
            raise NotThere(f"{self.run.name}: there is no file {name!r}")
        return program.artifact(self, words)


def watch(run: Run) -> RunPage:
    """Follow a run."""
    return RunPage(run)


def problems(root: Path) -> list[dict[str, Any]]:
    """The problems that can be chosen, below `root`."""
    return [_problem(root, folder) for folder in islice(_folders(root, DEEPEST), MOST_PROBLEMS)]


def begin_words(root: Path, order: Mapping[str, Any], out: Path) -> list[str]:
    """The command line, after `quiltwork`, that begins a run. Raises `UserError` that names the field."""
    folder = (root / str(order.get("problem", ""))).resolve()
    if not folder.is_relative_to(root.resolve()):
        raise UserError(f"problem: {order.get('problem')!r} lies outside {root}; start `quiltwork web` above it")
    if not order.get("problem") or not folder.is_dir():
        raise UserError(f"problem: there is no folder {order.get('problem')!r} below {root}")
    seed = order.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise UserError(f"seed: {seed!r} must be a whole number, 0 or more")
    words = ["evolve", "run", str(folder), "--out", str(out), "--seed", str(seed), *_budget(order), *_models(order)]
    return [*words, "--json"]


def resume_words(path: Path, order: Mapping[str, Any]) -> list[str]:
    """The command line that takes a run up again. Raises `UserError` that names the field."""
    return ["evolve", "resume", str(path), *_budget(order), "--json"]


def name_for(order: Mapping[str, Any]) -> str:
    """What a new run is called, but for the time."""
    return Path(str(order.get("problem", "run"))).name or "run"


def models() -> list[str]:
    """The models that can be asked without further ado: the user's own, and local ones that were fetched."""
    fetched = [name for name in CATALOGUE if path_of(name) is not None]
    return list(dict.fromkeys([*(model.name for model in own_models()), *fetched]))


def _models(order: Mapping[str, Any]) -> list[str]:
    """`--model` for each name, or URL#ID, between commas. Raises `UserError` for one that means nothing."""
    names = [name for part in str(order.get("model") or "").split(",") if (name := part.strip())]
    resolve_models(names)
    return [word for name in names for word in ("--model", name)]


def _budget(order: Mapping[str, Any]) -> list[str]:
    text = str(order.get("budget") or "").strip()
    return ["--budget", str(parse_budget(text))] if text else []


def _folders(folder: Path, deeper: int) -> Iterator[Path]:
    if (folder / "problem.toml").is_file():
        yield folder
        return
    if deeper == 0:
        return
    try:
        inner = sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())
    except OSError:
        return  # a folder of somebody else holds no problem of ours
    for path in inner:
        if not path.name.startswith((".", "__")) and path.name not in SKIPPED:
            yield from _folders(path, deeper - 1)


def _problem(root: Path, folder: Path) -> dict[str, Any]:
    try:
        about = tomllib.loads((folder / "problem.toml").read_text("utf-8"))
    except (OSError, ValueError) as error:
        about = {"summary": f"problem.toml cannot be read: {error}"}
    return {
        "path": str(folder.relative_to(root)),
        "name": plain(str(about.get("name", folder.name)), 80),
        "summary": plain(str(about.get("summary", "")), 300),
        "budget": plain(str(about.get("budget", "")), 80),
    }
