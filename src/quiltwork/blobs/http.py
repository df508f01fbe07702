"""A blob store behind HTTP, the routes of `server.py`: what breaks off is gone on with, what is wrong is refused as it comes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from quiltwork.blobs.protocol import BlobCorrupt, BlobMissing, BlobUnavailable, blob_id, is_blob_id
from quiltwork.blobs.tree import BATCH_CHUNKS, CHUNK_BYTES, VALUE_BYTES, chunk_count, chunk_values, id_of_outline

PATIENCE_S = 60.0
"""How long a call goes on trying without getting a single byte further: a restart takes seconds."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
LARGEST_BYTES = 16 << 30
"""What a server may make us take into memory."""

ASK_FIRST_BYTES = CHUNK_BYTES
"""A larger blob is put only if the server lacks it; to ask costs a round trip."""

BATCH_BYTES = BATCH_CHUNKS * CHUNK_BYTES


class BlobRefused(BlobUnavailable):
    """The server will not do this, however often it is asked: the token, the size or the quota forbid it."""


class HttpBlobs:
    """See BlobStore. `url` is where the routes are mounted; `token` is what the server knows us by. Threads may share it."""

    def __init__(self, url: str, token: str | None = None, *, patience_s: float = PATIENCE_S) -> None:
        import httpx

        self.url = url.rstrip("/")
        self._patience_s = patience_s
        self._httpx: Any = httpx
        headers = {"accept-encoding": "identity"} | ({} if token is None else {"authorization": f"Bearer {token}"})
        self._client = httpx.Client(headers=headers, trust_env=False, timeout=httpx.Timeout(30.0, connect=10.0))

    def __repr__(self) -> str:
        return f"HttpBlobs({self.url!r})"

    def has(self, id: str) -> bool:
        """See BlobStore. Raises BlobUnavailable."""
        return is_blob_id(id) and self._head(id)[0]

    def get(self, id: str) -> bytes:
        """See BlobStore. Goes on with a Range where a connection broke; a wrong chunk is found when it arrives."""
        if not is_blob_id(id):
            raise BlobMissing(f"{id!r} is not the id of a blob: that is 64 hexadecimal digits in lower case.")
        download = _Download(id, self.url)
        patience = _Patience(self._patience_s)
        while not download.done:
            before = len(download.data)
            try:
                self._get_more(download)
            except _Lost as lost:
                if len(download.data) > before:
                    patience.renew()
                patience.wait(lost)
        return download.finish()

    def put(self, data: bytes) -> str:
        """See BlobStore. Goes on where a connection broke. Raises BlobRefused."""
        id, offset = blob_id(data), 0
        if len(data) > ASK_FIRST_BYTES:
            there, offset = self._head(id)
            if there:
                return id
        patience = _Patience(self._patience_s)
        while True:
            try:
                offset = self._put_more(id, data, offset)
                if offset == len(data):
                    return id
            except _Lost as lost:
                patience.wait(lost)
                there, now = self._head(id)
                if there:
                    return id
                if now > offset:
                    patience.renew()
                offset = now

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def _head(self, id: str) -> tuple[bool, int]:
        """Whether the server has the blob, and if not, how much of it we have put there."""
        patience = _Patience(self._patience_s)
        while True:
            try:
                with self._asked():
                    answer = self._client.head(f"{self.url}/{id}")
                    if answer.status_code == 404:
                        return False, _number(answer.headers.get("upload-offset")) or 0
                    self._check(answer, (200,))
                    return True, 0
            except _Lost as lost:
                patience.wait(lost)

    def _get_more(self, download: _Download) -> None:
        headers = {"range": f"bytes={len(download.data)}-"} if download.data else {}
        with self._asked(), self._client.stream("GET", f"{self.url}/{download.id}", headers=headers) as answer:
            if answer.status_code == 404:
                raise BlobMissing(f"There is no blob {download.id} at {self.url}.")
            self._check(answer, (206,) if headers else (200,))
            download.begin(_number(answer.headers.get("content-length")))
            if download.outline is None:
                download.believe(self._outline(download.id))
            for piece in answer.iter_raw(PIECE_BYTES):
                download.add(piece)
        if not download.done:
            raise _Lost(f"{self.url} ended its answer too early")

    def _outline(self, id: str) -> bytes:
        answer = self._client.get(f"{self.url}/{id}/outline")
        if answer.status_code == 404:
            return b""  # a server that only has files: the id proves the whole at the end
        self._check(answer, (200,))
        return bytes(answer.content)

    def _put_more(self, id: str, data: bytes, offset: int) -> int:
        """Put the rest, and give how much is there."""
        headers = {"content-length": str(len(data) - offset)}
        if offset:
            headers["content-range"] = f"bytes {offset}-{len(data) - 1}/{len(data)}"
        with self._asked():
            answer = self._client.put(f"{self.url}/{id}", content=_pieces(data, offset), headers=headers)
            if answer.status_code == 409 and (there := _number(answer.headers.get("upload-offset"))) is not None:
                return there
            if answer.status_code in (409, 422):
                raise _Lost(f"{self.url} could not take the blob: {_said(answer)}")
            self._check(answer, (200, 201))
        return len(data)

    @contextmanager
    def _asked(self) -> Iterator[None]:
        try:
            yield
        except self._httpx.HTTPError as error:
            raise _Lost(f"{self.url} cannot be reached, or broke off ({error or type(error).__name__})") from error

    def _check(self, answer: Any, wanted: tuple[int, ...]) -> None:
        status = answer.status_code
        if status in wanted:
            return
        if status in (408, 429) or status in (500, 502, 503, 504):
            raise _Lost(f"{self.url} is too busy ({status})", _number(answer.headers.get("retry-after")) or 0)
        said = _said(answer)
        if status in (401, 403, 413, 507):
            raise BlobRefused(f"{self.url} refuses ({status}): {said}")
        raise BlobUnavailable(f"{self.url} answers with the status {status}, which makes no sense here: {said}")


