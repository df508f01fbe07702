"""Blobs in memory: for tests, simulators and runs that nobody keeps."""

from __future__ import annotations

from quiltwork.blobs.protocol import BlobMissing, blob_id


class MemoryBlobs:
    """Blobs in a dict."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}

    def put(self, data: bytes) -> str:
        """See BlobStore."""
        id = blob_id(data)
        self._blobs.setdefault(id, bytes(data))
        return id

    def get(self, id: str) -> bytes:
        """See BlobStore."""
        try:
            return self._blobs[id]
        except KeyError:
            raise BlobMissing(f"There is no blob {id}.") from None

    def has(self, id: str) -> bool:
        """See BlobStore."""
        return id in self._blobs
