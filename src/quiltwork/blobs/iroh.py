"""QUIC by way of the `iroh` package (the extra `p2p`): encrypted, and whom we dial is proved by his public key.

One stream is one connection of its own: QUIC's congestion control works by connection, and so does striping. No relay and no
name server of anybody's is asked unless the caller names one. `iroh` is imported when the first transport is made.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import warnings
from collections.abc import AsyncIterator
from typing import Any

from quiltwork.blobs.transport import (
    CONNECT_S,
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

HELLO = b"\0"
"""QUIC tells the listener of a stream only when something is sent on it."""

LINGER_S = 5.0
"""How long closing waits for what was sent to arrive."""

STREAMS = 1_024
"""Streams a listener serves at once, as with TCP."""


class IrohTransport:
    """See Transport. One endpoint (one UDP socket) listens and dials.

    `seed` is the 32-byte seed of the Ed25519 identity that others see; None makes a new one. `advertise` is the host that
    others should dial if it is not the one that we listen on. `relays` are URLs of relays to be found through; without
    any, only the addresses in an `iroh://` address are tried.
    """

    scheme = "iroh"

    def __init__(
        self,
        protocol: str,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        advertise: str | None = None,
        seed: bytes | None = None,
        relays: tuple[str, ...] = (),
        connect_s: float = CONNECT_S,
    ) -> None:
        self._iroh = _import()
        self._protocol = protocol.encode("ascii")
        self._host, self._port, self._advertise = host, port, advertise
        self._seed, self._relays, self._connect_s = seed, relays, connect_s
        self._endpoint: Any = None
        self._opening = asyncio.Lock()

    async def listen(self, handler: Handler) -> IrohListener:
        """See Transport."""
        endpoint = await self._open()
        places = []
        for direct in endpoint.addr().direct_addresses():
            host, port = split_host(direct)
            places.append(join_host(self._advertise or host, port))
        address = f"iroh://{endpoint.id()}@{','.join(dict.fromkeys(places))}"
        return IrohListener(endpoint, handler, address, self._connect_s)

    async def dial(self, address: str) -> IrohStream:
        """See Transport."""
        target = self._target(address)
        endpoint = await self._open()
        try:
            async with asyncio.timeout(self._connect_s):
                connection = await endpoint.connect(target, self._protocol)
                try:
                    stream = IrohStream(connection, await connection.open_bi(), LINGER_S)
                    await stream.send(HELLO)
                except BaseException:  # a cancellation, too: nobody else has this connection
                    connection.close(0, b"")
                    raise
        except TimeoutError:
            raise Unreachable(f"{address} did not answer within {self._connect_s:g} s.") from None
        except self._iroh.IrohError as error:
            why = _reason(error)
            if "known protocol" in why:
                raise WrongProtocol(
                    f"{address} does not speak {self._protocol.decode()!r}. Is it another version?"
                ) from None
            raise Unreachable(f"Cannot reach {address}: {why}.") from error
        return stream

    async def aclose(self) -> None:
        """See Transport."""
        if self._endpoint is not None:
            await self._endpoint.close()

    def _target(self, address: str) -> Any:
        _, rest = split_scheme(address)
        key, _, places = rest.partition("@")
        for place in filter(None, places.split(",")):
            split_host(place)
        try:
            return self._iroh.EndpointAddr(
                self._iroh.EndpointId.from_string(key), None, [place for place in places.split(",") if place]
            )
        except self._iroh.IrohError as error:
            raise TransportError(
                f"{address!r} is not an address. It looks like iroh://ENDPOINT-ID@host:port, with an id of 64 digits."
            ) from error

    async def _open(self) -> Any:
        iroh = self._iroh
        async with self._opening:
            if self._endpoint is None:
                mode = (
                    iroh.RelayMode.custom_from_urls(list(self._relays)) if self._relays else iroh.RelayMode.disabled()
                )
                options = iroh.EndpointOptions(
                    preset=iroh.preset_minimal(),
                    bind_addr=join_host(self._host, self._port),
                    alpns=[self._protocol],
                    relay_mode=mode,
                    **({"secret_key": self._seed} if self._seed is not None else {}),
                )
                try:
                    self._endpoint = await iroh.Endpoint.bind(options)
                except iroh.IrohError as error:
                    raise TransportError(
                        f"Cannot use {join_host(self._host, self._port)} for iroh: {_reason(error)}."
                    ) from error
        return self._endpoint


class IrohStream:
    """See Stream. `remote` is the peer's public key in hexadecimal digits, proved by the handshake."""

    def __init__(self, connection: Any, stream: Any, linger_s: float) -> None:
        self._connection, self._out, self._in = connection, stream.send(), stream.recv()
        self._linger_s = linger_s
        self._closed = False
        self.remote = str(connection.remote_id())

    async def send(self, data: bytes) -> None:
        """See Stream."""
        if self._closed:
            raise StreamBroken(f"The stream to {self.remote} is closed.")
        async with _breaks(self.remote):
            for start in range(0, len(data), SEND_BYTES):
                await self._out.write_all(data[start : start + SEND_BYTES])

    async def receive(self, limit: int) -> bytes:
        """See Stream."""
        async with _breaks(self.remote):
            return bytes(await self._in.read(limit))

    async def aclose(self) -> None:
        """See Stream."""
        if self._closed:
            return
        self._closed = True
        try:
            with contextlib.suppress(TransportError, TimeoutError):
                async with _breaks(self.remote), asyncio.timeout(self._linger_s):
                    await self._out.finish()
                    await self._out.stopped()
        finally:
            self._connection.close(0, b"")

    def abort(self) -> None:
        """See Stream."""
        self._closed = True
        self._connection.close(0, b"")


