"""A log in memory: for tests, simulators and runs that nobody keeps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from threading import Lock

from quiltwork.log.entry import Entry
from quiltwork.log.protocol import EMPTY, Conflict, Head, chain_on


class MemoryLog:
    """Entries in a list. Threads may share it."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._head = EMPTY
        self._lock = Lock()

    def head(self) -> Head:
        """See Log."""
        return self._head

    def append(self, entries: Sequence[Entry], expect: Head) -> Head:
        """See Log."""
        with self._lock:
            if self._head != expect:
                raise Conflict(expect, self._head)
            head = chain_on(entries, expect)
            self._entries.extend(entries)
            self._head = head
            return head

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        """See Log."""
        for seq in range(start, len(self._entries) if stop is None else min(stop, len(self._entries))):
            yield self._entries[seq]

    def follow(
        self, start: int = 0, *, poll_s: float = 0.2, stop: Callable[[], bool] = lambda: False
    ) -> Iterator[Entry]:
        """See Log."""
        while True:
            stopping = stop()
            for entry in self.read(start):
                yield entry
                start += 1
            if stopping:
                return
            if start >= len(self._entries):
                time.sleep(poll_s)

    def close(self) -> None:
        """See Log."""
