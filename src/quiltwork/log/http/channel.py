"""One server: asked again where asking twice does no harm, with what it may send and how long it may take bounded.

It stands on httpcore, the network side of httpx, where a deadline can be put below every read: see `errand`.
"""

from __future__ import annotations

import ipaddress
import random
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore
import msgspec

import quiltwork
from quiltwork.errors import UserError
from quiltwork.log.entry import MAX_INTEGER
from quiltwork.log.http import wire
from quiltwork.log.http.errand import ANSWER_S, Errand, Network, TooLong, Vigil
from quiltwork.log.http.events import Event, Events
from quiltwork.log.http.tokens import usable
from quiltwork.log.http.wire import Trouble
from quiltwork.log.protocol import EMPTY, Broken, Conflict, Head, LogCorrupt, LogUnavailable

MAX_CONNECTIONS = 64
"""Threads that may talk to one server at once; each follower holds a connection."""

KEEP_ALIVE_S = 4.0
"""Less than a server's (uvicorn has 5 s), so that it does not hang up while a request is on its way."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
"""Between tries: doubled each time, and shortened by chance, so that not all clients of a server come back at once."""

CLOCK_SAMPLES = 16
WHY_CHARACTERS = 500
"""Of a server's own words in an error."""

_MOST_BYTES = wire.MAX_ANSWER_BYTES + (1 << 20)
"""Of an exchange: an answer, and more than enough for how it is framed."""

T = TypeVar("T")


class LogRefused(UserError):
    """The server will not do this, however often it is asked; the text says why and what to do."""


class Lost(LogUnavailable):
    """No answer came: nobody here knows whether the request was carried out."""


class SlowDown(LogUnavailable):
    """The server has had enough of this client for `wait_s` seconds. Nothing happened."""

    def __init__(self, text: str, wait_s: float) -> None:
        self.wait_s = wait_s
        super().__init__(text)


