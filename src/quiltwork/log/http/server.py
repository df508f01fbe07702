"""A log for others to use over HTTP: an ASGI application, or routes to mount into one. `docs/log.md` has every route.

    routes = log_routes(log, Tokens({secret: {Right.READ, Right.SPEAK}}), sequencer=Sequencer(log, identity))
    app = Starlette(routes=[Mount("/log", routes=routes)])

What comes in is checked here before anything else sees it: the version, the token, its rights, sizes and rates.
"""

from __future__ import annotations

import base64
import logging
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar

import anyio
import msgspec
from anyio import CapacityLimiter, to_thread
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Message, Receive, Scope, Send

from quiltwork.errors import UserError
from quiltwork.log.entry import MAX_INTEGER, Entry
from quiltwork.log.http import wire
from quiltwork.log.http.rate import DEFAULT_LIMITS, Limits, Meter
from quiltwork.log.http.tide import Tide
from quiltwork.log.http.tokens import Grant, Right, Tokens
from quiltwork.log.http.wire import Append, Page, Statements, Trouble
from quiltwork.log.protocol import Broken, Conflict, Log, LogCorrupt, LogUnavailable
from quiltwork.log.sequencer import Sequencer, SequencerBusy
from quiltwork.log.statement import Statement

BODY_PATIENCE_S = 30.0
SLOWEST_BYTES_PER_S = 16 << 10
"""How long a request's body may take: so long, and so long for its size. Who is slower holds a connection for nothing."""

SEND_PATIENCE_S = 60.0
"""For a follower to take an event: one that does not is gone or means harm."""

PING_S = 15
"""How often a follower hears that the connection lives, when there is no news."""

BUSY_WAIT_S = 1.0
"""When to come back if too many wait: it takes about so long to append them."""

THREADS = 64
"""Requests that read or append at the same time. All who submit meanwhile share the next append."""

_STATUS = {
    "version": HTTPStatus.BAD_REQUEST,
    "malformed": HTTPStatus.BAD_REQUEST,
    "refused": HTTPStatus.BAD_REQUEST,
    "unauthorized": HTTPStatus.UNAUTHORIZED,
    "forbidden": HTTPStatus.FORBIDDEN,
    "no-statements": HTTPStatus.NOT_FOUND,
    "slow": HTTPStatus.REQUEST_TIMEOUT,
    "conflict": HTTPStatus.CONFLICT,
    "no-length": HTTPStatus.LENGTH_REQUIRED,
    "too-large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "broken": HTTPStatus.UNPROCESSABLE_ENTITY,
    "slow-down": HTTPStatus.TOO_MANY_REQUESTS,
    "busy": HTTPStatus.TOO_MANY_REQUESTS,
    "corrupt": HTTPStatus.INTERNAL_SERVER_ERROR,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
}

_LOGGER = logging.getLogger(__name__)

T = TypeVar("T")
Handler = Callable[[Request, Grant], Awaitable[Response]]


def log_routes(
    log: Log,
    tokens: Tokens,
    *,
    sequencer: Sequencer | None = None,
    limits: Limits = DEFAULT_LIMITS,
    clock: Callable[[], int] = time.time_ns,
) -> list[BaseRoute]:
    """Give the routes that serve `log`: `head`, `entries`, `statements` and `follow`, below where they are mounted.

    Without a `sequencer`, which must be one of the same log, statements are refused.
    """
    server = _Server(log, tokens, sequencer, limits, clock)
    return [
        Route("/head", server.guarded(Right.READ, server.head), methods=["GET"]),
        Route("/entries", server.guarded(Right.READ, server.entries), methods=["GET"]),
        Route("/entries", server.guarded(Right.WRITE, server.append), methods=["POST"]),
        Route("/statements", server.guarded(Right.SPEAK, server.submit), methods=["POST"]),
        Route("/follow", server.guarded(Right.READ, server.follow), methods=["GET"]),
    ]


def log_app(
    log: Log, tokens: Tokens, *, sequencer: Sequencer | None = None, limits: Limits = DEFAULT_LIMITS
) -> Starlette:
    """Give an application that serves nothing but `log`."""
    return Starlette(routes=log_routes(log, tokens, sequencer=sequencer, limits=limits))


class _Stop(Exception):
    """The request ends here."""

    def __init__(self, code: str, why: str, **more: Any) -> None:
        super().__init__(why)
        self.trouble = Trouble(code, why, **more)


class _Events(EventSourceResponse):
    """A stream that ends in good order when the server ends, and without a word when its reader takes no more.

    `ended` is called either way.
    """

    def __init__(self, events: AsyncIterator[ServerSentEvent], ended: Callable[[], None]) -> None:
        super().__init__(events, ping=PING_S, send_timeout=SEND_PATIENCE_S, sep="\n")
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        over = False

        async def watched(message: Message) -> None:
            nonlocal over
            over = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        try:
            with suppress(SendTimeoutError):
                await super().__call__(scope, receive, watched)
                if not over:  # it was cut off, since the server ends
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._ended()


