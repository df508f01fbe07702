"""TCP: one connection is one stream. The bytes are not encrypted; a blob's id proves it whatever carried it.

Each side begins with a preamble, its protocol's name and version in a line. So a browser, another service or another version
is told apart at once, on both sides.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket

from quiltwork.blobs.transport import (
    CONNECT_S,
    PROTOCOL_BYTES,
    RECEIVE_BYTES,
    SEND_BYTES,
    Handler,
    StreamBroken,
    TransportError,
    Unreachable,
    WrongProtocol,
    finish,
    join_host,
    split_host,
    split_scheme,
)

KEEP_ALIVE_S, KEEP_ALIVE_EVERY_S, KEEP_ALIVE_PROBES = 30, 10, 3
"""A peer whose machine died without a word is noticed in a minute."""

STREAMS = 1_024
"""Streams a listener serves at once: half of the 2,048 open files that a process has at least on the systems we know."""


class TcpStream:
    """See Stream. `remote` is the peer's IP address, which behind a NAT is many people's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        _tune(writer)
        peer = writer.get_extra_info("peername")
        self.remote = str(peer[0]) if peer else "somebody who has left"

    async def send(self, data: bytes) -> None:
        """See Stream."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except (OSError, RuntimeError) as error:  # RuntimeError: written to after the transport was closed
            raise StreamBroken(f"{self.remote} does not take what is sent to it: {error}.") from error

    async def receive(self, limit: int) -> bytes:
        """See Stream."""
        try:
            return await self._reader.read(limit)
        except OSError as error:
            raise StreamBroken(f"The connection with {self.remote} broke: {error}.") from error

    async def aclose(self) -> None:
        """See Stream."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    def abort(self) -> None:
        """See Stream."""
        self._writer.transport.abort()


class TcpTransport:
    """See Transport.

    `host` and `port` are where it listens (port 0: any free one), `advertise` the host that others should dial if that is
    another one. `congestion` names the kernel's congestion control for what this side sends, such as "bbr", which does not
    take every lost packet for a full link; None leaves the system's choice. Asking for one that this kernel does not offer is
    a TransportError, not a slower link.
    """

    scheme = "tcp"

    def __init__(
        self,
        protocol: str,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        advertise: str | None = None,
        congestion: str | None = None,
        connect_s: float = CONNECT_S,
    ) -> None:
        self._preamble = protocol.encode("ascii") + b"\n"
        assert len(self._preamble) <= PROTOCOL_BYTES
        self._host, self._port, self._advertise = host, port, advertise
        self._congestion, self._connect_s = congestion, connect_s

    async def listen(self, handler: Handler) -> TcpListener:
        """See Transport."""
        listener = TcpListener(handler, self._preamble, self._connect_s, self._congestion)
        await listener.open(self._host, self._port, self._advertise)
        return listener

    async def dial(self, address: str) -> TcpStream:
        """See Transport."""
        _, place = split_scheme(address)
        host, port = split_host(place)
        try:
            async with asyncio.timeout(self._connect_s):
                reader, writer = await asyncio.open_connection(host, port, limit=RECEIVE_BYTES)
                try:
                    _choose(writer, self._congestion)
                    stream = TcpStream(reader, writer)
                    await stream.send(self._preamble)
                    await _expect(reader, self._preamble, address)
                except BaseException:  # a cancellation, too: nobody else has this connection
                    writer.transport.abort()
                    raise
        except TimeoutError:
            raise Unreachable(f"{address} did not answer within {self._connect_s:g} s.") from None
        except StreamBroken as error:
            raise Unreachable(f"{address} ended the connection at once: {error}") from error
        except OSError as error:
            raise Unreachable(f"Cannot reach {address}: {error.strerror or error}.") from error
        return stream

    async def aclose(self) -> None:
        """See Transport."""


class TcpListener:
    """See Listener."""

    address: str

    def __init__(self, handler: Handler, preamble: bytes, patience_s: float, congestion: str | None) -> None:
        self._handler, self._preamble, self._patience_s, self._congestion = handler, preamble, patience_s, congestion
        self._serving: set[asyncio.Task[None]] = set()

    async def open(self, host: str, port: int, advertise: str | None) -> None:
        """Bind. Raises TransportError."""
        try:
            self._server = await asyncio.start_server(self._accept, host, port, limit=RECEIVE_BYTES)
        except OSError as error:
            raise TransportError(f"Cannot listen on {join_host(host, port)}: {error.strerror or error}.") from error
        self.address = f"tcp://{join_host(advertise or host, self._server.sockets[0].getsockname()[1])}"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._serving) >= STREAMS:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        stream = TcpStream(reader, writer)
        try:
            _choose(writer, self._congestion)
            async with asyncio.timeout(self._patience_s):
                await stream.send(self._preamble)
                await _expect(reader, self._preamble, stream.remote)
            await self._handler(stream)
            await stream.aclose()
        except (TransportError, TimeoutError, asyncio.CancelledError):
            # asyncio's server would print a cancelled handler as a failure; who cancels waits in `aclose` of the listener
            pass
        finally:
            stream.abort()
            self._serving.discard(task)

    async def aclose(self) -> None:
        """See Listener."""
        self._server.close()
        await finish(self._serving.copy())
        await self._server.wait_closed()


async def _expect(reader: asyncio.StreamReader, preamble: bytes, who: str) -> None:
    try:
        said = await reader.readexactly(len(preamble))
    except asyncio.IncompleteReadError as error:
        if not preamble.startswith(error.partial):
            said = error.partial
        else:
            raise StreamBroken(f"{who} hung up before it said what it speaks.") from None
    except OSError as error:
        raise StreamBroken(f"{who} was cut off before it said what it speaks: {error.strerror or error}.") from error
    if said != preamble:
        theirs, ours = said.split(b"\n")[0].decode("ascii", "replace"), preamble.decode("ascii").strip()
        raise WrongProtocol(f"{who} speaks {theirs!r}, not {ours!r}. Is it another program, or another version?")


def _tune(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", KEEP_ALIVE_S),
        ("TCP_KEEPINTVL", KEEP_ALIVE_EVERY_S),
        ("TCP_KEEPCNT", KEEP_ALIVE_PROBES),
    ):
        if hasattr(socket, option):  # named otherwise, or missing, on some systems
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    writer.transport.set_write_buffer_limits(high=SEND_BYTES)


def _choose(writer: asyncio.StreamWriter, congestion: str | None) -> None:
    if congestion is None:
        return
    connection: socket.socket = writer.get_extra_info("socket")
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, congestion.encode("ascii"))
    except (OSError, AttributeError) as error:
        raise TransportError(
            f"This system does not let us use the congestion control {congestion!r}. "
            "What it offers is in /proc/sys/net/ipv4/tcp_allowed_congestion_control."
        ) from error
