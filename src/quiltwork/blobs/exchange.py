"""A member's place in the exchange of blobs: it serves what it has, and fetches what others have, by id.

async with Exchange(store, [TcpTransport(PROTOCOL, host="0.0.0.0")]) as exchange:
    print(exchange.addresses)                       # tell these to the others
    fetched = await exchange.fetch(id, size, ["tcp://host:4000", "https://relay/blobs"], deadline_s=60)
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from quiltwork.blobs.fetch import STRIPES_PER_HOLDER, Fetch
from quiltwork.blobs.links import Links
from quiltwork.blobs.partial import ON_DISK_BYTES, FilePartial, MemoryPartial, Partial, delete_forgotten
from quiltwork.blobs.protocol import BlobCorrupt, BlobMissing, BlobStore, BlobUnavailable, is_blob_id
from quiltwork.blobs.report import Fault, FetchReport
from quiltwork.blobs.serving import Allow, Serving
from quiltwork.blobs.transport import Listener, Transport
from quiltwork.blobs.wire import PROTOCOL

LARGEST_BYTES = 16 << 30
"""A blob is handed over as bytes, so it has to fit into memory; who knows better says so."""


class NobodyHasIt(BlobMissing):
    """Every holder was asked, and none could give the blob. `report` tells why of each."""

    def __init__(self, what: str, report: FetchReport) -> None:
        super().__init__(_said(what, report))
        self.report = report


class TooSlow(BlobUnavailable):
    """The deadline passed. `report` tells what came from whom."""

    def __init__(self, what: str, report: FetchReport) -> None:
        super().__init__(_said(what, report))
        self.report = report


def _said(what: str, report: FetchReport) -> str:
    return f"The blob {report.id} ({report.size:,} bytes) {what}: {report}."


class Fetched(NamedTuple):
    """A blob, and how it came."""

    data: bytes
    report: FetchReport


class Exchange:
    """Serve a store over transports, and fetch from others into it.

    `partials` is the folder where blobs of 8 MiB and more grow, so that a fetch goes on after a crash; without it everything
    is fetched in memory. `allow`, `bytes_per_s`: see `Serving`. `tokens`: what relays want, by their address. `stripes`: how many
    connections to one holder a fetch may open.
    Use it as an async context manager, or call `open` and `aclose`.
    """

    def __init__(
        self,
        store: BlobStore,
        transports: Sequence[Transport],
        *,
        partials: Path | None = None,
        allow: Allow | None = None,
        bytes_per_s: float | None = None,
        tokens: Mapping[str, str] | None = None,
        stripes: int = STRIPES_PER_HOLDER,
        largest_bytes: int = LARGEST_BYTES,
    ) -> None:
        self.store = store
        self.serving = Serving(store, allow=allow, bytes_per_s=bytes_per_s)
        self._transports, self._partials, self._largest_bytes = tuple(transports), partials, largest_bytes
        self._stripes = stripes
        self._links = Links(self._transports, tokens)
        self._listeners: list[Listener] = []

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where others can fetch from us; empty before `open`."""
        return tuple(listener.address for listener in self._listeners)

    async def open(self) -> None:
        """Begin to serve. Raises TransportError."""
        if self._partials is not None:
            delete_forgotten(self._partials)
        try:
            for transport in self._transports:
                self._listeners.append(await transport.listen(self.serving))
        except BaseException:  # a cancellation, too: what listens already must not stay open
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Stop serving, and hang up. The transports are closed, too."""
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            await listener.aclose()
        await self.serving.aclose()
        await self._links.aclose()
        for transport in self._transports:
            await transport.aclose()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def prepare(self, id: str) -> None:
        """Compute now what the first who asks for a blob of our store would wait for: its outline, at 60 MB/s.

        Raises BlobMissing, BlobCorrupt, BlobUnavailable.
        """
        await (await self.serving.sources.open(id)).outline()

    async def fetch(
        self, id: str, size: int, holders: Sequence[str], *, deadline_s: float, keep: bool = True
    ) -> Fetched:
        """Give the blob with this id, of `size` bytes, from any of the holders' addresses, or from our own store.

        `keep` puts it into the store, so that others can have it from us. Raises NobodyHasIt, TooSlow, and BlobUnavailable
        if it cannot be stored. A blob of `partials` size that was not finished goes on from there the next time.
        """
        self._check(id, size)
        if await asyncio.to_thread(self.store.has, id):
            try:
                data = await asyncio.to_thread(self.store.get, id)
                return Fetched(data, FetchReport(id, size, 0.0, from_store=True))
            except (BlobMissing, BlobCorrupt):
                pass  # fetching mends it
        partial = await asyncio.to_thread(self._partial, id, size)
        done = False
        try:
            fetch = Fetch(self._links, id, size, holders, partial, self._stripes)
            await self._run(fetch, deadline_s)
            data = await asyncio.to_thread(partial.read)
            if keep and await asyncio.to_thread(self.store.put, data) != id:
                raise BlobCorrupt(f"The blob {id} was proved in parts and is wrong as a whole: memory or disk fail.")
            done = True
        finally:
            partial.close(done=done)
        return Fetched(data, fetch.report())

    async def _run(self, fetch: Fetch, deadline_s: float) -> None:
        try:
            async with asyncio.timeout(deadline_s):
                await fetch.run()
        except TimeoutError:
            if not fetch.done:
                raise TooSlow(f"did not come within {deadline_s:g} s", fetch.report()) from None
        if not fetch.done:
            raise NobodyHasIt("could not be had from anybody", fetch.report())

    def _partial(self, id: str, size: int) -> Partial:
        if self._partials is not None and size >= ON_DISK_BYTES:
            return FilePartial(self._partials, id, size)
        return MemoryPartial(size)

    def _check(self, id: str, size: int) -> None:
        if not is_blob_id(id):
            raise BlobMissing(f"{id!r} is not the id of a blob: that is 64 hexadecimal digits in lower case.")
        if not 0 <= size <= self._largest_bytes:
            raise BlobUnavailable(
                f"The blob {id} is said to have {size:,} bytes; we fetch {self._largest_bytes:,} at most (largest_bytes)."
            )


__all__ = ["PROTOCOL", "Exchange", "Fault", "Fetched", "NobodyHasIt", "TooSlow"]
