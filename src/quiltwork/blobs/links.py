"""A fetcher's side of one connection to a holder: over a stream of any transport, or HTTP to a relay."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from quiltwork.blobs.transport import Stream, StreamBroken, Transport, TransportError, receive_exactly, split_scheme
from quiltwork.blobs.tree import CHUNK_BYTES
from quiltwork.blobs.wire import OUTLINE, REPLY_BYTES, Request, Status, WireError, decode_reply, encode_request

IDLE_LINKS = 64
"""Connections kept for the next fetch: the next round asks the same members."""

IDLE_LINK_S = 60.0
"""Half of what a holder waits for before it hangs up."""

HTTP_READ_S = 30.0
"""A relay that sends nothing for so long has broken off."""


class Link(Protocol):
    """Requests go out in order, and answers come in that order."""

    pipelines: bool
    """Whether requests may be added while answers are coming. Otherwise they are asked for in runs, one run after another."""

    used: bool
    """Whether an earlier fetch has used it, so that it may have ended since without anybody's fault."""

    async def ask(self, requests: Sequence[Request]) -> None:
        """Send requests. Raises TransportError."""
        ...

    async def answer(self) -> tuple[Status, bytes]:
        """Give the answer to the oldest request. Raises WireError for what breaks the protocol, else TransportError."""
        ...

    async def aclose(self) -> None:
        """Hang up, with everything that is under way. Never raises."""
        ...


class StreamLink:
    """See Link. Over a stream; it can be used by one fetch after another."""

    pipelines = True

    def __init__(self, stream: Stream) -> None:
        self.used = False
        self._stream = stream
        self._asked: deque[Request] = deque()

    @property
    def clean(self) -> bool:
        """Whether all has been answered, so that the next fetch can use it."""
        return not self._asked

    async def ask(self, requests: Sequence[Request]) -> None:
        """See Link."""
        self._asked.extend(requests)
        await self._stream.send(b"".join(map(encode_request, requests)))

    async def answer(self) -> tuple[Status, bytes]:
        """See Link."""
        head = await receive_exactly(self._stream, REPLY_BYTES)
        status, length = decode_reply(head, self._asked[0])
        body = await receive_exactly(self._stream, length) if length else b""
        self._asked.popleft()
        return status, body

    async def aclose(self) -> None:
        """See Link."""
        if self.clean:
            await self._stream.aclose()
        else:
            self._stream.abort()


