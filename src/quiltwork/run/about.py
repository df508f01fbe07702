"""`run.toml`: what a run was when it began."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import quiltwork
from quiltwork.errors import UserError

FORMAT = 1
MAX_TOML_BYTES = 16 << 20
"""A config is written by hand; this is far above any, and low enough to look at in a stranger's folder."""

_ROOM = re.compile(r"[a-z][a-z0-9_]{0,31}")


class RunMissing(UserError):
    """There is no run at this place."""


class RunBroken(UserError):
    """The folder is a run's, but it cannot be read as one."""


class About(NamedTuple):
    """The facts and the frozen config in a `run.toml`."""

    room: str
    created: str
    version: str
    config: Mapping[str, Any]


def check_room(room: str) -> None:
    """Refuse what is not the name of a room: ValueError."""
    if not _ROOM.fullmatch(room):
        raise ValueError(f"{room!r} is not the name of a room")


def write_about(path: Path, room: str, config: Mapping[str, Any]) -> None:
    """Write a new run's `run.toml`. `config` is what TOML can hold, and None, which is left out."""
    import tomli_w  # only those who make runs pay for it

    run = {
        "format": FORMAT,
        "room": room,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": quiltwork.__version__,
    }
    path.write_text(tomli_w.dumps({"run": run, "config": _without_none(config)}), encoding="utf-8")


def _without_none(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_none(item) for item in value]
    return value


def read_about(folder: Path) -> About:
    """Read a run's `run.toml`. Raises RunMissing and RunBroken."""
    path = folder / "run.toml"
    try:
        if not folder.is_dir():
            raise RunMissing(f"There is no run at {folder}. `quiltwork runs` lists them.")
        if path.stat().st_size > MAX_TOML_BYTES:
            raise RunBroken(f"{path} is larger than {MAX_TOML_BYTES} bytes: it is not what a run began with.")
        about = tomllib.loads(path.read_text(encoding="utf-8"))
        run, config = about["run"], about["config"]
        if run["format"] != FORMAT:
            raise RunBroken(
                f"{path} has format {run['format']}; this version reads format {FORMAT}. Upgrade quiltwork."
            )
        facts = (run["room"], run["created"], run["version"])
        if not all(isinstance(fact, str) for fact in facts) or not _ROOM.fullmatch(run["room"]):
            raise RunBroken(f"{path}: room, created and version must be text. Restore the file from a copy.")
    except FileNotFoundError:
        raise RunBroken(f"{folder} is not a whole run: run.toml is missing. Restore it from a copy.") from None
    except OSError as error:
        raise RunBroken(f"Cannot read {path}: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise RunBroken(f"{path} cannot be read ({error}). Restore it from a copy.") from error
    return About(*facts, config)
