"""What has come of a blob that is still being fetched: in memory, or in a file that outlives the process.

The file holds the blob's bytes, the outline, and a byte per chunk that says whether it has landed. Nothing in it is
trusted when it is opened again: the outline must give the id, and each chunk its value.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import Protocol

from quiltwork.blobs.protocol import BlobUnavailable
from quiltwork.blobs.tree import (
    BATCH_CHUNKS,
    CHUNK_BYTES,
    VALUE_BYTES,
    chunk_bytes,
    chunk_count,
    chunk_values,
    id_of_outline,
)

ON_DISK_BYTES = 8 << 20
"""From this size on a blob is worth resuming; below, asking again costs less than the files."""

SLOTS = 16
"""How many processes may fetch the same blob into the same folder at once."""

KEPT_S = 7 * 86_400.0
"""Half-fetched blobs that nobody has touched for a week are deleted."""


class Partial(Protocol):
    """Takes chunks that were proved, in any order."""

    @property
    def landed(self) -> frozenset[int]:
        """The chunks that were there, and proved, when it was opened."""
        ...

    @property
    def outline(self) -> bytes:
        """The outline that was there, proved by the id, or b""."""
        ...

    def keep_outline(self, outline: bytes) -> None:
        """Keep what proves the chunks."""
        ...

    def write(self, index: int, data: bytes) -> None:
        """Keep a chunk. Raises BlobUnavailable if the disk is full."""
        ...

    def read(self) -> bytes:
        """Give the whole blob, once all chunks have been written."""
        ...

    def close(self, *, done: bool) -> None:
        """Let go; if the blob is `done`, forget it."""
        ...


class MemoryPartial:
    """See Partial. It forgets everything with the process."""

    landed: frozenset[int] = frozenset()
    outline = b""

    def __init__(self, size: int) -> None:
        self._data = bytearray(size)

    def keep_outline(self, outline: bytes) -> None:
        """See Partial."""

    def write(self, index: int, data: bytes) -> None:
        """See Partial."""
        self._data[index * CHUNK_BYTES : index * CHUNK_BYTES + len(data)] = data

    def read(self) -> bytes:
        """See Partial."""
        return bytes(self._data)

    def close(self, *, done: bool) -> None:
        """See Partial."""


class FilePartial:
    """See Partial. A file `<id>.<slot>.part` in a folder; opening one that was left behind proves what it holds (60 MB/s)."""

    def __init__(self, folder: Path, id: str, size: int) -> None:
        self._id, self._size, self._count = id, size, chunk_count(size)
        self.landed: frozenset[int] = frozenset()
        self.outline = b""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._path, self._file = _lock(folder, id)
            self._resume()
        except OSError as error:
            raise BlobUnavailable(f"Cannot keep a half-fetched blob in {folder}: {error.strerror or error}.") from error

    def _resume(self) -> None:
        length = self._size + (VALUE_BYTES + 1) * self._count
        if os.fstat(self._file).st_size == length:
            outline = os.pread(self._file, VALUE_BYTES * self._count, self._size)
            if id_of_outline(outline) == self._id:
                self.outline = outline
                self.landed = frozenset(self._prove(os.pread(self._file, self._count, length - self._count)))
                return
        os.ftruncate(self._file, 0)
        os.ftruncate(self._file, length)  # full of holes: what it takes is what has landed

    def _prove(self, flags: bytes) -> set[int]:
        flagged = [index for index, flag in enumerate(flags) if flag]
        proved = set()
        for start in range(0, len(flagged), BATCH_CHUNKS):
            chunks = [
                (index, os.pread(self._file, chunk_bytes(self._size, index), index * CHUNK_BYTES))
                for index in flagged[start : start + BATCH_CHUNKS]
            ]
            for (index, _), value in zip(chunks, chunk_values(chunks), strict=True):
                if value == self.outline[VALUE_BYTES * index : VALUE_BYTES * (index + 1)]:
                    proved.add(index)
        return proved

    def keep_outline(self, outline: bytes) -> None:
        """See Partial."""
        self._write(outline, self._size)

    def write(self, index: int, data: bytes) -> None:
        """See Partial."""
        self._write(data, index * CHUNK_BYTES)
        self._write(b"\1", self._size + VALUE_BYTES * self._count + index)

    def _write(self, data: bytes, place: int) -> None:
        view = memoryview(data)
        try:
            while view:
                written = os.pwrite(self._file, view, place)
                view, place = view[written:], place + written
        except OSError as error:
            raise BlobUnavailable(
                f"Cannot write to {self._path}: {error.strerror}. What has come so far stays there for another try."
            ) from error

    def read(self) -> bytes:
        """See Partial."""
        parts, place = [], 0
        while place < self._size:  # one read gives 2 GiB at most
            part = os.pread(self._file, self._size - place, place)
            if not part:
                raise BlobUnavailable(f"{self._path} has become shorter while it was being filled.")
            parts.append(part)
            place += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self, *, done: bool) -> None:
        """See Partial."""
        if done:
            self._path.unlink(missing_ok=True)
        os.close(self._file)


def delete_forgotten(folder: Path, *, older_s: float = KEPT_S) -> None:
    """Delete half-fetched blobs that nobody has written to for so long."""
    for path in folder.glob("*.part"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > older_s:
                path.unlink()


def _lock(folder: Path, id: str) -> tuple[Path, int]:
    """Open the first file for this blob that no other process holds; the lock ends with the process, however it ends."""
    for slot in range(SLOTS):
        path = folder / f"{id}.{slot}.part"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(file).st_nlink:  # else whoever held the lock has just finished and deleted the file
                return path, file
        except BlockingIOError:
            pass
        except BaseException:  # Ctrl-C, too: the lock goes with the file
            os.close(file)
            raise
        os.close(file)
    raise BlobUnavailable(f"{SLOTS} processes fetch the blob {id} into {folder} already.")
