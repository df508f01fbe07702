"""A log behind a real HTTP server, on a free port of this machine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec
import uvicorn
from starlette.types import ASGIApp

from quiltwork.log import Log, Sequencer
from quiltwork.log.http import HttpLog, Limits, Right, Tokens
from quiltwork.log.http.listen import listen
from quiltwork.log.http.server import log_app
from quiltwork.log.http.wire import Trouble

TOKEN = "all-rights-and-all-wrongs"
ALL = frozenset(Right)
UNBOUNDED = Limits()


@dataclass
class Served:
    """A running server, and the clients that were made for it."""

    url: str
    clients: list[HttpLog] = field(default_factory=list)

    def client(self, token: str = TOKEN, *, patience_s: float = 60.0) -> HttpLog:
        self.clients.append(HttpLog(self.url, token, patience_s=patience_s))
        return self.clients[-1]


@contextmanager
def running(app: ASGIApp, port: int = 0, certificate: Path | None = None) -> Iterator[Served]:
    """Run an application; with a certificate (a file that holds its key too) over TLS."""
    listener = listen("127.0.0.1", port)
    config = uvicorn.Config(
        app, log_level="critical", timeout_graceful_shutdown=1, lifespan="off", ssl_certfile=certificate
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    scheme = "http" if certificate is None else "https"
    served = Served(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}")
    try:
        yield served
    finally:
        for client in served.clients:
            client.close()
        server.should_exit = True
        thread.join()
        listener.close()


@contextmanager
def serving(
    log: Log,
    rights: Mapping[str, Collection[Right]] | None = None,
    *,
    sequencer: Sequencer | None = None,
    limits: Limits = UNBOUNDED,
) -> Iterator[Served]:
    tokens = Tokens({TOKEN: ALL} if rights is None else rights)
    with running(log_app(log, tokens, sequencer=sequencer, limits=limits)) as served:
        yield served


def wait_until(truth: Callable[[], bool]) -> None:
    while not truth():
        threading.Event().wait(0.005)


READER, WRITER, TALKER = "reads-and-nothing-else", "writes-and-nothing-else", "talks-and-nothing-else"
RIGHTS = {TOKEN: frozenset(Right), READER: {Right.READ}, WRITER: {Right.WRITE}, TALKER: {Right.SPEAK}}


def raw(served: Served, method: str, path: str, token: str = TOKEN, **more: object) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}", "quiltwork-log": "1", **more.pop("headers", {})}  # type: ignore[dict-item]
    with httpx.Client(trust_env=False) as client:
        return client.request(method, f"{served.url}/{path}", headers=headers, **more)  # type: ignore[arg-type]


def trouble(response: httpx.Response) -> Trouble:
    return msgspec.msgpack.decode(response.content, type=Trouble)
