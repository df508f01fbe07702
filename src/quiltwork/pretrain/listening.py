"""The log, read beside the event loop: a thread waits for entries, and hands them over in batches."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from contextlib import suppress

from quiltwork.log import Entry
from quiltwork.pretrain.voice import Voice

UNREAD_ENTRIES = 10_000
"""Entries read ahead of the node, which folds 20,000 a second."""


class Entries:
    """The log's entries, read by a thread of its own and handed over in batches."""

    def __init__(self, voice: Voice, loop: asyncio.AbstractEventLoop) -> None:
        self.caught_up = False
        """Whether all that was there at the beginning has been handed over."""
        self._voice, self._loop = voice, loop
        self._entries: deque[Entry] = deque()
        self._there = asyncio.Event()
        self._room = threading.Event()
        self._room.set()
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._first_read = False
        self._thread = threading.Thread(target=self._read, name="log", daemon=True)
        self._thread.start()

    async def next(self) -> list[Entry]:
        """Give what is new, when something is. Raises what reading raised."""
        await self._there.wait()
        self._there.clear()
        complete = self._first_read
        batch = []
        while self._entries:
            batch.append(self._entries.popleft())
        self._room.set()
        self.caught_up = complete
        if self._error is not None:
            raise self._error
        return batch

    def close(self) -> None:
        """Read no more."""
        self._stop.set()
        self._room.set()

    def _read(self) -> None:
        try:
            count = 0
            for entry in self._voice.read():
                self._hand_over(entry)
                count += 1
            self._first_read = True
            self._wake()
            for entry in self._voice.follow(count, self._stop.is_set):
                self._hand_over(entry)
                self._wake()
        except BaseException as error:  # noqa: BLE001  (a thread has nobody above it: the loop raises it)
            self._error = error
            self._wake()

    def _hand_over(self, entry: Entry) -> None:
        if len(self._entries) >= UNREAD_ENTRIES:
            self._wake()
            self._room.clear()
            self._room.wait()
        self._entries.append(entry)

    def _wake(self) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._there.set)
