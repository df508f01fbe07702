"""One run, followed: its state, and what only the walk through its log tells."""

from __future__ import annotations

import tempfile
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from quiltwork.blobs.pack import unpack
from quiltwork.errors import UserError
from quiltwork.evolve.display.snapshot import Snapshot, snapshot
from quiltwork.evolve.entries import Replied
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.state import State, apply_body
from quiltwork.log import Entry, decode
from quiltwork.run import Run


class NotThere(UserError):
    """The run has no such step, artifact or view."""


class Watch:
    """A run as its pages see it. Feed it entries in order; between two of them ask what you like. One thread at a time."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.state = State()
        self.entries = 0
        self.began = 0
        self.committed_at: list[int] = []
        """Step -> how many entries of the log there were when it became history: never falling."""
        self.evaluated_by: list[int] = []
        """Step -> evaluations of the run by then."""
        self.replies: dict[int, list[Replied]] = {}
        self._problem: Problem | None = None

    def feed(self, entry: Entry) -> None:
        """Take the next entry of the log."""
        body = decode(entry)
        apply_body(self.state, body, entry.seq, entry.time)
        self.entries = entry.seq + 1
        self.began = self.began or entry.time
        if isinstance(body, Replied):
            self.replies.setdefault(body.step, []).append(body)
        while len(self.committed_at) < self.state.committed:
            self.committed_at.append(self.entries)
            self.evaluated_by.append(self.state.evaluations)

    @property
    def problem(self) -> Problem:
        """The run's frozen problem, read without running any of its code. Raises `NotThere` before the run has begun."""
        if self._problem is None:
            if self.state.started is None or self.state.config is None:
                raise NotThere(f"{self.run.name}: this run has not begun; its log is empty")
            with tempfile.TemporaryDirectory(prefix="quiltwork-problem-") as folder:
                unpack(self.run.blobs.get(self.state.started.problem), Path(folder))
                self._problem = replace(Problem.load(Path(folder)), config=self.state.config)
        return self._problem

    def snapshot(self) -> Snapshot:
        """The run at this moment."""
        return snapshot(self.state, self.problem)

    def committed_since(self, entries: int) -> int:
        """The first step that was not yet history when the log had so many entries."""
        return bisect_right(self.committed_at, entries)

    @property
    def standing(self) -> str:
        """How the run was left, as its log tells: "new", "driven", or why it was laid down."""
        if self.state.started is None:
            return "new"
        return "driven" if self.state.driven else self.state.stop_reason


def whole_number(words: Mapping[str, str], name: str, default: int) -> int:
    """Read a whole number out of a query. Raises `NotThere` for anything else."""
    try:
        return int(words.get(name, default))
    except ValueError:
        raise NotThere(f"{name}={words[name]!r} is not a whole number") from None