class IrohListener:
    """See Listener."""

    def __init__(self, endpoint: Any, handler: Handler, address: str, patience_s: float) -> None:
        self.address = address
        self._endpoint, self._handler, self._patience_s = endpoint, handler, patience_s
        self._serving: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.create_task(self._accept())

    async def _accept(self) -> None:
        while (incoming := await self._endpoint.accept_next()) is not None:
            if len(self._serving) >= STREAMS:
                await incoming.refuse()
                continue
            task = asyncio.create_task(self._serve(incoming))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)

    async def _serve(self, incoming: Any) -> None:
        connection = None
        try:
            async with _breaks("A caller"), asyncio.timeout(self._patience_s):
                connection = await (await incoming.accept()).connect()
                stream = IrohStream(connection, await connection.accept_bi(), LINGER_S)
                await stream.receive(len(HELLO))
            await self._handler(stream)
            await stream.aclose()
        except (TransportError, TimeoutError):
            pass
        finally:
            if connection is not None:
                connection.close(0, b"")

    async def aclose(self) -> None:
        """See Listener."""
        await finish({self._accepting} | self._serving)


@contextlib.asynccontextmanager
async def _breaks(remote: str) -> AsyncIterator[None]:
    iroh: Any = importlib.import_module("iroh")  # its own stubs do not name what it exports
    try:
        yield
    except iroh.IrohError as error:
        raise StreamBroken(f"The connection with {remote} broke: {_reason(error)}.") from error


def _import() -> Any:
    try:
        import iroh

        from quiltwork.blobs.iroh_copy import mend
    except ImportError as error:
        raise TransportError(
            "Addresses that begin with iroh:// need the package iroh: pip install 'quiltwork[p2p]'."
        ) from error
    if (reason := mend()) is not None:
        warnings.warn(f"iroh will send a few MB/s only: {reason}.", RuntimeWarning, stacklevel=3)
    return iroh


def _reason(error: Any) -> str:
    """The cause at the end of what iroh says, without the places in its source."""
    return str(error.message()).strip().splitlines()[-1].strip().rstrip(".")
