"""Blobs as files: `ab/cdef...` for the id `abcdef...`, so that no folder grows beyond what file systems like."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from quiltwork.blobs.protocol import BlobCorrupt, BlobMissing, BlobUnavailable, blob_id, is_blob_id


class FolderBlobs:
    """Blobs under a folder, which is made with the first blob.

    A file appears whole or not at all: it is written beside its place and renamed. With `fsync` it also survives a
    power cut once `put` has returned. That costs milliseconds per blob, and without it no more is lost than the log
    loses: the last half minute, which a resumed run does again. A blob that a power cut left empty is refused by `get` and
    mended by the next `put`.
    """

    def __init__(self, path: Path | str, *, fsync: bool = False) -> None:
        self.path = Path(path)
        self._fsync = fsync

    def put(self, data: bytes) -> str:
        """See BlobStore."""
        id = blob_id(data)
        place = self._place(id)
        try:
            if not _has_size(place, len(data)):
                self._write(place, data)
        except OSError as error:
            raise BlobUnavailable(f"Cannot write the blob {place}: {error.strerror}. Nothing was stored.") from error
        return id

    def get(self, id: str) -> bytes:
        """See BlobStore."""
        if not is_blob_id(id):
            raise BlobMissing(f"{id!r} is not the id of a blob: that is 64 hexadecimal digits in lower case.")
        place = self._place(id)
        try:
            data = place.read_bytes()
        except FileNotFoundError:
            raise BlobMissing(f"There is no blob {id} in {self.path}.") from None
        except OSError as error:
            raise BlobUnavailable(f"Cannot read the blob {place}: {error.strerror}.") from error
        if blob_id(data) != id:
            raise BlobCorrupt(
                f"{place} does not hold the bytes that its name promises. Delete it, or restore it from a copy."
            )
        return data

    def has(self, id: str) -> bool:
        """See BlobStore."""
        return is_blob_id(id) and self._place(id).exists()

    def delete(self, id: str) -> None:
        """Let go of a blob, if it is there. Who reads it at the moment reads on. Raises BlobUnavailable."""
        if not is_blob_id(id):
            return
        place = self._place(id)
        try:
            place.unlink(missing_ok=True)
        except OSError as error:
            raise BlobUnavailable(f"Cannot delete the blob {place}: {error.strerror}.") from error

    def _place(self, id: str) -> Path:
        return self.path / id[:2] / id[2:]

    def _write(self, place: Path, data: bytes) -> None:
        unfinished = place.with_name(f".{place.name[:8]}.{secrets.token_hex(8)}")
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(unfinished, "xb") as file:
                file.write(data)
                if self._fsync:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(unfinished, place)
        except BaseException:  # Ctrl-C, too: half a blob must not stay behind
            unfinished.unlink(missing_ok=True)
            raise
        if self._fsync:
            _fsync_folder(place.parent)


def _has_size(place: Path, size: int) -> bool:
    try:
        return place.stat().st_size == size
    except FileNotFoundError:
        return False


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
