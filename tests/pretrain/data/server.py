"""A web server on this machine that sends parts of files, and says what it was asked."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    files: dict[str, bytes]
    asked: list[tuple[str, str]]
    etags: bool
    busy: int
    """So many requests are answered with 503 first."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.server.asked.append((self.path, wanted))
        content = self.server.files.get(self.path.lstrip("/"))
        if self.server.busy:
            self.server.busy -= 1
            self._answer(503, b"busy")
        elif content is None:
            self._answer(404, b"")
        elif found := re.fullmatch(r"bytes=(\d+)-(\d+)", wanted):
            start, last = int(found[1]), min(int(found[2]), len(content) - 1)
            headers = {"Content-Range": f"bytes {start}-{last}/{len(content)}"}
            if self.server.etags:
                headers["ETag"] = f'"{sha256(content).hexdigest()[:8]}"'
            self._answer(206, content[start : last + 1], headers)
        else:
            self._answer(200, content)

    def _answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.files, server.asked, server.etags, server.busy = dict(files), [], True, 0
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