class Patience:
    """How long a call goes on trying: `pause` gives the seconds until the next try, or raises what the last one raised."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.renew()

    def renew(self) -> None:
        """Something went well."""
        self._until = time.monotonic() + self._seconds
        self._tries = 0

    def pause(self, error: Lost | SlowDown) -> float:
        """Give up, or say how long to wait."""
        chance = random.uniform(0.5, 1.0)  # noqa: S311  no secret
        pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0**self._tries) * chance
        if isinstance(error, SlowDown):
            pause += error.wait_s
        self._tries += 1
        if time.monotonic() + pause > self._until:
            raise error
        return pause


class Channel:
    """Requests to the server at `url`, made with `token`, which it never shows. Threads share it."""

    def __init__(self, url: str, token: str, patience_s: float) -> None:
        if not usable(token):
            raise UserError("This is not a token: it must be of letters, digits and signs, without spaces.")
        parts = _split(url)
        self.url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self.patience_s = patience_s
        self._token = token
        self._network = Network()
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl.create_default_context() if parts.scheme == "https" else None,
            proxy=_proxy(parts.scheme, parts.hostname or ""),
            max_connections=MAX_CONNECTIONS,
            keepalive_expiry=KEEP_ALIVE_S,
            network_backend=self._network,
        )
        self._clocks: deque[tuple[int, float]] = deque(maxlen=CLOCK_SAMPLES)
        self._closed = False

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Ask until there is an answer, within the patience: for what may be asked twice. Raises as `ask_once`."""
        patience = Patience(self.patience_s)
        while True:
            try:
                return self.ask_once(method, path, body)
            except (Lost, SlowDown) as error:
                time.sleep(patience.pause(error))

    def ask_once(self, method: str, path: str, body: bytes | None = None, expect: Head = EMPTY) -> bytes:
        """Ask, and give the whole answer. Raises Lost, SlowDown, LogRefused, LogCorrupt, Conflict and Broken."""
        with self._guarded(Errand(_MOST_BYTES)):
            sent_at = time.time_ns()
            with self._opened(method, path, body) as response:
                self._note_clock(sent_at, response)
                answer = b"".join(response.iter_stream())
        self._check(response, answer, expect)
        return answer

    def events(self, path: str, wake: Callable[[], None], every_s: float) -> Iterator[Event]:
        """Follow until the server hangs up, or until `wake` raises, which is called every `every_s` seconds.

        Raises as `ask_once`.
        """
        events = Events(wire.MAX_EVENT_BYTES)
        with ExitStack() as stack:
            with self._guarded(Errand(_MOST_BYTES, wake, every_s)):
                response = stack.enter_context(self._opened("GET", path))
                answer = b"" if response.status == HTTPStatus.OK else b"".join(response.iter_stream())
            self._check(response, answer, EMPTY)
            if not (_header(response, "content-type") or "").startswith("text/event-stream"):
                raise LogCorrupt(f"{self.url} answers a follower with something else than events.")
            pieces, vigil = response.iter_stream(), Vigil(wake, every_s)
            while True:
                with self._guarded(vigil):
                    piece = next(pieces, None)
                    found = events.feed(piece or b"")
                yield from found
                if piece is None:
                    return

    def unpacked(self, answer: bytes, what: type[T]) -> T:
        """Read an answer as what it should be. Raises LogCorrupt."""
        try:
            return msgspec.msgpack.decode(answer, type=what)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise LogCorrupt(f"{self.url} answers with something else than was asked for: {error}.") from None

    def failure(self, trouble: Trouble, expect: Head = EMPTY) -> UserError:
        """Give the error that belongs to what a server says is the matter."""
        why = self._shown(trouble.why)
        match trouble.code:
            case "conflict" if trouble.found is not None:
                return Conflict(expect, Head(*trouble.found))
            case "broken":
                return Broken(trouble.seq, why)
            case "slow-down" | "busy":
                wait_s = trouble.wait_s if 0 <= trouble.wait_s < float("inf") else 0.0
                return SlowDown(f"{self.url} has had enough for now: {why}", wait_s)
            case "unavailable" | "slow":
                return Lost(f"{self.url} did not do it: {why}")
            case "corrupt":
                return LogCorrupt(f"The log at {self.url} is damaged there: {why}")
        return LogRefused(f"{self.url} refuses: {why}")

    def clock_offset_s(self) -> float | None:
        """Give by how much the server's clock is ahead of this one's: from the quickest of the last answers, or None.

        The time in an answer is taken to be that in the middle between asking and hearing (Cristian, 1989), so it is
        wrong by half of the round trip at most.
        """
        return min(self._clocks)[1] if self._clocks else None

    def close(self) -> None:
        """Hang up. Who waits for an answer does not get it."""
        self._closed = True
        self._pool.close()

    def check_open(self) -> None:
        """Raise LogUnavailable after `close`."""
        if self._closed:
            raise LogUnavailable(f"The log at {self.url} was closed here; open it again.")

    @contextmanager
    def _guarded(self, errand: Errand) -> Iterator[None]:
        """Be on an errand, and turn what can go wrong on the way into our errors."""
        self.check_open()
        try:
            with self._network.on(errand):
                yield
        except TooLong as error:
            raise LogCorrupt(f"{self.url} sends without an end: {error}.") from None
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, httpcore.ProxyError) as error:
            self.check_open()
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise LogRefused(
                    f"{self.url} does not prove who it is: {self._shown(str(error))}. If its certificate is of your own "
                    "making, name the file of who signed it in SSL_CERT_FILE."
                ) from None
            raise Lost(
                f"{self.url} cannot be reached, or hung up ({self._shown(str(error)) or type(error).__name__}). "
                "Check that it runs and that the address is right. Entries appended before are safe."
            ) from None

    def _opened(self, method: str, path: str, body: bytes | None = None) -> AbstractContextManager[httpcore.Response]:
        headers = [
            ("Authorization", f"Bearer {self._token}"),
            (wire.PROTOCOL_HEADER, str(wire.PROTOCOL)),
            ("Content-Type", wire.MEDIA_TYPE),
            ("Accept-Encoding", "identity"),
            ("User-Agent", f"quiltwork/{quiltwork.__version__}"),
        ]
        waits = {"timeout": {"pool": ANSWER_S}}  # for a connection; what happens on it is the errand's business
        return self._pool.stream(method, f"{self.url}/{path}", headers=headers, content=body, extensions=waits)

    def _check(self, response: httpcore.Response, answer: bytes, expect: Head) -> None:
        """Raise what an answer means that is not the one asked for."""
        status, version = response.status, _header(response, wire.PROTOCOL_HEADER)
        if version is None:
            if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
                raise Lost(f"What stands before {self.url} answers in its place, with status {status}.")
            raise LogRefused(
                f"There is no log of Quiltwork at {self.url}: it answers with status {status}. Check the address."
            )
        if version != str(wire.PROTOCOL):
            raise LogRefused(
                f"{self.url} speaks version {self._shown(version)[:20]} of the log's protocol, this program version "
                f"{wire.PROTOCOL}. Upgrade the older of the two."
            )
        if status != HTTPStatus.OK:
            raise self.failure(self.unpacked(answer, Trouble), expect)

    def _note_clock(self, sent_at: int, response: httpcore.Response) -> None:
        said, now = _header(response, wire.TIME_HEADER) or "", time.time_ns()
        if said.isascii() and said.isdigit() and len(said) <= len(str(MAX_INTEGER)):
            self._clocks.append((now - sent_at, (int(said) - (sent_at + now) // 2) / 1e9))

    def _shown(self, text: str) -> str:
        """A stranger's words, harmless, short, and without the token, should they repeat it."""
        text = text.replace(self._token, "…") if self._token else text
        return "".join(c if c.isprintable() else " " for c in text[:WHY_CHARACTERS])


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
        (parts.hostname or "").encode("idna")
    except ValueError:
        raise UserError("This is not the address of a log: it must be http(s)://HOST:PORT/PATH.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or parts.query or parts.fragment:
        raise UserError("This is not the address of a log: it must be http(s)://HOST:PORT/PATH.")
    if parts.username is not None:
        raise UserError("The address of a log holds no user and password: access is given by a token.")
    return parts


def _proxy(scheme: str, host: str) -> httpcore.Proxy | None:
    """What the environment names for this host. This machine is reached without."""
    if is_loopback(host) or proxy_bypass(host):
        return None
    url = getproxies().get(scheme) or getproxies().get("all")
    if url is None:
        return None
    parts = urlsplit(url if "://" in url else f"http://{url}")
    auth = None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))
    return httpcore.Proxy(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", auth=auth)


def _header(response: httpcore.Response, name: str) -> str | None:
    wanted = name.encode()
    return next((value.decode("latin-1") for each, value in response.headers if each.lower() == wanted), None)
