"""Token files on a web server: of each sequence only its own bytes are asked for, and kept in a folder if there is one."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import numpy as np
from blake3 import blake3

from quiltwork.pretrain.data.http import Http
from quiltwork.pretrain.data.manifest import Listed
from quiltwork.pretrain.data.tokens import HEADER, DataError, Tokens, layout


class RemoteFile:
    """A token file behind a URL. Nothing is believed that can be checked: length and ETag, and hashes if they are listed.

    With a list, whole pieces are fetched, since only those can be checked. `cache` is a folder in which what was fetched is
    kept, by its hash, or by URL, ETag and place. It grows up to the size of the data, may be shared by processes, and may be
    deleted at any time. Threads may read at once. Raises DataError.
    """

    def __init__(
        self,
        url: str,
        http: Http,
        *,
        dtype: str = "",
        vocabulary: int = 0,
        listed: Listed | None = None,
        cache: Path | None = None,
    ) -> None:
        self.name, self._http, self._listed, self._cache = url, http, listed, cache
        if listed is None:
            first = http.part(url, 0, HEADER.size)
            head, self._size, self._etag = first.data, first.size, first.etag
        else:
            head, self._size, self._etag = bytes.fromhex(listed.head), listed.size, ""
        self.layout = layout(head, self._size, url, dtype, vocabulary)

    def read(self, start: int, stop: int) -> Tokens:
        """See TokenFile."""
        width, offset = self.layout.width, self.layout.offset
        first, last = offset + start * width, offset + stop * width
        if self._listed is None:
            data, begun = self._bytes(first, last, ""), first
        else:
            size = self._listed.piece_bytes
            pieces = range(first // size, -(-last // size))
            begun = pieces.start * size
            data = b"".join(
                self._bytes(piece * size, min((piece + 1) * size, self._size), self._listed.pieces[piece])
                for piece in pieces
            )
        return np.frombuffer(data, self.layout.dtype, stop - start, first - begun)

    def _bytes(self, start: int, stop: int, expected: str) -> bytes:
        """Give bytes start to stop - 1, with this BLAKE3 if one is expected: those kept, or else the server's."""
        place = self._place(start, stop, expected)
        data = None if place is None else _kept(place)
        if data is None or len(data) != stop - start or expected not in ("", blake3(data).hexdigest()):
            data = self._fetch(start, stop, expected)
            if place is not None:
                _keep(place, data)
        return data

    def _fetch(self, start: int, stop: int, expected: str) -> bytes:
        part = self._http.part(self.name, start, stop)
        if part.size != self._size or (self._listed is None and part.etag != self._etag):
            raise DataError(
                f"{self.name} changed on the server: {self._size:,} bytes {self._etag} before, "
                f"{part.size:,} bytes {part.etag} now. Every member must have the same data."
            )
        if expected not in ("", blake3(part.data).hexdigest()):
            raise DataError(f"{self.name}: bytes from {start:,} on do not have the hash that the manifest lists")
        return part.data

    def _place(self, start: int, stop: int, expected: str) -> Path | None:
        """Where bytes are kept; nowhere, if nothing says which version of the file they are of."""
        if self._cache is None or not (expected or self._etag):
            return None
        version = f"{self.name}\n{self._etag}\n{self._size}\n{start}\n{stop}"
        name = expected or blake3(version.encode()).hexdigest()
        return self._cache / name[:2] / name[2:]


def _kept(place: Path) -> bytes | None:
    try:
        return place.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"{place}, which was kept of the data, cannot be read: {error.strerror}") from error


def _keep(place: Path, data: bytes) -> None:
    unfinished = place.with_name(f".{secrets.token_hex(8)}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(data)
        os.replace(unfinished, place)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise DataError(f"{place}, to keep some of the data, cannot be written: {error.strerror}") from error
