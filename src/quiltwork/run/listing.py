"""Which runs are here, and how they are."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from quiltwork.errors import UserError
from quiltwork.run.about import RunMissing, read_about
from quiltwork.run.folder import Run
from quiltwork.run.lock import driver_of

DEFAULT_ROOT = Path("runs")


class RunInfo(NamedTuple):
    """A run as `list_runs` sees it. `broken` says what is wrong with it; then the other facts may be missing.

    `updated` is the time of the last entry, in nanoseconds since 1970; `log_bytes` the size of the log on disk;
    `driver` the process that drives it now.
    """

    path: Path
    room: str = ""
    created: str = ""
    version: str = ""
    entries: int = 0
    updated: int | None = None
    log_bytes: int = 0
    driver: str = ""
    broken: str = ""

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name


def list_runs(root: Path | str = DEFAULT_ROOT) -> list[RunInfo]:
    """Look at all runs in a folder, oldest first. What looks like a run and cannot be read is listed as broken."""
    root = Path(root)
    try:
        folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunMissing(f"Cannot look for runs in {root}: {error.strerror}.") from error
    infos = [info for folder in folders if (info := _look_at(folder)) is not None]
    return sorted(infos, key=lambda info: (info.created, info.name))


def find_run(name: Path | str, root: Path | str = DEFAULT_ROOT) -> Path:
    """Find a run's folder by its path, or by its name in `root`. Raises RunMissing."""
    for path in (Path(name), Path(root) / name):
        if (path / "run.toml").is_file() or (path / "log.db").is_file():
            return path
    raise RunMissing(f"There is no run {name}, neither as a folder nor in {root}. `quiltwork runs` lists them.")


def _look_at(folder: Path) -> RunInfo | None:
    try:
        if not (folder / "run.toml").exists() and not (folder / "log.db").exists():
            return None
        about = read_about(folder)
        with Run.open(folder, drive=False) as run:
            head = run.log.head()
            last = next(run.log.read(head.length - 1, head.length)) if head.length else None
        size = sum(path.stat().st_size for path in (folder / "log.db", folder / "log.db-wal") if path.exists())
        return RunInfo(
            folder,
            about.room,
            about.created,
            about.version,
            head.length,
            last.time if last else None,
            size,
            driver_of(folder / "lock"),
        )
    except (UserError, OSError) as error:
        return RunInfo(folder, broken=str(error))