class HttpLink:
    """See Link. Over HTTP, to the routes of `server.py`: a run of neighbouring chunks is one request with a Range."""

    pipelines = False
    used = False

    def __init__(self, client: Any, address: str, token: str | None = None) -> None:
        self._client, self._address = client, address.rstrip("/")
        self._headers = {} if token is None else {"authorization": f"Bearer {token}"}
        self._asked: deque[Request] = deque()
        self._response: Any = None
        self._bytes: Any = None
        self._left = 0
        self._spare = b""

    async def ask(self, requests: Sequence[Request]) -> None:
        """See Link."""
        self._asked.extend(requests)

    async def answer(self) -> tuple[Status, bytes]:
        """See Link."""
        import httpx

        request = self._asked.popleft()
        try:
            if self._left == 0:
                status = await self._open(request)
                if status is not Status.HERE:
                    return status, b""
            body = await self._read(request.answer_bytes)
        except httpx.HTTPError as error:
            raise StreamBroken(f"{self._address} broke off: {error or type(error).__name__}.") from error
        self._left -= 1
        if self._left == 0:
            await self._close_response()
        return Status.HERE, body

    async def aclose(self) -> None:
        """See Link."""
        await self._close_response()

    async def _open(self, request: Request) -> Status:
        """Ask for this chunk and those asked for after it, as far as they are neighbours."""
        url, headers = f"{self._address}/{request.id}", self._headers.copy()
        self._left = 1
        whole = request.answer_bytes
        if request.index == OUTLINE:
            url += "/outline"
        else:
            while self._left <= len(self._asked) and self._asked[self._left - 1].index == request.index + self._left:
                whole += self._asked[self._left - 1].answer_bytes
                self._left += 1
            start = request.index * CHUNK_BYTES
            if request.size:
                headers["range"] = f"bytes={start}-{start + whole - 1}"
        self._response = await self._client.send(self._client.build_request("GET", url, headers=headers), stream=True)
        status = self._status(request, whole)
        if status is not Status.HERE:
            self._left = 0
            await self._close_response()
            return status
        self._bytes = self._response.aiter_raw(CHUNK_BYTES)
        self._spare = b""
        return status

    def _status(self, request: Request, whole: int) -> Status:
        code, headers = self._response.status_code, self._response.headers
        known = {401: Status.REFUSED, 403: Status.REFUSED, 404: Status.MISSING, 416: Status.OTHER_SIZE}
        if code in known:
            return known[code]
        if code in (429, 503):
            return Status.BUSY
        if code not in (200, 206):
            raise StreamBroken(f"{self._address} answered with the status {code}.")
        if code == 206 and not headers.get("content-range", "").endswith(f"/{request.size}"):
            return Status.OTHER_SIZE
        if headers.get("content-length") != str(whole):
            if request.index != OUTLINE and code == 206:
                raise WireError(f"a part of {headers.get('content-length')} bytes where {whole:,} were due")
            return Status.OTHER_SIZE
        return Status.HERE

    async def _read(self, size: int) -> bytes:
        parts, missing = [], size
        while missing:
            piece = self._spare or await anext(self._bytes, b"")
            if not piece:
                raise StreamBroken(f"{self._address} ended its answer too early.")
            parts.append(piece[:missing])
            self._spare = piece[missing:]
            missing -= len(parts[-1])
        return b"".join(parts)

    async def _close_response(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            await response.aclose()


class Links:
    """Opens connections to holders, and keeps those that can be used again.

    `tokens` are what relays want to see, by their address; nobody else is shown them.
    """

    def __init__(self, transports: Sequence[Transport], tokens: Mapping[str, str] | None = None) -> None:
        self._transports = {transport.scheme: transport for transport in transports}
        self._idle: dict[str, list[tuple[float, StreamLink]]] = {}
        self._tokens = dict(tokens or {})
        self._client: Any = None

    async def open(self, address: str) -> Link:
        """A connection to a holder. Raises TransportError."""
        scheme, _ = split_scheme(address)
        if scheme in ("http", "https"):
            return HttpLink(self._http(), address, self._tokens.get(address))
        idle = self._idle.get(address, [])
        while idle:
            since, link = idle.pop()
            if time.monotonic() - since < IDLE_LINK_S:
                return link
            await link.aclose()
        transport = self._transports.get(scheme)
        if transport is None:
            spoken = ", ".join(sorted([*self._transports, "http", "https"]))
            raise TransportError(f"Nothing here speaks {scheme}:// (asked for {address}). There are: {spoken}.")
        return StreamLink(await transport.dial(address))

    async def give_back(self, address: str, link: Link) -> None:
        """Keep the connection if it is fit for another fetch, or hang up."""
        if isinstance(link, StreamLink) and link.clean and sum(map(len, self._idle.values())) < IDLE_LINKS:
            link.used = True
            self._idle.setdefault(address, []).append((time.monotonic(), link))
        else:
            await link.aclose()

    async def aclose(self) -> None:
        """Hang up everywhere."""
        links = [link for idle in self._idle.values() for _, link in idle]
        self._idle.clear()
        await asyncio.gather(*(link.aclose() for link in links))
        if self._client is not None:
            await self._client.aclose()

    def _http(self) -> Any:
        if self._client is None:
            import httpx

            self._client = httpx.AsyncClient(
                trust_env=False,
                headers={"accept-encoding": "identity"},
                timeout=httpx.Timeout(HTTP_READ_S, connect=10.0),
                limits=httpx.Limits(max_connections=64, max_keepalive_connections=32),
                follow_redirects=False,
            )
        return self._client
