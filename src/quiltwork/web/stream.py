"""Server-sent events without a buffer: what is new is worked out from where the reader stands.

An event's id says up to where its reader knows everything. Whoever comes back with it, after a minute or after the server was
started again, gets the difference as one bounded event: nothing is lost, and nothing is kept for those who are away.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import msgspec
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

EVERY_S = 0.25
"""Changes within this time come as one event."""

RETRY_MS = 1_000


class News(NamedTuple):
    """An event. `mark` is where its reader stands afterwards; None leaves the reader where it was."""

    mark: str | None
    data: dict[str, Any]


Source = Callable[[str], News | None]
"""From where the reader stands ("" for nowhere) to what is new, or None. It may block: it has a thread."""


def stream(request: Request, source: Source) -> EventSourceResponse:
    """Answer with events until the reader goes away."""
    mark = request.headers.get("last-event-id") or request.query_params.get("since", "")
    return EventSourceResponse(_events(source, mark), ping=15)


async def _events(source: Source, mark: str) -> AsyncIterator[ServerSentEvent]:
    while True:
        news = await run_in_threadpool(source, mark)
        if news is not None:
            mark = mark if news.mark is None else news.mark
            # JSON that knows no NaN: msgspec writes null for it.
            yield ServerSentEvent(data=msgspec.json.encode(news.data).decode(), id=news.mark, retry=RETRY_MS)
        await asyncio.sleep(EVERY_S)
