"""The processes that drive runs: started, paused, stopped, and never gone without a word."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from quiltwork.errors import UserError
from quiltwork.run.lock import driver_of

MOST_CHILDREN = 8
"""Runs driven from here at a time: each takes a worker process per core."""

LAST_LINES, LAST_BYTES = 30, 8_000
"""What is shown of what a driver said at its end."""

PATIENCE_S = 20.0
"""After so long a driver that was asked to stop is ended: the log holds all that it did."""

_HOLDER = re.compile(r"process (\d+) on (.+)")


class NotPossible(UserError):
    """What was asked of a run's driver cannot be done now."""


class Child:
    """A driver that this server started. Its last words are kept."""

    def __init__(self, words: Sequence[str], folder: Path) -> None:
        self.words = tuple(words)
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the child is remembered
        # A session of its own: Ctrl-C in the terminal reaches the server, which then asks its children to pause.
        self._process = subprocess.Popen(  # noqa: S603 - our own command line, no shell
            [sys.executable, "-m", "quiltwork.cli.main", *words],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def exit(self) -> int | None:
        """How it ended; None while it goes on. Negative: by that signal."""
        return self._process.poll()

    def last_words(self) -> list[str]:
        """The last lines that it wrote to its standard error."""
        size = os.fstat(self._said.fileno()).st_size
        tail = os.pread(self._said.fileno(), LAST_BYTES, max(0, size - LAST_BYTES))
        return tail.decode("utf-8", "replace").splitlines()[-LAST_LINES:]

    def ask_to_stop(self) -> None:
        """Ask it to lay its run down; it may have ended already."""
        if self.exit is None:
            self._process.send_signal(signal.SIGINT)

    def wait(self, seconds: float) -> bool:
        """Wait for its end; false if it goes on."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True


class Drivers:
    """All drivers that this server knows: those it started, and those that it finds at work."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: dict[Path, Child] = {}
        self._lock = threading.Lock()

    def start(self, run: Path, words: Sequence[str]) -> Child:
        """Drive a run by a command. Raises `NotPossible` where it is driven already, or too many are."""
        with self._lock:
            going = [path for path, child in self._children.items() if child.exit is None]
            if run in going or driver_of(run / "lock"):
                raise NotPossible(f"{run.name} is being driven already")
            if len(going) >= MOST_CHILDREN:
                raise NotPossible(f"{len(going)} runs are driven from here already; pause one of them first")
            child = self._children[run] = Child(words, self._folder)
            return child

    def child(self, run: Path) -> Child | None:
        """The last driver of a run that was started from here."""
        return self._children.get(run)

    def facts(self, run: Path) -> dict[str, Any]:
        """Who drives the run, and how the last driver ended that was started from here."""
        driver = driver_of(run / "lock")
        child = self._children.get(run)
        starting = child is not None and child.exit is None and not driver
        failed = child is not None and child.exit not in (None, 0)
        return {
            "driver": driver,
            "starting": starting,
            "exit": child.exit if child is not None else None,
            "last_words": child.last_words() if child is not None and failed else [],
        }

    def pause(self, run: Path) -> None:
        """Ask the driver to lay the run down: it takes no new step and says how to go on. Raises `NotPossible`."""
        _signal(run, self._pid(run), signal.SIGINT)

    def stop(self, run: Path) -> None:
        """Pause, and end the driver if that takes too long. What is in the log stays, and can be resumed."""
        pid = self._pid(run)
        _signal(run, pid, signal.SIGINT)

        def insist() -> None:
            if not _until(lambda: self._is_over(run, pid), PATIENCE_S):
                _signal(run, pid, signal.SIGKILL)

        threading.Thread(target=insist, name=f"stop {run.name}", daemon=True).start()

    def pause_all(self, wait_s: float = PATIENCE_S) -> list[Path]:
        """Pause what was started from here and wait for it; returns the runs that were going on."""
        going = [(path, child) for path, child in self._children.items() if child.exit is None]
        for _, child in going:
            child.ask_to_stop()
        deadline = time.monotonic() + wait_s
        for _, child in going:
            child.wait(max(0.0, deadline - time.monotonic()))
        return [path for path, _ in going]

    def _pid(self, run: Path) -> int:
        """The driver's process, wherever it was started."""
        holder = driver_of(run / "lock")
        found = _HOLDER.fullmatch(holder)
        if found is not None and found[2] == socket.gethostname():
            return int(found[1])
        child = self._children.get(run)
        if child is not None and child.exit is None:
            return child.pid
        if holder:
            raise NotPossible(f"{run.name} is driven by {holder}: only there it can be stopped")
        raise NotPossible(f"{run.name} is not being driven")

    def _is_over(self, run: Path, pid: int) -> bool:
        child = self._children.get(run)
        if child is not None and child.pid == pid:
            return child.exit is not None
        return f"process {pid} " not in driver_of(run / "lock")


def _signal(run: Path, pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it ended by itself meanwhile
    except PermissionError as error:
        raise NotPossible(f"{run.name} is driven by another user's process {pid}") from error


def _until(over: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if over():
            return True
        time.sleep(0.1)
    return False


def condition(standing: str, facts: dict[str, Any]) -> str:
    """Say in a word how a run is: what its log says last, and who drives it now.

    "running", "starting", "failed" (the driver that was started from here), "finished" (the budget is spent), "paused" (laid
    down before that), "lost" (its driver is gone without a word), "new" (nothing has happened yet).
    """
    if facts["driver"]:
        return "running"
    if facts["starting"]:
        return "starting"
    if facts["last_words"]:
        return "failed"
    return {"budget": "finished", "driven": "lost", "new": "new"}.get(standing, "paused")
