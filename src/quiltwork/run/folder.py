"""A run's folder: made, opened to drive or to read, closed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from quiltwork.blobs import FolderBlobs
from quiltwork.errors import UserError
from quiltwork.keys import Identity, default_identity
from quiltwork.log import SqliteLog, Writer
from quiltwork.run.about import About, RunBroken, check_room, read_about, write_about
from quiltwork.run.lock import RunLock


class RunExists(UserError):
    """There is something at the place of the new run."""


class Run:
    """An open run. Use it as a context manager, or call `close`."""

    def __init__(
        self, path: Path, about: About, log: SqliteLog, lock: RunLock | None, identity: Identity | None
    ) -> None:
        self.path = path
        self.name = path.name
        self.room = about.room
        self.version = about.version
        self.created = about.created
        self.config = about.config
        self.log = log
        self.blobs = FolderBlobs(path / "blobs")
        self._lock = lock
        self._writer = None if identity is None else Writer(log, identity)

    @classmethod
    def create(cls, path: Path | str, room: str, config: Mapping[str, Any], identity: Identity | None = None) -> Run:
        """Make a run's folder and open it to drive. It appears whole or not at all.

        `config` is what TOML can hold: text, numbers, truths, times, lists and tables; entries that are None are left
        out, since TOML has no word for them. `identity` None means the user's own. Raises RunExists, RunBroken.
        """
        path = Path(os.path.abspath(path))
        check_room(room)
        if path.exists() and not (path.is_dir() and not any(path.iterdir())):
            raise RunExists(f"{path} exists already. Resume it if it is a run, or choose another name.")
        unfinished = path.with_name(f".{path.name}.new-{os.getpid()}")
        try:
            unfinished.mkdir(parents=True)
            write_about(unfinished / "run.toml", room, config)
            (unfinished / "blobs").mkdir()
            SqliteLog(unfinished / "log.db").close()
            unfinished.rename(path)
        except OSError as error:
            raise RunBroken(f"Cannot make the run {path}: {error.strerror}.") from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return cls.open(path, drive=True, identity=identity)

    @classmethod
    def open(cls, path: Path | str, *, drive: bool, identity: Identity | None = None) -> Run:
        """Open a run to drive it (append to it; one process at a time) or to read it (any number, writing nothing).

        Raises RunMissing, RunBroken, RunLocked, LogUnavailable, LogCorrupt.
        """
        path = Path(os.path.abspath(path))
        about = read_about(path)
        if not (path / "log.db").exists():
            raise RunBroken(f"{path} is a run without its log: log.db is missing. Restore it from a copy.")
        if not drive:
            return cls(path, about, SqliteLog(path / "log.db", readonly=True), None, None)
        lock = RunLock(path / "lock")
        try:
            return cls(path, about, SqliteLog(path / "log.db"), lock, identity or default_identity())
        except BaseException:
            lock.release()
            raise

    @property
    def writer(self) -> Writer:
        """The driver's pen. A run that was opened for reading has none: RuntimeError."""
        if self._writer is None:
            raise RuntimeError(f"{self.path} was opened for reading; open it with drive=True to append")
        return self._writer

    def close(self) -> None:
        """Close the log, then let others drive. Closing twice does nothing."""
        self.log.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
