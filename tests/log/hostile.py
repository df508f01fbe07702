"""Servers that are broken, slow, or mean harm; and what they send."""

from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from quiltwork.log import Entry
from quiltwork.log.http import HttpLog
from quiltwork.log.http.wire import Page, encode
from tests.log.conformance import draft
from tests.log.serving import TOKEN

Script = Callable[[socket.socket], None]

GOOD = b"HTTP/1.1 200 OK\r\nQuiltwork-Log: 1\r\n"
SSE = GOOD + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def answer(body: bytes, head: bytes = GOOD) -> bytes:
    return head + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(page: Page) -> bytes:
    return chunk(b"data: " + base64.b64encode(encode(page)) + b"\n\n")


@contextmanager
def hostile(*scripts: Script | bytes) -> Iterator[str]:
    """A server that reads one request per connection and does what its script says: the last, for all that come later."""
    listener = socket.create_server(("127.0.0.1", 0))
    connections: list[socket.socket] = []
    ended = threading.Event()

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            script = scripts[min(len(connections), len(scripts) - 1)]
            connections.append(connection)
            threading.Thread(target=play, args=(connection, script), daemon=True).start()

    def play(connection: socket.socket, script: Script | bytes) -> None:
        with suppress(OSError), connection:
            seen = b""
            while b"\r\n\r\n" not in seen:
                piece = connection.recv(65_536)
                if not piece:
                    return
                seen += piece
            if isinstance(script, bytes):
                connection.sendall(script)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65_536):
                    pass
            else:
                script(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        thread.join()


def endlessly(piece: bytes, pause_s: float = 0.0) -> Script:
    def script(connection: socket.socket) -> None:
        while True:
            connection.sendall(piece)
            time.sleep(pause_s)

    return script


def first(head: bytes, then: Script) -> Script:
    def script(connection: socket.socket) -> None:
        connection.sendall(head)
        then(connection)

    return script


def silence(connection: socket.socket) -> None:
    while connection.recv(1_000):
        pass


def entries(count: int = 3) -> tuple[Entry, ...]:
    return draft(*[str(number) for number in range(count)])


def impatient(url: str) -> HttpLog:
    return HttpLog(url, TOKEN, patience_s=0.0)