class _Server:
    """All that the routes share. Everything but the log itself is touched from the event loop only."""

    def __init__(
        self, log: Log, tokens: Tokens, sequencer: Sequencer | None, limits: Limits, clock: Callable[[], int]
    ) -> None:
        self._log = log
        self._tokens = tokens
        self._sequencer = sequencer
        self._limits = limits
        self._clock = clock
        self._by_token = Meter(limits.token_requests, limits.token_bytes)
        self._by_author = Meter(limits.author_statements, limits.author_bytes)
        self._followers: Counter[bytes] = Counter()
        self._tide = Tide(lambda: log.head().length)
        self._threads = CapacityLimiter(THREADS)

    def guarded(self, right: Right, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """Let a handler see only requests that may be, and turn what it raises into answers."""

        async def endpoint(request: Request) -> Response:
            try:
                response = await handler(request, self._admit(request, right))
            except _Stop as stop:
                response = _answer(stop.trouble)
            except ClientDisconnect:
                response = Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody is there to read it
            except UserError as error:
                response = _answer(_trouble(error))
            response.headers[wire.PROTOCOL_HEADER] = str(wire.PROTOCOL)
            response.headers[wire.TIME_HEADER] = str(self._clock())
            response.headers["Cache-Control"] = "no-store"
            return response

        return endpoint

    async def head(self, request: Request, caller: Grant) -> Response:
        """`GET head`: the log's head."""
        return _packed(tuple(await self._in_thread(self._log.head)))

    async def entries(self, request: Request, caller: Grant) -> Response:
        """`GET entries?start=&stop=`: a page."""
        start, stop = _number(request, "start", 0), _number(request, "stop", MAX_INTEGER)
        response = _packed(await self._in_thread(self._page, start, stop, wire.PAGE_BYTES))
        self._by_token.take(caller.name, 0, len(response.body), time.monotonic())
        return response

    async def append(self, request: Request, caller: Grant) -> Response:
        """`POST entries`: compare and append."""
        asked = _unpacked(await self._body(request, caller, wire.MAX_REQUEST_BYTES), Append)
        if len(asked.entries) > wire.MAX_APPEND_ENTRIES:
            raise _Stop("too-large", f"At most {wire.MAX_APPEND_ENTRIES} entries may be appended at once.")
        head = await self._in_thread(self._log.append, asked.entries, asked.expect)
        self._tide.nudge()
        return _packed(tuple(head))

    async def submit(self, request: Request, caller: Grant) -> Response:
        """`POST statements`: let the sequencer place them."""
        sequencer = self._sequencer
        if sequencer is None:
            raise _Stop("no-statements", "This log takes no statements: nobody here puts them in order.")
        statements = _unpacked(await self._body(request, caller, wire.MAX_SUBMIT_BYTES), Statements)
        if len(statements) > wire.MAX_SUBMIT_STATEMENTS:
            raise _Stop("too-large", f"At most {wire.MAX_SUBMIT_STATEMENTS} statements may be submitted at once.")
        self._by_token.take(caller.name, len(statements), 0, time.monotonic())
        checked = await self._in_thread(sequencer.check, statements)
        # Only now is it certain whose they are: a forger cannot use up what somebody else is allowed.
        self._charge_authors([each for each in checked if isinstance(each, Statement)])
        receipt = await self._in_thread(sequencer.order, checked)
        self._tide.nudge()
        return _packed(receipt)

    async def follow(self, request: Request, caller: Grant) -> Response:
        """`GET follow?start=`: server-sent events with what is there from `start` on, and what comes."""
        if self._followers[caller.name] >= self._limits.followers_per_token:
            raise _Stop(
                "slow-down",
                f"This token has {self._limits.followers_per_token} followers already; let one go.",
                wait_s=BUSY_WAIT_S,
            )
        start = _number(request, "start", 0)
        self._followers.update([caller.name])
        return _Events(self._events(start, caller), partial(self._followers.subtract, [caller.name]))

    async def _events(self, start: int, caller: Grant) -> AsyncIterator[ServerSentEvent]:
        try:
            async with self._tide.watched():
                while True:
                    page = await self._in_thread(self._page, start, MAX_INTEGER, wire.EVENT_BYTES)
                    if not page.entries:
                        await self._tide.beyond(max(start, page.length))
                        continue
                    start = page.entries[-1].seq + 1
                    data = base64.b64encode(wire.encode(page))
                    self._by_token.take(caller.name, 0, len(data), time.monotonic())
                    yield ServerSentEvent(data=data.decode("ascii"), id=str(start))
                    await anyio.sleep(self._by_token.wait_s(caller.name, 0, 0, time.monotonic()))
        except UserError as error:
            yield ServerSentEvent(data=base64.b64encode(wire.encode(_trouble(error))).decode(), event="trouble")

    def _page(self, start: int, stop: int, most_bytes: int) -> Page:
        length = self._log.head().length
        entries: list[Entry] = []
        size = 0
        for entry in self._log.read(start, min(stop, start + wire.PAGE_ENTRIES)):
            entries.append(entry)
            size += len(entry.body)
            if size >= most_bytes:
                break
        return Page(tuple(entries), length)

    def _admit(self, request: Request, right: Right) -> Grant:
        """Tell whose request this is, if it may be made now."""
        version = request.headers.get(wire.PROTOCOL_HEADER, "no")
        if version != str(wire.PROTOCOL):
            raise _Stop(
                "version",
                f"This server speaks version {wire.PROTOCOL} of the log's protocol, the client {version[:20]} version. "
                "Upgrade the older of the two.",
            )
        caller = self._tokens.grant(request.headers.get("authorization", "").removeprefix("Bearer "))
        if caller is None:
            raise _Stop("unauthorized", "This log answers to those who have a token of it; this is none.")
        if right not in caller.rights:
            raise _Stop(
                "forbidden",
                f"This token does not give the right to {right}. Ask whoever serves the log for one that does.",
            )
        self._charge(self._by_token, caller.name, 1, 0, "this token")
        return caller

    def _charge_authors(self, statements: Sequence[Statement]) -> None:
        items: Counter[bytes] = Counter(statement.author for statement in statements)
        now = time.monotonic()
        sizes = {author: sum(len(each.body) for each in statements if each.author == author) for author in items}
        wait = max((self._by_author.wait_s(who, items[who], sizes[who], now) for who in items), default=0.0)
        if wait:
            raise _Stop("slow-down", f"One author says too much at once; wait {wait:.1f} s.", wait_s=wait)
        for who in items:
            self._by_author.take(who, items[who], sizes[who], now)

    def _charge(self, meter: Meter, name: bytes, items: float, size: float, who: str) -> None:
        now = time.monotonic()
        if wait := meter.wait_s(name, items, size, now):
            raise _Stop("slow-down", f"Too much is asked for with {who}; wait {wait:.1f} s.", wait_s=wait)
        meter.take(name, items, size, now)

    async def _body(self, request: Request, caller: Grant, most_bytes: int) -> bytes:
        length = request.headers.get("content-length", "")
        if not length.isascii() or not length.isdigit():
            raise _Stop("no-length", "A request must say how long its body is.")
        if len(length) > len(str(most_bytes)) or int(length) > most_bytes:
            raise _Stop("too-large", f"At most {most_bytes} bytes may be sent at once; send less, in more requests.")
        self._charge(self._by_token, caller.name, 0, int(length), "this token")
        body = bytearray()
        with anyio.move_on_after(BODY_PATIENCE_S + int(length) / SLOWEST_BYTES_PER_S):
            async for piece in request.stream():
                body += piece
                if len(body) > int(length):  # a server under this one may let it pass
                    raise _Stop("malformed", "The body is longer than it was said to be.")
            return bytes(body)
        raise _Stop("slow", "The body came too slowly.")

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        return await to_thread.run_sync(partial(function, *arguments), limiter=self._threads)


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not text.isascii() or not text.isdigit() or len(text) > len(str(MAX_INTEGER)):
        raise _Stop("malformed", f"{name} must be a whole number from 0 to 2^63-1.")
    return min(int(text), MAX_INTEGER)


def _unpacked(raw: bytes, what: type[T]) -> T:
    try:
        return msgspec.msgpack.decode(raw, type=what)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _Stop("malformed", f"The body is not what this route takes: {error}.") from None


def _packed(answer: Any) -> Response:
    return Response(wire.encode(answer), media_type=wire.MEDIA_TYPE)


def _answer(trouble: Trouble) -> Response:
    headers = {"retry-after": str(math.ceil(trouble.wait_s))} if trouble.wait_s else None
    return Response(wire.encode(trouble), _STATUS[trouble.code], headers, wire.MEDIA_TYPE)


def _trouble(error: UserError) -> Trouble:
    match error:
        case Conflict():
            return Trouble("conflict", str(error), found=(error.found.length, error.found.hash))
        case Broken():
            return Trouble("broken", error.why, seq=error.seq)
        case SequencerBusy():
            return Trouble("busy", str(error), wait_s=BUSY_WAIT_S)
    # The rest tells of paths and addresses that are no business of the client's
    _LOGGER.error("%s", error)
    match error:
        case LogUnavailable():
            return Trouble("unavailable", "The server cannot use its log now; whoever runs it is told why.")
        case LogCorrupt():
            return Trouble("corrupt", "The server cannot read its log; whoever runs it is told why.")
    return Trouble(
        "refused", "The place where the server keeps its log does not take this; whoever runs it is told why."
    )
