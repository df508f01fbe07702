"""What is kept of a comparison, so that nothing is trained twice and a kill loses at most what came after the last point.

settings.json        what was asked for last
standings/NAME-HASH  how far a contestant has come; the hash is of all that its curve depends on
lock                 held by the one process that trains
compare.html, .json  what came of it
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from blake3 import blake3
from pydantic import ValidationError

from quiltwork.errors import UserError
from quiltwork.pretrain.compare.comparison import Comparison
from quiltwork.pretrain.compare.contestants import Contestant
from quiltwork.pretrain.compare.series import Point
from quiltwork.pretrain.compare.training import Standing
from quiltwork.run.lock import RunLock

SETTINGS, STANDINGS = "settings.json", "standings"
FORMAT = "quiltwork.compare/1"


def settings_in(path: Path) -> Comparison | None:
    """Give what was asked for last in a folder, if anything was. Raises UserError."""
    place = path / SETTINGS
    if not place.exists():
        return None
    try:
        return Comparison.model_validate_json(place.read_text("utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        raise UserError(
            f"{place} is not what this version writes. Delete it, or take another --out; curves that are there stay."
        ) from error


class Folder:
    """A comparison on disk; `close` lets another process have it. Raises UserError."""

    def __init__(self, path: Path) -> None:
        try:
            (path / STANDINGS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{path}: no comparison can be kept there: {error.strerror}.") from error
        self.path = path
        self._lock = RunLock(path / "lock")

    def close(self) -> None:
        """Let go of it."""
        self._lock.release()

    def ask(self, comparison: Comparison) -> None:
        """Keep what is asked for."""
        self.write(SETTINGS, comparison.model_dump_json(indent=1) + "\n")

    def write(self, name: str, text: str) -> None:
        """Write a file, whole or not at all."""
        self._replace(name, lambda place: place.write_text(text, "utf-8"))

    def load(self, key: str) -> Standing | None:
        """Give a standing that was kept, if there is one. Raises UserError."""
        place = self.path / STANDINGS / key
        if not place.exists():
            return None
        try:
            found = torch.load(place, weights_only=True)
            return Standing(**{**found, "points": [Point(*point) for point in found["points"]]})
        except (RuntimeError, pickle.UnpicklingError, TypeError, KeyError, EOFError) as error:
            raise UserError(
                f"{place} cannot be read. Delete it; that optimizer is then trained from its beginning."
            ) from error

    def keep(self, key: str, standing: Standing, *, over: bool) -> None:
        """Keep a standing; of one that is over only its points."""
        kept: dict[str, Any] = {**vars(standing), "points": [tuple(point) for point in standing.points]}
        if over:
            kept |= {"values": {}, "shared": {}, "owns": [], "waiting": []}
        self._replace(f"{STANDINGS}/{key}", lambda place: torch.save(kept, place))

    def _replace(self, name: str, write: Callable[[Path], object]) -> None:
        place = self.path / name
        draft = place.with_name(f".{place.name}.new")
        try:
            write(draft)
            os.replace(draft, place)
        except (OSError, RuntimeError) as error:  # torch says the latter of a full disk
            draft.unlink(missing_ok=True)
            raise UserError(f"{place} cannot be written: {error}. Make room; the same command goes on.") from error


def key_of(comparison: Comparison, contestant: Contestant, fingerprint: bytes) -> str:
    """Name a contestant's standing: equal for equal settings and equal data, whatever the link and whoever else takes part."""
    whole = comparison.model_dump_json(exclude={"name", "contestants", "link"})
    text = f"{FORMAT}\n{whole}\n{contestant.model_dump_json(exclude={'label'})}\n{torch.__version__}\n"
    return f"{contestant.name}-{blake3(text.encode() + fingerprint).hexdigest()[:12]}"
