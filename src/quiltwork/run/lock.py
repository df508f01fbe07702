"""Who drives a run: an flock on a file that names the holder, let go by the system when the process dies."""

from __future__ import annotations

import fcntl
import os
import socket
import time
import weakref
from pathlib import Path

from quiltwork.errors import UserError

_TRIES = 10
_PAUSE_S = 0.02
"""Somebody who looks whether a run is driven holds the lock for microseconds; a driver outwaits that."""

_held: weakref.WeakSet[RunLock] = weakref.WeakSet()


class RunLocked(UserError):
    """Another process drives this run."""


class RunLock:
    """The right to drive a run, until `release`. Raises RunLocked, or UserError if the file cannot be made."""

    def __init__(self, path: Path) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise UserError(
                f"Cannot drive the run {path.parent}: its folder cannot be written to ({error.strerror})."
            ) from error
        if not self._take():
            holder = os.pread(self._descriptor, 200, 0).decode(errors="replace").strip()
            os.close(self._descriptor)
            self._descriptor = -1
            raise RunLocked(
                f"{path.parent} is being driven by {holder or 'another process'}. "
                "Wait until it ends or stop it; reading the run is possible at any time."
            )
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        _held.add(self)

    def _take(self) -> bool:
        for tries in range(_TRIES):
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if tries + 1 < _TRIES:
                    time.sleep(_PAUSE_S)
            else:
                return True
        return False

    def release(self) -> None:
        """Let others drive. Releasing twice does nothing."""
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
        self.forget()

    def forget(self) -> None:
        """Close the file without a word: the lock stays with the process that holds it, if that is another one."""
        _held.discard(self)
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def driver_of(path: Path) -> str:
    """Say who holds the lock in this file, such as "process 12 on host"; nothing if nobody does."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return ""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "another process"
    finally:
        os.close(descriptor)
    return ""


def _forget_in_child() -> None:
    # A forked child shares its parent's open files. If it kept this one, a worker that outlives a killed driver would
    # go on locking the run.
    for lock in list(_held):
        lock.forget()


os.register_at_fork(after_in_child=_forget_in_child)
