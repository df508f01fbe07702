"""JSON-RPC over HTTP to one node of several. What passes by itself is tried again, a while and a few times."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar

import httpx
import msgspec

from quiltwork.errors import UserError
from quiltwork.log.protocol import LogUnavailable

T = TypeVar("T")

TRIES = 4
"""Of one request to one node, before another node is asked."""

ROUNDS = 3
"""Through all nodes, before the caller hears of it: with the waits between, about a quarter of a minute."""

LONGEST_WAIT_S = 30.0
"""Whatever a node asks for: who waits longer had better know."""

AT_ONCE = 8
"""Requests in flight: more win nothing where a public node counts them by the second."""

MAX_REPLY_BYTES = 32 << 20
"""A page of 1,000 rows, each with a full memo of characters that JSON writes as six, has 7 MB."""

TRANSIENT = frozenset({-32004, -32005, -32007, -32014, -32016, -32603, 429, -32429})
"""Block not there yet, node behind, slot skipped, status not there yet, context slot not reached, error inside the node, and
what some services say instead of HTTP's 429."""

METHOD_NOT_FOUND = -32601


class NodeDown(Exception):
    """This node cannot help now. Another may, or this one later."""


class Refused(Exception):
    """The node understood and says no: the request is at fault, and would be anywhere."""

    def __init__(self, code: int, message: str, data: Any) -> None:
        self.code = code
        self.message = message
        self.data = data
        super().__init__(f"{message} ({code})")


@dataclass(frozen=True)
class Pace:
    """How long to wait, in seconds."""

    slot_s: float = 0.4  # a block's time: nothing is asked more often
    backoff_s: float = 0.5  # before the second try; doubles with each
    timeout_s: float = 180.0  # without a part confirmed; a signed transaction stays valid 60 to 90
    request_s: float = 20.0  # for one answer


class Node:
    """One node. Its URL may hold a key, so that messages name the host alone."""

    def __init__(self, url: str, client: httpx.Client, pace: Pace) -> None:
        self.host = _host(url)
        self.history_checked_at = float("-inf")
        self._url = url
        self._client = client
        self._pace = pace
        self._ids = count(1)

    def call(self, method: str, *params: Any) -> Any:
        """Ask, and give the result. Raises NodeDown after `TRIES` tries, Refused at once."""
        for tries in range(1, TRIES + 1):
            try:
                return self._ask(method, params)
            except _Later as later:
                if tries == TRIES:
                    raise NodeDown(f"{self.host} {later}") from later
                time.sleep(min(LONGEST_WAIT_S, max(later.after_s, self._pace.backoff_s * 2 ** (tries - 1))))
        raise AssertionError("unreachable")

    def _ask(self, method: str, params: Sequence[Any]) -> Any:
        question = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        try:
            with self._client.stream("POST", self._url, json=question) as response:
                body = bytearray()
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > MAX_REPLY_BYTES:
                        raise NodeDown(f"{self.host} answers {method} without end")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _Later(f"cannot be reached ({type(error).__name__})") from error
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise _Later("asks for fewer requests (429)", _seconds(response.headers.get("retry-after", "")))
        return self._result(method, response.status_code, bytes(body))

    def _result(self, method: str, status: int, body: bytes) -> Any:
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND):
            raise NodeDown(f"{self.host} refuses this address or key (status {status})")
        try:
            reply = msgspec.json.decode(body, type=_Reply)
        except msgspec.MsgspecError as error:
            raise _Later(f"answers {method} with no JSON-RPC (status {status})") from error
        if reply.error is None:
            return reply.result
        if reply.error.code in TRANSIENT:
            raise _Later(f"says: {reply.error.message} ({reply.error.code})")
        if reply.error.code == METHOD_NOT_FOUND:
            raise NodeDown(f"{self.host} does not serve {method}")
        raise Refused(reply.error.code, reply.error.message, reply.error.data)


class Nodes:
    """The nodes that a log may ask, the last that helped first. Threads may share it. Raises LogUnavailable."""

    def __init__(self, urls: Sequence[str], pace: Pace) -> None:
        if not urls:
            raise UserError("A log on Solana needs the URL of at least one RPC node.")
        limits = httpx.Limits(max_connections=2 * AT_ONCE, max_keepalive_connections=2 * AT_ONCE)
        self._client = httpx.Client(trust_env=False, timeout=pace.request_s, limits=limits)
        self._nodes = [Node(url, self._client, pace) for url in urls]
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="solana-rpc")
        self._pace = pace

    def attempt(self, operation: Callable[[Node], T]) -> T:
        """Do the whole of `operation` with one node, or else the next: nodes may differ in what they know."""
        try:
            return self._attempt(operation)
        except Refused as refused:
            raise LogUnavailable(f"The node refuses what was asked: {refused}.") from refused

    def call(self, method: str, *params: Any) -> Any:
        """Ask one node."""
        return self.attempt(lambda node: node.call(method, *params))

    def calls(self, method: str, many: Iterable[Sequence[Any]]) -> Sequence[Any | Refused]:
        """Ask several things at once; give each result, or the refusal, in the order asked."""

        def outcome(params: Sequence[Any]) -> Any | Refused:
            try:
                return self._attempt(lambda node: node.call(method, *params))
            except Refused as refused:
                return refused

        return list(self._pool.map(outcome, many))

    def close(self) -> None:
        """Let go of the connections."""
        self._pool.shutdown()
        self._client.close()

    def _attempt(self, operation: Callable[[Node], T]) -> T:
        reason: NodeDown | None = None
        for round_ in range(ROUNDS):
            if round_:
                time.sleep(self._pace.backoff_s * 2**round_)
            for node in tuple(self._nodes):
                try:
                    result = operation(node)
                except NodeDown as down:
                    reason = down
                else:
                    if node is not self._nodes[0]:
                        self._nodes = [node, *(other for other in self._nodes if other is not node)]
                    return result
        raise LogUnavailable(
            f"No node serves this log now, last: {reason}. Try again later, or give the URLs of other nodes."
        ) from reason


class _Later(Exception):
    """May pass by itself, perhaps after so many seconds."""

    def __init__(self, what: str, after_s: float = 0.0) -> None:
        self.after_s = after_s
        super().__init__(what)


class _Error(msgspec.Struct):
    code: int
    message: str
    data: Any = None


class _Reply(msgspec.Struct):
    result: Any = None
    error: _Error | None = None


def _host(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise UserError(
            "The URL of an RPC node begins with http:// or https:// and a host; one that was given does not."
        )
    return f"{parsed.host}:{parsed.port}" if parsed.port else parsed.host


def _seconds(header: str) -> float:
    return float(header) if header.isdecimal() else 0.0
