"""How long a log is, asked once for all who follow it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from anyio import to_thread

from quiltwork.errors import UserError

POLL_S = 0.05
"""How late a follower may hear of what somebody else appended; of this server's own appends it hears at once."""


class Tide:
    """Wakes followers when the log has grown. `length` asks the log; it may block. While nobody follows, nobody asks."""

    def __init__(self, length: Callable[[], int]) -> None:
        self._ask = length
        self._length = 0
        self._error: UserError | None = None
        self._followers = 0
        self._looking: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._nudged = asyncio.Event()

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Keep looking at the log meanwhile."""
        self._followers += 1
        if self._looking is None:
            self._error = None
            self._looking = asyncio.create_task(self._look())
        try:
            yield
        finally:
            self._followers -= 1
            if not self._followers and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    def nudge(self) -> None:
        """Look at once: something was appended."""
        self._nudged.set()

    async def beyond(self, length: int) -> None:
        """Wait until the log is longer than this. Raises what looking at it raised."""
        while self._length <= length:
            if self._error is not None:
                raise self._error
            await self._changed.wait()

    async def _look(self) -> None:
        while self._error is None:
            self._nudged.clear()
            before = self._length
            try:
                self._length = await to_thread.run_sync(self._ask)
            except UserError as error:
                self._error = error
                self._looking = None  # whoever follows next looks again
            if self._error is not None or self._length != before:
                changed, self._changed = self._changed, asyncio.Event()
                changed.set()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._nudged.wait(), POLL_S)
