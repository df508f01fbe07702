"""A run that somebody looks at: its log is followed and folded once, however many tabs are open."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from quiltwork.errors import UserError
from quiltwork.run import Run
from quiltwork.run.lock import driver_of
from quiltwork.web.registry import Watch, pages_of

POLL_S = 0.2
"""How often the log is looked at for what is new."""

FOLD_S, BREATHE_S = 0.02, 0.002
"""A long log is folded in pieces: between two of them readers and the server have their turn."""

MOST_LIVE = 6
"""Runs kept folded in memory. One of 100,000 steps takes some hundred megabytes."""

IDLE_S = 60.0
"""After so long without a question a run is let go."""

Answer = TypeVar("Answer")


class LiveRun:
    """One run, followed by a thread of its own until `close`. Any thread may ask it something."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.error = ""
        self.asked_at = time.monotonic()
        self._run = Run.open(path, drive=False)
        try:
            self._watch: Watch = pages_of(self._run.room).watch(self._run)
            self._known = self._run.log.head().length
        except BaseException:
            self._run.close()
            raise
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._caught_up = threading.Event()
        if self._known == 0:
            self._caught_up.set()
        self._thread = threading.Thread(target=self._follow, name=f"follow {path.name}", daemon=True)
        self._thread.start()

    @property
    def room(self) -> str:
        """The room that the run belongs to."""
        return self._run.room

    @property
    def entries(self) -> int:
        """How much of the log is folded."""
        return self._watch.entries

    def caught_up(self, wait_s: float = 0.0) -> bool:
        """Whether all is folded that was there when the run was opened; waits so long for it."""
        return self._caught_up.wait(wait_s) or not self._thread.is_alive()

    def reading(self) -> dict[str, Any]:
        """How far the folding of a long log is, 0 to 1."""
        return {"reading": self.entries / max(1, self._known)}

    def driver(self) -> str:
        """Who drives the run now, such as "process 12 on host"; nothing if nobody does."""
        return driver_of(self.path / "lock")

    def ask(self, question: Callable[[Watch], Answer]) -> Answer:
        """Ask the watch something, between two entries."""
        self.asked_at = time.monotonic()
        with self._lock:
            return question(self._watch)

    def close(self) -> None:
        """Stop following. Closing twice does nothing."""
        self._stopping.set()
        self._thread.join()
        self._run.close()

    def _follow(self) -> None:
        breath = time.monotonic() + FOLD_S
        try:
            for entry in self._run.log.follow(0, poll_s=POLL_S, stop=self._stopping.is_set):
                with self._lock:
                    self._watch.feed(entry)
                if self._watch.entries >= self._known:
                    self._caught_up.set()
                if self._stopping.is_set():
                    return
                if time.monotonic() > breath:
                    time.sleep(BREATHE_S)
                    breath = time.monotonic() + FOLD_S
        except UserError as error:
            self.error = str(error)
        finally:
            self._caught_up.set()


class LiveRuns:
    """The runs that are looked at now. Any thread may use it."""

    def __init__(self) -> None:
        self._runs: dict[Path, LiveRun] = {}
        self._lock = threading.Lock()

    def open(self, path: Path) -> LiveRun:
        """The run at a path, followed from now on. Raises what `Run.open` raises."""
        with self._lock:
            live = self._runs.get(path)
            if live is None:
                self._make_room()
                live = self._runs[path] = LiveRun(path)
            live.asked_at = time.monotonic()
            return live

    def get(self, path: Path) -> LiveRun | None:
        """The run at a path if it is followed already."""
        with self._lock:
            return self._runs.get(path)

    def tidy(self) -> None:
        """Let go of what nobody asked for lately, and of what failed."""
        with self._lock:
            now = time.monotonic()
            for path in [path for path, live in self._runs.items() if now - live.asked_at > IDLE_S or live.error]:
                self._runs.pop(path).close()

    def close(self) -> None:
        """Let go of all."""
        with self._lock:
            for live in self._runs.values():
                live.close()
            self._runs.clear()

    def _make_room(self) -> None:
        while len(self._runs) >= MOST_LIVE:
            oldest = min(self._runs, key=lambda path: self._runs[path].asked_at)
            self._runs.pop(oldest).close()
