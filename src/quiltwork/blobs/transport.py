"""How bytes travel between machines: streams to an address, whatever carries them.

    loopback.py   inside one process, for tests          memory://name
    tcp.py        asyncio streams                         tcp://host:port
    iroh.py       QUIC through NATs (the extra `p2p`)     iroh://endpoint-id@host:port,host:port

All keep one contract (`tests/blobs/test_transports.py`): a stream is two ordered flows of bytes; `send` waits while the other
side does not read, so nobody's memory fills; what ends early says so. A transport is made for one *protocol* (a name and a
version, such as `quiltwork-blobs/1`): to dial a listener of another one is a `WrongProtocol`, not garbage.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from quiltwork.errors import UserError

SEND_BYTES = 256 * 1024
"""At most so much may lie unsent in this process before `send` waits."""

RECEIVE_BYTES = 256 * 1024
"""At most so much is read ahead of `receive`."""

CONNECT_S = 10.0
"""Two lost SYNs (1 + 2 s) and a slow link; a machine that is silent longer is taken for dead."""

PROTOCOL_BYTES = 64
"""The longest name of a protocol: what a stranger makes us read before we know what he speaks."""


class TransportError(UserError):
    """An address cannot be reached, or a stream broke."""


class Unreachable(TransportError):
    """Nobody answers at this address, or not in time."""


class WrongProtocol(TransportError):
    """Who answers speaks another protocol, or another version of it."""


class StreamBroken(TransportError):
    """The stream ended before what was expected of it had come."""


class Stream(Protocol):
    """Two ordered flows of bytes. One task may send while another receives, but only one of each at a time."""

    @property
    def remote(self) -> str:
        """Who is at the other end, as well as the transport knows: an IP address, or a public key."""
        ...

    async def send(self, data: bytes) -> None:
        """Hand the bytes over; waits while too many are under way. Raises StreamBroken."""
        ...

    async def receive(self, limit: int) -> bytes:
        """Give 1 to `limit` bytes as soon as there are any, b"" after the last. Raises StreamBroken."""
        ...

    async def aclose(self) -> None:
        """End both flows; what was sent is still delivered if the other side reads. Never raises; may be called again."""
        ...

    def abort(self) -> None:
        """Drop the stream with everything that is under way: nobody waits for a peer that does not read."""
        ...


Handler = Callable[[Stream], Awaitable[None]]
"""Serves one stream, which is closed when it returns, raises or is cancelled."""


class Listener(Protocol):
    """An open door."""

    @property
    def address(self) -> str:
        """Where others can dial it."""
        ...

    async def aclose(self) -> None:
        """Let nobody in any more, and end the streams that are being served."""
        ...


class Transport(Protocol):
    """A way to reach others."""

    @property
    def scheme(self) -> str:
        """What its addresses begin with, without `://`."""
        ...

    async def listen(self, handler: Handler) -> Listener:
        """Serve everybody who dials. Raises TransportError where the place is taken."""
        ...

    async def dial(self, address: str) -> Stream:
        """Open a stream of its own connection. Raises Unreachable, WrongProtocol."""
        ...

    async def aclose(self) -> None:
        """Close what the transport holds beside listeners and streams."""
        ...


def split_scheme(address: str) -> tuple[str, str]:
    """`tcp://host:1` -> ("tcp", "host:1"). Raises TransportError."""
    scheme, separator, rest = address.partition("://")
    if not separator or not scheme or not rest:
        raise TransportError(f"{address!r} is not an address. It looks like tcp://host:port.")
    return scheme, rest


def split_host(address: str) -> tuple[str, int]:
    """`host:1` or `[::1]:1` -> (host, port). Raises TransportError."""
    host, separator, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not separator or not host or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
        raise TransportError(f"{address!r} names no host and port. It looks like host:4000 or [::1]:4000.")
    return host, int(port)


def join_host(host: str, port: int) -> str:
    """(host, port) -> `host:1` or `[::1]:1`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def receive_exactly(stream: Stream, size: int) -> bytes:
    """Give exactly `size` bytes. Raises StreamBroken if the stream ends before."""
    parts: list[bytes] = []
    missing = size
    while missing:
        part = await stream.receive(missing)
        if not part:
            raise StreamBroken(
                f"{stream.remote} ended the stream {missing:,} bytes before the end of what it was sending."
            )
        parts.append(part)
        missing -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def finish(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait until they are gone, whatever they end with."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
