"""What a holder reads while it serves: blobs opened once, proved once, and their outlines."""

from __future__ import annotations

import asyncio
import mmap
from collections import OrderedDict

from quiltwork.blobs.folder import FolderBlobs
from quiltwork.blobs.protocol import BlobCorrupt, BlobMissing, BlobStore, BlobUnavailable, blob_id
from quiltwork.blobs.tree import outline

OPEN_BLOBS = 64
"""Blobs kept open: a round's payloads and the checkpoint. Files are mapped, so they cost addresses rather than memory."""

COPIED_BYTES = 256 << 20
"""Of blobs that a store hands over as a copy (all but folders), so many bytes are kept at most, but always one blob."""


class Source:
    """One blob, open. Its outline is computed by the first who asks (60 MB/s), in a thread, for all who ask meanwhile."""

    def __init__(self, data: bytes | mmap.mmap) -> None:
        self._data = data
        self.size = len(data)
        self.copied_bytes = self.size if isinstance(data, bytes) else 0
        self._outline: asyncio.Task[bytes] | None = None

    def read(self, start: int, stop: int) -> bytes:
        """Give a part of it."""
        return bytes(self._data[start:stop])

    async def outline(self) -> bytes:
        """See `tree.outline`."""
        if self._outline is None:
            view = memoryview(self._data)
            self._outline = asyncio.create_task(asyncio.to_thread(outline, view))
        return await asyncio.shield(self._outline)


class Sources:
    """The blobs of a store that were asked for lately."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._open: OrderedDict[str, Source] = OrderedDict()
        self._opening: dict[str, asyncio.Task[Source]] = {}
        self.corrupt: dict[str, str] = {}
        """Blobs that the store holds with other bytes than their id says, and what it says of them."""

    async def open(self, id: str) -> Source:
        """Give the blob, proved as a whole. Raises BlobMissing, BlobCorrupt, BlobUnavailable."""
        if id in self._open:
            self._open.move_to_end(id)
            return self._open[id]
        if id not in self._opening:
            self._opening[id] = asyncio.create_task(self._first_open(id))
        return await asyncio.shield(self._opening[id])

    async def _first_open(self, id: str) -> Source:
        try:
            source = await asyncio.to_thread(_open, self._store, id)
        except BlobCorrupt as error:
            self.corrupt[id] = str(error)
            raise
        finally:
            del self._opening[id]
        self._open[id] = source
        while len(self._open) > 1 and (
            len(self._open) > OPEN_BLOBS or sum(each.copied_bytes for each in self._open.values()) > COPIED_BYTES
        ):
            self._open.popitem(last=False)
        return source

    async def aclose(self) -> None:
        """Wait for what threads are still reading, and forget everything."""
        under_way = [source._outline for source in self._open.values() if source._outline is not None]
        await asyncio.gather(*under_way, *self._opening.values(), return_exceptions=True)
        self._open.clear()


def _open(store: BlobStore, id: str) -> Source:
    if not isinstance(store, FolderBlobs):
        return Source(store.get(id))
    place = store.path / id[:2] / id[2:]
    try:
        with place.open("rb") as file:
            try:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError:  # what is empty cannot be mapped
                return Source(store.get(id))
    except FileNotFoundError:
        raise BlobMissing(f"There is no blob {id} in {store.path}.") from None
    except OSError as error:
        raise BlobUnavailable(f"Cannot read the blob {place}: {error.strerror}.") from error
    if blob_id(memoryview(mapped)) != id:  # type: ignore[arg-type]
        raise BlobCorrupt(
            f"{place} does not hold the bytes that its name promises. Delete it, or restore it from a copy."
        )
    return Source(mapped)
