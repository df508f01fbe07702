"""A model behind an OpenAI-compatible server: retries, rate limits, timeouts, streaming."""

from __future__ import annotations

import asyncio
import os
import random
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import TypeVar

import httpx
import msgspec

from quiltwork.models import wire
from quiltwork.models.base import ModelUnavailable, Reply, Request, RequestRefused
from quiltwork.models.config import ModelConfig
from quiltwork.models.pace import Clock, Pace
from quiltwork.models.places import on_this_machine
from quiltwork.models.prices import cost, price_of
from quiltwork.models.wire import Pieces, Trouble

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
"""Waits between attempts double from the first to the longest; each is shortened by chance, down to half."""

GARBLED_ATTEMPTS = 3
"""A server that answers nonsense so often does not speak the protocol; every such answer may have been paid for."""

CONNECT_S = 15.0

LARGEST_ERROR = 64 * 1024
BYTES_OF_A_TOKEN = 64
"""An answer may take this many bytes for each token asked for, log probabilities and escapes included."""
LARGEST_OVERHEAD = 2**20
BYTES_OF_AN_EVENT = 1_024
"""The same in a stream, which wraps every token in an event of its own."""

Result = TypeVar("Result")


def silent(text: str) -> None:
    """Nobody listens."""


class Server:
    """One model of one server. Serves any number of requests at once from one event loop, `in_flight` of them open.

    `llama` says that it is llama.cpp, which gives as many answers in one call as it has slots (`in_flight`), and counts the
    tokens of the first one only. `heard` is told of every retry: a line of text.
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        llama: bool = False,
        heard: Callable[[str], None] = silent,
        clock: Clock | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._config = config
        self._model = config.id or config.name
        self._llama = llama
        self._heard = heard
        self._clock = clock or Clock()
        self._chance = chance
        self._price = price_of(config)
        self._pace = Pace(config.requests_per_min, config.tokens_per_min, self._clock)
        self._open = asyncio.Semaphore(config.in_flight)
        self._unsupported: frozenset[str] = frozenset()
        self._lines: list[httpx.AsyncClient] = []
        self._idle: list[httpx.AsyncClient] = []
        self._certificates: ssl.SSLContext | bool | None = None

    def __repr__(self) -> str:
        return f"Server({self._config.name!r}, {self._config.url!r})"

    async def ask(self, request: Request) -> Reply:
        """Answer a request. Where it takes several calls to get `n` answers, their seeds follow on."""
        parts = split(request, self._config.in_flight) if self._llama else [request]
        replies = [await self._ask(part) for part in parts]
        return replies[0] if len(replies) == 1 else _joined(replies)

    async def stream(self, request: Request) -> AsyncGenerator[str]:
        """Give the first answer's text piece by piece. It is tried again only until the first piece has come."""
        request = msgspec.structs.replace(request, n=1)
        async with self._open, AsyncExitStack() as line:
            chunks, pieces, first = await self._insist(lambda attempt: self._begin(request, line))
            try:
                for piece in first:
                    yield piece
                while not pieces.ended and (chunk := await anext(chunks, None)) is not None:
                    for piece in pieces.feed(chunk):
                        yield piece
                for piece in pieces.flush():
                    yield piece
            except (httpx.TransportError, Trouble) as error:
                text = wire.redact(f"the stream broke off: {_name(error)}", os.environ.get(self._config.key_env, ""))
                raise ModelUnavailable(self._said(text)) from None

    async def close(self) -> None:
        """Hang up."""
        self._idle.clear()
        while self._lines:
            await self._lines.pop().aclose()

    async def _ask(self, request: Request) -> Reply:
        async with self._open:
            return await self._insist(lambda attempt: self._attempt(request, attempt))

    async def _insist(self, attempt: Callable[[int], Awaitable[Result]]) -> Result:
        """Try until it works, or is known never to work, or patience has run out."""
        failing_since = 0.0
        for number in count(1):
            asked_without = self._unsupported
            try:
                return await attempt(number)
            except Trouble as trouble:
                if self._adapts_to(trouble, asked_without):
                    continue
                failing_since = failing_since or self._clock.now()
                wait = max(trouble.after_s, self._backoff(number))
                hopeless = not trouble.passing or (trouble.garbled and number >= GARBLED_ATTEMPTS)
                late = self._clock.now() - failing_since + wait > self._config.patience_s
                if hopeless or late:
                    gave_up = f" (given up after {number} attempts; patience_s = {self._config.patience_s:g})"
                    text = f"{trouble}{gave_up if trouble.passing else ''}"
                    raise trouble.final(self._said(text)) from None
                self._heard(self._said(f"{trouble}; trying again in {wait:.1f} s"))
                if trouble.after_s:
                    self._pace.pause(trouble.after_s)
            await self._clock.sleep(wait)
        raise AssertionError("count() never ends")

    def _backoff(self, attempt: int) -> float:
        longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(attempt - 1, 16))
        return longest * (0.5 + 0.5 * self._chance())

    def _adapts_to(self, trouble: Trouble, asked_without: frozenset[str]) -> bool:
        """Whether the same question may be put in another way; other requests in flight may have found that out before."""
        name = trouble.unsupported
        if not name or name in asked_without:
            return False
        if name not in self._unsupported:
            instead = f"asked with {wire.ADAPTABLE[name]} instead" if wire.ADAPTABLE[name] else "asked without it"
            self._heard(self._said(f"the model does not take {name}; {instead} from now on"))
        self._unsupported |= {name}
        return True

    async def _attempt(self, request: Request, number: int) -> Reply:
        key = self._key()
        reserved = self._reservation(request)
        await self._pace.enter(reserved)
        used = 0
        began = self._clock.now()
        try:
            async with asyncio.timeout(self._config.timeout_s):
                content = await self._post(request, key)
            reply = wire.read_reply(content, request, key)
            if self._llama:
                reply = _counted_by_length(reply, request.max_tokens)
            used = reply.prompt_tokens + reply.completion_tokens
        except (httpx.TransportError, TimeoutError) as error:
            raise self._transport_trouble(error, key) from None
        finally:
            self._pace.leave(reserved, used)
        return msgspec.structs.replace(
            reply, usd=cost(self._price, reply), wall_s=round(self._clock.now() - began, 3), attempts=number
        )

    async def _post(self, request: Request, key: str) -> bytes:
        async with self._sent(request, key, stream=False) as response:
            if response.status_code != 200:
                raise await _failure(response, key)
            content = bytearray()
            async for chunk in self._bounded(response, _largest(request, BYTES_OF_A_TOKEN)):
                content += chunk
            return bytes(content)

    async def _begin(self, request: Request, line: AsyncExitStack) -> tuple[AsyncIterator[bytes], Pieces, list[str]]:
        """Open a stream, to be closed with `line`, and read as far as its first piece of text."""
        key = self._key()
        await self._pace.enter(self._reservation(request))
        pieces = Pieces(request, key)
        try:
            async with AsyncExitStack() as attempt, asyncio.timeout(self._config.timeout_s):
                response = await attempt.enter_async_context(self._sent(request, key, stream=True))
                if response.status_code != 200:
                    raise await _failure(response, key)
                chunks = self._bounded(response, _largest(request, BYTES_OF_AN_EVENT))
                first: list[str] = []
                while not first and not pieces.ended and (chunk := await anext(chunks, None)) is not None:
                    first = list(pieces.feed(chunk))
                await line.enter_async_context(attempt.pop_all())
                return chunks, pieces, first
        except (httpx.TransportError, TimeoutError) as error:
            raise self._transport_trouble(error, key) from None

    async def _bounded(self, response: httpx.Response, largest: int) -> AsyncIterator[bytes]:
        """An answer's bytes, as long as it is neither too large nor too slow."""
        late = self._clock.now() + self._config.timeout_s
        size = 0
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            if size > largest:
                raise Trouble(f"its answer is larger than {largest / 2**20:.1f} MiB", final=RequestRefused)
            if self._clock.now() > late:
                raise Trouble(f"its answer is not complete after timeout_s = {self._config.timeout_s:g}", passing=True)
            yield chunk

    @asynccontextmanager
    async def _sent(self, request: Request, key: str, *, stream: bool) -> AsyncGenerator[httpx.Response]:
        """Send a request over a line of its own: one pool of many connections looks at all of them for every request."""
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        if key:
            headers["authorization"] = f"Bearer {key}"
        url = self._config.url.rstrip("/") + wire.path(request)
        body = wire.body(request, self._model, stream=stream, unsupported=self._unsupported)
        line = self._idle.pop() if self._idle else self._new_line()
        try:
            async with line.stream("POST", url, content=body, headers=headers) as response:
                yield response
        finally:
            self._idle.append(line)

    def _new_line(self) -> httpx.AsyncClient:
        if self._certificates is None:  # they take 50 ms to load, and plain http needs none
            self._certificates = self._config.url.startswith("https://") and httpx.create_ssl_context()
        line = httpx.AsyncClient(
            timeout=httpx.Timeout(self._config.timeout_s, connect=min(CONNECT_S, self._config.timeout_s)),
            limits=httpx.Limits(max_connections=1),
            verify=self._certificates,
            trust_env=not on_this_machine(self._config.url),  # a proxy does not know our loopback
        )
        self._lines.append(line)
        return line

    def _key(self) -> str:
        """The key as the environment holds it now; nothing where the model needs none."""
        name = self._config.key_env
        if not name:
            return ""
        key = os.environ.get(name, "").strip()
        if not key:
            raise Trouble(f"the environment variable {name} holds no key; set it, or take key_env away")
        if not key.isascii() or not key.isprintable():
            raise Trouble(
                f"the environment variable {name} holds something that is no key: it must be one line of ASCII"
            )
        return key

    def _reservation(self, request: Request) -> int:
        return wire.estimate(wire.prompt_bytes(request)) + request.n * request.max_tokens

    def _transport_trouble(self, error: Exception, key: str) -> Trouble:
        return Trouble(wire.redact(_name(error), key), passing=True)

    def _said(self, text: str) -> str:
        return f"model {self._config.name!r} at {self._config.url}: {text}"


