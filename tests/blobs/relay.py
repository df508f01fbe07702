"""A relay on this machine, and a line to it that can be cut."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from quiltwork.blobs import BlobStore
from quiltwork.blobs.server import BlobRights, blob_routes

TOKEN, READER, WRITER = "a-token", "a-reader", "a-writer"
TOKENS = {TOKEN: BlobRights.BOTH, READER: BlobRights.GET, WRITER: BlobRights.PUT}


@contextlib.contextmanager
def served(app: Any) -> Iterator[str]:
    """Run an ASGI application in a thread; gives its address."""
    door = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        door.close()


@contextlib.contextmanager
def relay(store: BlobStore, **options: Any) -> Iterator[str]:
    """A relay for the store; gives the address of its blobs."""
    routes = blob_routes(store, TOKENS, **options)
    with served(Starlette(routes=[Mount("/blobs", routes=routes)])) as url:
        yield f"{url}/blobs"


class CutLine:
    """Forwards connections to a port, and cuts each after so many bytes in either direction, `cuts` times."""

    def __init__(self, port: int, after_bytes: int, cuts: int) -> None:
        self._port, self._after, self.cuts = port, after_bytes, cuts
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = self._door.getsockname()[1]
        self.connections = 0
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._door.accept()
                self.connections += 1
                far = socket.create_connection(("127.0.0.1", self._port))
                left = [self._after if self.cuts > 0 else 1 << 60]
                for source, sink in ((near, far), (far, near)):
                    thread = threading.Thread(target=self._forward, args=(source, sink, left, (near, far)))
                    thread.start()
                    self._threads.append(thread)

    def _forward(self, source: socket.socket, sink: socket.socket, left: list[int], both: Any) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(16_384):
                sink.sendall(data)
                left[0] -= len(data)
                if left[0] < 0:
                    self.cuts -= 1
                    break
        for end in both:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        for thread in self._threads:
            thread.join()
