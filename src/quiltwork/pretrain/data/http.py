"""Parts of files over HTTP: what is asked for is what comes, of the same version of the file every time, or it is an error."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import httpx

from quiltwork.pretrain.data.tokens import DataError

TIMEOUT_S = 30.0
"""Without a byte. A server that is silent for longer is asked again."""

TRIES = 6
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
"""Waits double from the first one; with six tries a restart of a server of some ten seconds goes unnoticed."""

Result = TypeVar("Result")

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of a file, the file's size, and the version that the server says it has."""

    data: bytes
    size: int
    etag: str


class Http:
    """A client that asks again, a bounded number of times, where that may help. Threads may share it."""

    def __init__(self, client: httpx.Client | None = None, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client or httpx.Client(timeout=TIMEOUT_S, follow_redirects=True)
        self._sleep = sleep

    def part(self, url: str, start: int, stop: int) -> Part:
        """Get bytes start to stop - 1, or as many of them as there are. Raises DataError."""
        return self._persist(url, lambda: self._part(url, start, stop))

    def whole(self, url: str, most: int) -> bytes:
        """Get a file of at most `most` bytes. Raises DataError."""
        return self._persist(url, lambda: self._whole(url, most))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _part(self, url: str, start: int, stop: int) -> Part:
        # No compression: a range is one of the bytes as they are sent, and those should be the file's.
        headers = {"Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
        with self._client.stream("GET", url, headers=headers) as response:
            if response.status_code == 200:
                raise DataError(f"{url}: the server sends whole files only; it must support range requests")
            _check_status(response, 206)
            found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if found is None:
                raise DataError(f"{url}: the server's Content-Range is {response.headers.get('Content-Range')!r}")
            first, last, size = map(int, found.groups())
            if first != start or last + 1 != min(stop, size):
                raise DataError(
                    f"{url}: asked for bytes {start} to {stop - 1}, the server sent {first} to {last} of {size}"
                )
            data = _read(response, stop - start)
        if len(data) != last + 1 - first:
            raise httpx.ReadError(f"{len(data)} bytes came of {last + 1 - first}")
        return Part(data, size, response.headers.get("ETag", ""))

    def _whole(self, url: str, most: int) -> bytes:
        with self._client.stream("GET", url) as response:
            _check_status(response, 200)
            return _read(response, most)

    def _persist(self, url: str, attempt: Callable[[], Result]) -> Result:
        for tried in range(1, TRIES + 1):
            try:
                return attempt()
            except (httpx.TransportError, _TryLater) as error:
                if tried == TRIES:
                    raise DataError(f"{url}: {_reason(error)}, {TRIES} times in a row") from error
                asked = error.wait_s if isinstance(error, _TryLater) else 0.0
            except (httpx.InvalidURL, httpx.RequestError) as error:
                raise DataError(f"{url}: {error}") from error
            self._sleep(min(max(FIRST_WAIT_S * 2 ** (tried - 1), asked), LONGEST_WAIT_S))
        raise AssertionError("the last try returns or raises")


class _TryLater(Exception):
    """The server cannot now; `wait_s` is what it asked for."""

    def __init__(self, reason: str, wait_s: float) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _check_status(response: httpx.Response, wanted: int) -> None:
    status = f"the server answered {response.status_code} {response.reason_phrase}"
    if response.status_code in _AGAIN:
        wait = response.headers.get("Retry-After", "")  # in seconds, or a date, which is not waited for
        raise _TryLater(status, float(wait) if wait.isdecimal() else 0.0)
    if response.status_code != wanted:
        raise DataError(f"{response.url}: {status}")


def _read(response: httpx.Response, most: int) -> bytes:
    data = bytearray()
    for piece in response.iter_bytes():
        data += piece
        if len(data) > most:
            raise DataError(f"{response.url}: the server sends more than {most:,} bytes")
    return bytes(data)
