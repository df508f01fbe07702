"""Streams inside one process: for tests and for members that share a machine's memory."""

from __future__ import annotations

import asyncio
from collections import deque

from quiltwork.blobs.transport import (
    CONNECT_S,
    SEND_BYTES,
    Handler,
    StreamBroken,
    TransportError,
    Unreachable,
    WrongProtocol,
    finish,
    split_scheme,
)


class Loopback:
    """The place where transports of one process find each other, by name."""

    def __init__(self) -> None:
        self.listeners: dict[str, LoopbackListener] = {}


class LoopbackTransport:
    """See Transport. It listens at `memory://name`."""

    scheme = "memory"

    def __init__(self, protocol: str, network: Loopback, name: str, *, connect_s: float = CONNECT_S) -> None:
        self._protocol, self._network, self._name = protocol, network, name
        self._connect_s = connect_s

    async def listen(self, handler: Handler) -> LoopbackListener:
        """See Transport."""
        if self._name in self._network.listeners:
            raise TransportError(f"Somebody listens at memory://{self._name} already.")
        listener = LoopbackListener(self._protocol, self._network, self._name, handler)
        self._network.listeners[self._name] = listener
        return listener

    async def dial(self, address: str) -> LoopbackStream:
        """See Transport."""
        listener = self._network.listeners.get(split_scheme(address)[1])
        if listener is None:
            raise Unreachable(f"Nobody listens at {address}.")
        if listener.protocol != self._protocol:
            raise WrongProtocol(f"{address} speaks {listener.protocol!r}, not {self._protocol!r}.")
        there, back = _Pipe(), _Pipe()
        listener.serve(LoopbackStream(self._name, there, back))
        return LoopbackStream(listener.name, back, there)

    async def aclose(self) -> None:
        """See Transport."""


class LoopbackListener:
    """See Listener."""

    def __init__(self, protocol: str, network: Loopback, name: str, handler: Handler) -> None:
        self.protocol, self.name, self.address = protocol, name, f"memory://{name}"
        self._network, self._handler = network, handler
        self._serving: set[asyncio.Task[None]] = set()

    def serve(self, stream: LoopbackStream) -> None:
        """Give the stream to the handler, in a task of its own."""
        task = asyncio.create_task(self._serve(stream))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, stream: LoopbackStream) -> None:
        try:
            await self._handler(stream)
        except TransportError:
            pass
        finally:
            await stream.aclose()

    async def aclose(self) -> None:
        """See Listener."""
        self._network.listeners.pop(self.name, None)
        await finish(self._serving.copy())


class LoopbackStream:
    """See Stream. `remote` is the other's name."""

    def __init__(self, remote: str, incoming: _Pipe, outgoing: _Pipe) -> None:
        self.remote = remote
        self._incoming, self._outgoing = incoming, outgoing

    async def send(self, data: bytes) -> None:
        """See Stream."""
        await self._outgoing.write(bytes(data), self.remote)

    async def receive(self, limit: int) -> bytes:
        """See Stream."""
        return await self._incoming.read(limit)

    async def aclose(self) -> None:
        """See Stream."""
        self.abort()

    def abort(self) -> None:
        """See Stream."""
        self._outgoing.end()
        self._incoming.abandon()


class _Pipe:
    """A bounded flow of bytes from one task to another."""

    def __init__(self) -> None:
        self._parts: deque[bytes] = deque()
        self._bytes = 0
        self._ended = self._abandoned = False
        self._changed = asyncio.Event()

    async def write(self, data: bytes, reader: str) -> None:
        while self._bytes >= SEND_BYTES and not self._abandoned:
            await self._change()
        if self._abandoned or self._ended:
            raise StreamBroken(f"{reader} does not take what is sent to it: it has closed the stream.")
        if data:
            self._parts.append(data)
            self._bytes += len(data)
            self._changed.set()

    async def read(self, limit: int) -> bytes:
        while not self._parts and not self._ended and not self._abandoned:
            await self._change()
        if not self._parts or self._abandoned:
            return b""
        part = self._parts.popleft()
        if len(part) > limit:
            self._parts.appendleft(part[limit:])
            part = part[:limit]
        self._bytes -= len(part)
        self._changed.set()
        return part

    def end(self) -> None:
        self._ended = True
        self._changed.set()

    def abandon(self) -> None:
        self._abandoned = True
        self._changed.set()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()