def split(request: Request, most_n: int) -> list[Request]:
    """The calls in which a request is sent to a server that gives at most so many answers at once."""
    return [
        msgspec.structs.replace(request, n=min(most_n, request.n - done), seed=request.seed + done)
        for done in range(0, request.n, most_n)
    ]


def _counted_by_length(reply: Reply, most: int) -> Reply:
    """Estimate what llama.cpp does not count: the answers after the first, by their length beside the first one's."""
    first, *others = (len(text.encode()) for text in reply.texts)
    if not others:
        return reply
    per_byte = reply.completion_tokens / first if first else 1 / wire.BYTES_PER_TOKEN
    tokens = reply.completion_tokens + sum(min(most, round(size * per_byte)) for size in others)
    return msgspec.structs.replace(reply, completion_tokens=tokens, estimated=True)


def _joined(replies: list[Reply]) -> Reply:
    return Reply(
        texts=tuple(text for reply in replies for text in reply.texts),
        finish=tuple(finish for reply in replies for finish in reply.finish),
        prompt_tokens=sum(reply.prompt_tokens for reply in replies),
        completion_tokens=sum(reply.completion_tokens for reply in replies),
        cached_tokens=sum(reply.cached_tokens for reply in replies),
        estimated=any(reply.estimated for reply in replies),
        usd=sum(reply.usd for reply in replies),
        wall_s=sum(reply.wall_s for reply in replies),
        attempts=sum(reply.attempts for reply in replies),
    )


def _largest(request: Request, bytes_of_a_token: int) -> int:
    return LARGEST_OVERHEAD + request.n * request.max_tokens * bytes_of_a_token


async def _failure(response: httpx.Response, key: str) -> Trouble:
    """Read what a server says of an error. The key goes out before the text is cut, so that no part of it is left."""
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > LARGEST_ERROR:
            return wire.failure(response.status_code, response.headers, b"(a long page)", key)
    return wire.failure(response.status_code, response.headers, bytes(content), key)


def _name(error: Exception) -> str:
    """An error of the transport in words; its class where it has none."""
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return "no answer in time"
    return str(error) or type(error).__name__
