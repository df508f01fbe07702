"""Blobs that are being put on a server: each grows in a file, and enters the store when it is whole and has its id."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from blake3 import blake3

from quiltwork.blobs.folder import FolderBlobs
from quiltwork.blobs.protocol import BlobStore, BlobUnavailable

AT_ONCE = 64
"""Uploads under way on the whole server."""

AT_ONCE_EACH = 8
"""Of one who puts: his updates and a checkpoint."""

KEPT_S = 86_400.0
"""What was begun and not finished is deleted after a day."""


class UploadError(Exception):
    """An upload is refused, with a status of HTTP, and where it would go on if that is known."""

    def __init__(self, status: int, said: str, offset: int | None = None) -> None:
        super().__init__(said)
        self.status, self.offset = status, offset


class Uploads:
    """What is growing. `put_bytes` counts what each has put since the start, finished or not."""

    def __init__(self, store: BlobStore, folder: Path | None) -> None:
        self._store = store
        if folder is None and isinstance(store, FolderBlobs):
            folder = store.path / ".uploads"
        if folder is None:
            self._own = tempfile.TemporaryDirectory(prefix="quiltwork-uploads-")  # deleted with this object
            folder = Path(self._own.name)
        self._folder = folder
        self._under_way: set[Path] = set()
        self._by_caller: Counter[str] = Counter()
        self.put_bytes: Counter[str] = Counter()

    def offset(self, caller: str, id: str) -> int:
        """How many bytes of the blob this caller has brought already."""
        with suppress(FileNotFoundError):
            return self._place(caller, id).stat().st_size
        return 0

    @contextmanager
    def begin(self, caller: str, id: str, start: int, size: int) -> Iterator[Upload]:
        """Take what follows from `start` on. Raises UploadError, and BlobUnavailable if the disk does not take it."""
        place = self._place(caller, id)
        if place in self._under_way:
            raise UploadError(409, "You are putting this blob already.")
        if len(self._under_way) >= AT_ONCE or self._by_caller[caller] >= AT_ONCE_EACH:
            raise UploadError(503, "Too much is being put here at once; try again later.")
        there = self.offset(caller, id)
        if start not in (0, there):
            raise UploadError(409, f"{there:,} bytes of it are here; go on from there.", there)
        self._under_way.add(place)
        self._by_caller[caller] += 1
        try:
            upload = Upload(self, caller, place, id, start, size)
            try:
                yield upload
            finally:
                upload.close()
        finally:
            self._under_way.discard(place)
            self._by_caller[caller] -= 1

    def put(self, data: bytes) -> None:
        """Into the store."""
        self._store.put(data)

    def delete_forgotten(self) -> None:
        """Delete what nobody has gone on with for a day."""
        for path in self._folder.glob("*.put"):
            with suppress(FileNotFoundError):
                if path not in self._under_way and time.time() - path.stat().st_mtime > KEPT_S:
                    path.unlink()

    def _place(self, caller: str, id: str) -> Path:
        return self._folder / f"{id}-{hashlib.sha256(caller.encode()).hexdigest()[:16]}.put"


class Upload:
    """One blob that is being put."""

    def __init__(self, uploads: Uploads, caller: str, place: Path, id: str, start: int, size: int) -> None:
        self._uploads, self._caller, self._place, self._id, self._size = uploads, caller, place, id, size
        self.offset = start
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            uploads.delete_forgotten()
            self._file = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.ftruncate(self._file, start)
        except OSError as error:
            raise BlobUnavailable(f"Cannot write {place}: {error.strerror}.") from error

    def write(self, piece: bytes) -> None:
        """Add what follows. Raises UploadError for more than was announced, BlobUnavailable if the disk is full."""
        if self.offset + len(piece) > self._size:
            raise UploadError(400, "More came than was announced.")
        view = memoryview(piece)
        try:
            while view:
                written = os.pwrite(self._file, view, self.offset)
                view = view[written:]
                self.offset += written
                self._uploads.put_bytes[self._caller] += written
        except OSError as error:
            raise BlobUnavailable(f"Cannot write {self._place}: {error.strerror}.") from error

    def finish(self) -> None:
        """Put what has come into the store. Raises UploadError, and forgets it, unless it has its id."""
        data = os.pread(self._file, self._size, 0) if self._size < 1 << 31 else _read_large(self._file, self._size)
        true = blake3(data).hexdigest() == self._id
        if true:
            self._uploads.put(data)
        else:
            self._uploads.put_bytes[self._caller] -= self._size
        self._place.unlink(missing_ok=True)
        if not true:
            raise UploadError(422, "The bytes that came do not have this id.", 0)

    def close(self) -> None:
        """Let go of the file; what came stays for another try."""
        os.close(self._file)


def _read_large(file: int, size: int) -> bytes:
    """One read gives less than 2 GiB."""
    parts, place = [], 0
    while place < size:
        part = os.pread(file, min(size - place, 1 << 30), place)
        if not part:
            break
        parts.append(part)
        place += len(part)
    return b"".join(parts)