PIECE_BYTES = 4 * CHUNK_BYTES


class _Lost(Exception):
    """Worth another try."""

    def __init__(self, said: str, wait_s: float = 0.0) -> None:
        super().__init__(said)
        self.wait_s = wait_s


class _Patience:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.renew()

    def renew(self) -> None:
        self._until, self._pause_s = time.monotonic() + self._seconds, FIRST_PAUSE_S

    def wait(self, lost: _Lost) -> None:
        pause_s = max(self._pause_s, lost.wait_s)
        if time.monotonic() + pause_s > self._until:
            raise BlobUnavailable(f"{lost}. Check that it runs and that the address is right.") from lost
        time.sleep(pause_s)
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)


class _Download:
    """What has come of a blob, proved chunk by chunk if the server gave a true outline."""

    def __init__(self, id: str, url: str) -> None:
        self.id, self._url = id, url
        self.data = bytearray()
        self.size: int | None = None
        self.outline: bytes | None = None
        self._proved = 0

    @property
    def done(self) -> bool:
        return self.size is not None and len(self.data) == self.size

    def begin(self, length: int | None) -> None:
        if length is None:
            raise BlobUnavailable(f"{self._url} does not say how long the blob {self.id} is.")
        size = len(self.data) + length
        if self.size is not None and size != self.size:
            raise BlobCorrupt(
                f"{self._url} says that the blob {self.id} has {size:,} bytes, and said {self.size:,} before."
            )
        if size > LARGEST_BYTES:
            raise BlobUnavailable(f"The blob {self.id} at {self._url} has {size:,} bytes, more than {LARGEST_BYTES:,}.")
        self.size = size
        if chunk_count(size) == 1:
            self.outline = b""

    def believe(self, outline: bytes) -> None:
        assert self.size is not None
        if outline and (len(outline) != VALUE_BYTES * chunk_count(self.size) or id_of_outline(outline) != self.id):
            raise BlobCorrupt(f"{self._url} gives a wrong outline of the blob {self.id}.")
        self.outline = outline

    def add(self, piece: bytes) -> None:
        assert self.size is not None
        if len(self.data) + len(piece) > self.size:
            raise BlobCorrupt(f"{self._url} sends more than the {self.size:,} bytes of the blob {self.id}.")
        self.data += piece
        if self.outline and (len(self.data) - self._proved >= BATCH_BYTES or self.done):
            self._prove()

    def _prove(self) -> None:
        assert self.outline is not None
        stop = len(self.data) if self.done else len(self.data) // CHUNK_BYTES * CHUNK_BYTES
        with memoryview(self.data) as view:
            places = range(self._proved, stop, CHUNK_BYTES)
            chunks = [(place // CHUNK_BYTES, bytes(view[place : min(place + CHUNK_BYTES, stop)])) for place in places]
        for (index, _), value in zip(chunks, chunk_values(chunks), strict=True):
            if value != self.outline[VALUE_BYTES * index : VALUE_BYTES * (index + 1)]:
                raise BlobCorrupt(
                    f"{self._url} sends wrong bytes for the blob {self.id}, from {index * CHUNK_BYTES:,} on."
                )
        self._proved = stop

    def finish(self) -> bytes:
        data = bytes(self.data)
        if blob_id(data) != self.id:
            raise BlobCorrupt(f"What {self._url} gives as the blob {self.id} is something else.")
        return data


def _pieces(data: bytes, offset: int) -> Iterator[bytes]:
    view = memoryview(data)
    for place in range(offset, len(data), PIECE_BYTES):
        yield bytes(view[place : place + PIECE_BYTES])


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= 15 else None


def _said(answer: Any) -> str:
    """A stranger's words, short and printable."""
    text = answer.read()[:300].decode("utf-8", "replace") or _MEANT.get(answer.status_code, "it says nothing more")
    return "".join(c if c.isprintable() else " " for c in text)


_MEANT = {401: "the token is not known there", 403: "the token does not allow it"}  # the answer to HEAD has no words
