"""A model with a script: a real server on loopback, in OpenAI's format, whose every answer is a function of the question.

It rewrites the scaffold's `approximate` with coefficients drawn from a hash of the request, so that equal requests have
equal answers and a run can be made again.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE_S = 120.0

Answer = Callable[[dict[str, Any], int], str]


def rewrite(request: dict[str, Any], draw: int) -> str:
    """Another quadratic."""
    a, b = 0.9 + (draw % 97) / 97, 0.1 + (draw // 97 % 89) / 89
    return f"Other coefficients.\n```python\ndef approximate(x):\n    return {a:.4f} * x - {b:.4f} * x * x\n```\n"


@dataclass
class Script:
    """What the server says and has been asked."""

    answer: Answer = rewrite
    delay_s: float = 0.0
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    authorizations: set[str] = field(default_factory=set)
    down: bool = False
    wait_for: int = 0
    """Requests that must be open at once before any is answered."""
    most_at_once: int = 0
    _open: int = 0
    _lock: threading.Condition = field(default_factory=threading.Condition)

    def reply(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            self.asked.append(request)
            self._open += 1
            self.most_at_once = max(self.most_at_once, self._open)
            self._lock.notify_all()
            self._lock.wait_for(lambda: self.most_at_once >= self.wait_for, timeout=PATIENCE_S)
        try:
            time.sleep(self.delay_s)
            draw = int.from_bytes(hashlib.sha256(json.dumps(request, sort_keys=True).encode()).digest()[:8], "big")
            text = self.answer(request, draw)
        finally:
            with self._lock:
                self._open -= 1
        return {
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 50},
        }


@contextmanager
def scripted(answer: Answer = rewrite, *, delay_s: float = 0.0) -> Iterator[Script]:
    script = Script(answer, delay_s)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            script.authorizations.add(self.headers.get("Authorization", ""))
            status, said = (503, {"error": {"message": "down"}}) if script.down else (200, script.reply(body))
            raw = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    script.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
