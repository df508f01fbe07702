"""How long one exchange with a server may take, and a network that keeps to it.

Timeouts for a single read do not bound an exchange: a server that sends one byte every few seconds keeps its client for
days. So every read and write looks at the errand that the thread is on, which knows what has moved since it began.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from ssl import SSLContext
from typing import Any

import httpcore

CONNECT_S = 10.0
ANSWER_S = 30.0
"""For a server to begin its answer: an append waits for others, and for a disk."""

SLOWEST_BYTES_PER_S = 16 << 10
"""What a link must move on average beyond that: a telephone's does."""

SILENCE_S = 45.0
"""Without a byte from a server that is followed: three times its pings."""

WRITE_PIECE = 16 << 10


class TooLong(Exception):
    """More comes than may come."""


class Errand:
    """One exchange: it may go on for ANSWER_S, and longer as far as bytes move, of which `most_bytes` may come back.

    Meanwhile `wake` is called every `every_s` seconds; what it raises ends the exchange.
    """

    def __init__(self, most_bytes: int, wake: Callable[[], None] = lambda: None, every_s: float = math.inf) -> None:
        self._most_bytes = most_bytes
        self._wake = wake
        self._every_s = every_s
        self._began = self._woken_at = time.monotonic()
        self._sent = 0
        self._received = 0

    def left_s(self) -> float:
        """The time that is left."""
        moved = self._sent + self._received
        return self._began + ANSWER_S + moved / SLOWEST_BYTES_PER_S - time.monotonic()

    def look(self) -> None:
        """Be asked whether to go on, before each read."""
        now = time.monotonic()
        if now >= self._woken_at + self._every_s:
            self._woken_at = now
            self._wake()

    def slice_s(self) -> float:
        """How long to wait at once."""
        return min(self.left_s(), max(0.001, self._every_s))

    def sent(self, count: int) -> None:
        """Note that bytes went."""
        self._sent += count

    def received(self, count: int) -> None:
        """Note that bytes came. Raises TooLong."""
        self._received += count
        if self._received > self._most_bytes:
            raise TooLong(f"more than {self._most_bytes} bytes")


class Vigil(Errand):
    """Waiting for what a server sends whenever it likes: bounded by silence alone."""

    def __init__(self, wake: Callable[[], None], every_s: float) -> None:
        super().__init__(0, wake, every_s)
        self._heard_at = time.monotonic()

    def left_s(self) -> float:
        """See Errand."""
        return self._heard_at + SILENCE_S - time.monotonic()

    def received(self, count: int) -> None:
        """See Errand."""
        self._heard_at = time.monotonic()


class Network(httpcore.NetworkBackend):
    """httpcore's own network, in which every thread keeps to the errand that it is `on`."""

    def __init__(self) -> None:
        self._network = httpcore.SyncBackend()
        self._thread = threading.local()

    @contextmanager
    def on(self, errand: Errand) -> Iterator[None]:
        """Do what follows on this errand."""
        before, self._thread.errand = self.errand, errand
        try:
            yield
        finally:
            self._thread.errand = before

    @property
    def errand(self) -> Errand:
        """What this thread is on."""
        found = getattr(self._thread, "errand", None)
        return found if isinstance(found, Errand) else Errand(0)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """See httpcore."""
        wait = min(CONNECT_S, _positive(self.errand.left_s()))
        return _Stream(self._network.connect_tcp(host, port, wait, local_address, socket_options), self)


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, network: Network) -> None:
        self._stream = stream
        self._network = network

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        errand = self._network.errand
        while True:
            errand.look()
            wait = _positive(errand.slice_s())
            try:
                data = self._stream.read(max_bytes, wait)
            except httpcore.ReadTimeout:
                continue
            errand.received(len(data))
            return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        errand = self._network.errand
        for start in range(0, len(buffer), WRITE_PIECE):
            piece = buffer[start : start + WRITE_PIECE]
            self._stream.write(piece, _positive(errand.left_s()))
            errand.sent(len(piece))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        wait = min(CONNECT_S, _positive(self._network.errand.left_s()))
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, wait), self._network)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise httpcore.ReadTimeout("too slow")
    return seconds
