"""A holder's side: answers requests out of a store, within limits for each who asks."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable

from quiltwork.blobs.protocol import BlobCorrupt, BlobMissing, BlobStore, BlobUnavailable
from quiltwork.blobs.sources import Sources
from quiltwork.blobs.transport import Stream, receive_exactly
from quiltwork.blobs.tree import CHUNK_BYTES
from quiltwork.blobs.wire import OUTLINE, REQUEST_BYTES, Request, Status, WireError, decode_request, encode_reply

Allow = Callable[[str, str], bool]
"""(remote, id) -> may it have the blob? `remote` is what the transport knows: an IP address, or a public key."""

STREAMS_PER_REMOTE = 32
"""Twice the connections that an honest fetch opens; people behind one NAT share them."""

IDLE_S = 120.0
"""A stream on which nothing is asked for so long is closed; the other side opens a new one when it needs it."""

TAKING_S = 60.0
"""A chunk (64 KiB) that is not taken within this time goes to somebody slower than 9 kbit/s, or to nobody."""

REQUEST_COST = 1_024
"""What a request weighs at least where bytes per second are limited: a flood of requests for nothing is work, too."""

REMEMBERED_REMOTES = 4_096
"""Of so many remotes we know how much they took: to come back under the same name does not refill the bucket."""


class Bucket:
    """Bytes per second, with one second's worth to begin with (a token bucket)."""

    def __init__(self, per_s: float, now: float) -> None:
        self._per_s, self._left, self._now = per_s, per_s, now

    def wait_s(self, cost: int, now: float) -> float:
        """Take the bytes, and give how long to wait before sending them."""
        self._left = min(self._per_s, self._left + (now - self._now) * self._per_s) - cost
        self._now = now
        return max(0.0, -self._left / self._per_s)

    def give_back(self, cost: int) -> None:
        """What was taken is not sent after all."""
        self._left += cost


class Serving:
    """A handler of streams (see `transport.Handler`) that gives what it is asked for, and nothing else.

    `bytes_per_s` limits each remote; None does not. `allow` is asked for every blob.
    """

    def __init__(
        self,
        store: BlobStore,
        *,
        allow: Allow | None = None,
        bytes_per_s: float | None = None,
        streams_per_remote: int = STREAMS_PER_REMOTE,
        idle_s: float = IDLE_S,
        taking_s: float = TAKING_S,
    ) -> None:
        self.sources = Sources(store)
        self.served_bytes: Counter[str] = Counter()
        """By remote, of the last 4,096 remotes."""
        self._allow, self._bytes_per_s = allow, bytes_per_s
        self._streams_per_remote, self._idle_s, self._taking_s = streams_per_remote, idle_s, taking_s
        self._streams: Counter[str] = Counter()
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    async def __call__(self, stream: Stream) -> None:
        """Serve one stream to its end. Raises TransportError where the other side breaks off or makes no sense."""
        remote = stream.remote
        self._streams[remote] += 1
        try:
            busy = self._streams[remote] > self._streams_per_remote
            while (request := await self._next(stream)) is not None:
                status, body = (Status.BUSY, b"") if busy else await self._answer(remote, request)
                await self._limit(remote, max(REQUEST_COST, len(body)))
                async with asyncio.timeout(self._taking_s):
                    await stream.send(encode_reply(status, len(body)) + body)
                self.served_bytes[remote] += len(body)
                if busy:
                    return
        except TimeoutError:
            return
        finally:
            self._streams[remote] -= 1
            if not self._streams[remote]:
                del self._streams[remote]

    async def aclose(self) -> None:
        """Let go of the blobs that are open."""
        await self.sources.aclose()

    async def _next(self, stream: Stream) -> Request | None:
        async with asyncio.timeout(self._idle_s):
            first = await stream.receive(REQUEST_BYTES)
            if not first:
                return None
            return decode_request(first + await receive_exactly(stream, REQUEST_BYTES - len(first)))

    async def _answer(self, remote: str, request: Request) -> tuple[Status, bytes]:
        if self._allow is not None and not self._allow(remote, request.id):
            return Status.REFUSED, b""
        try:
            source = await self.sources.open(request.id)
        except (BlobMissing, BlobCorrupt):
            return Status.MISSING, b""
        except BlobUnavailable:
            return Status.BUSY, b""
        if source.size != request.size:
            return Status.OTHER_SIZE, b""
        if request.index == OUTLINE:
            return Status.HERE, await source.outline()
        start = request.index * CHUNK_BYTES
        return Status.HERE, source.read(start, start + request.answer_bytes)

    async def _limit(self, remote: str, cost: int) -> None:
        if self._bytes_per_s is None:
            return
        now = time.monotonic()
        bucket = self._buckets.pop(remote, None) or Bucket(self._bytes_per_s, now)
        self._buckets[remote] = bucket
        while len(self._buckets) > REMEMBERED_REMOTES:
            forgotten, _ = self._buckets.popitem(last=False)
            self.served_bytes.pop(forgotten, None)
        await asyncio.sleep(bucket.wait_s(cost, now))


__all__ = ["Allow", "Serving", "WireError"]
