"""A real HTTP server on loopback that answers as the protocol says, or as badly as a test wants."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from quiltwork.models import ModelConfig, Reply, Request
from quiltwork.models.base import Message
from quiltwork.models.pace import Clock
from quiltwork.models.server import Server

KEY = "sk-test/0123456789abcdefghij"


class Seen(NamedTuple):
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


Behaviour = Callable[[Seen, asyncio.StreamWriter], Awaitable[None]]


def raw(status: int, body: bytes | str, **headers: str) -> Behaviour:
    content = body.encode() if isinstance(body, str) else body
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())

    async def behave(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(content)}\r\n{head}\r\n".encode() + content)
        await writer.drain()

    return behave


def error(status: int, message: str = "no", **headers: str) -> Behaviour:
    return raw(status, json.dumps({"error": {"message": message}}), **headers)


def answer(*texts: str, usage: dict[str, Any] | None = None, **more: Any) -> Behaviour:
    """A chat's answer: these texts."""
    choices = [{"index": i, "message": {"content": text}, "finish_reason": "stop"} for i, text in enumerate(texts)]
    said = {"choices": choices, **({"usage": usage} if usage else {}), **more}
    return raw(200, json.dumps(said))


async def echo(seen: Seen, writer: asyncio.StreamWriter) -> None:
    """Answer with what was asked, `n` times, and count characters as tokens."""
    asked = seen.body["messages"][-1]["content"] if "messages" in seen.body else seen.body["prompt"]
    n = seen.body.get("n", 1)
    choice = {"message": {"content": asked}} if "messages" in seen.body else {"text": asked}
    usage = {"prompt_tokens": len(asked), "completion_tokens": n * len(asked)}
    said = {"choices": [choice | {"finish_reason": "stop"}] * n, "usage": usage}
    await raw(200, json.dumps(said))(seen, writer)


async def reset(seen: Seen, writer: asyncio.StreamWriter) -> None:
    """Break the connection off with RST, as a server does that dies."""
    peer: socket.socket = writer.get_extra_info("socket")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def hang(seen: Seen, writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await asyncio.Event().wait()


async def truncated(seen: Seen, writer: asyncio.StreamWriter) -> None:
    """Say that more comes than does."""
    writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"choices": [{"mess')
    await writer.drain()
    writer.close()


def events(*lines: str, end: str = "data: [DONE]\n\n") -> Behaviour:
    """A stream of server-sent events, each in a packet of its own."""

    async def behave(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        for line in (*lines, end):
            writer.write(line.encode())
            await writer.drain()
        writer.close()

    return behave


def delta(text: str) -> str:
    return "data: " + json.dumps({"choices": [{"delta": {"content": text}}]}) + "\n\n"


class Rig:
    """The server: gives the behaviours in turn, then the last one for ever."""

    def __init__(self, *behaviours: Behaviour) -> None:
        self._behaviours = list(behaviours) or [echo]
        self.seen: list[Seen] = []
        self.open = 0
        self.most_open = 0

    async def __aenter__(self) -> Rig:
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(self, *args: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while not writer.is_closing() and (seen := await _read(reader)):
                self.seen.append(seen)
                self.open += 1
                self.most_open = max(self.most_open, self.open)
                behave = self._behaviours.pop(0) if len(self._behaviours) > 1 else self._behaviours[0]
                try:
                    await behave(seen, writer)
                finally:
                    self.open -= 1
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Seen | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Seen(first.split()[1], headers, json.loads(body))


class FakeTime:
    """A clock that goes on only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self.clock = Clock(now=lambda: self.now, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


def config(url: str, **fields: Any) -> ModelConfig:
    return ModelConfig(name="m", url=url, **{"timeout_s": 60, **fields})


def question(text: str = "What?", **fields: Any) -> Request:
    return Request(model="m", messages=(Message("user", text),), **{"max_tokens": 64, **fields})


class Asked(NamedTuple):
    """What came of asking a server that behaves in a certain way."""

    reply: Reply | None
    error: Exception | None
    rig: Rig
    time: FakeTime
    heard: list[str]


def ask(*behaviours: Behaviour, request: Request | None = None, llama: bool = False, **fields: Any) -> Asked:
    """Ask a server once, with waits that take no time."""

    async def run() -> Asked:
        time, heard = FakeTime(), list[str]()
        reply, error = None, None
        async with Rig(*behaviours) as rig:
            server = Server(
                config(rig.url, **fields), llama=llama, heard=heard.append, clock=time.clock, chance=lambda: 1.0
            )
            try:
                reply = await server.ask(request or question())
            except Exception as caught:  # noqa: BLE001  (handed to the test, which says which one it wants)
                error = caught
            await server.close()
        return Asked(reply, error, rig, time, heard)

    return asyncio.run(run())
