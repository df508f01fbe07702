"""Holders as they should not be, each a handler of streams that serves one blob in its own bad way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from quiltwork.blobs.transport import Handler, Stream, receive_exactly
from quiltwork.blobs.tree import CHUNK_BYTES, outline
from quiltwork.blobs.wire import OUTLINE, REQUEST_BYTES, Request, Status, decode_request, encode_reply

SLOW_S = 0.08

Answer = Callable[[Stream, Request, bytes], Awaitable[None]]


def true_answer(request: Request, data: bytes) -> bytes:
    if request.index == OUTLINE:
        return outline(data)
    return data[request.index * CHUNK_BYTES : (request.index + 1) * CHUNK_BYTES]


async def honest(stream: Stream, request: Request, data: bytes) -> None:
    body = true_answer(request, data)
    await stream.send(encode_reply(Status.HERE, len(body)) + body)


def flipped(body: bytes) -> bytes:
    return bytes([body[0] ^ 1]) + body[1:]


async def wrong_chunks(stream: Stream, request: Request, data: bytes) -> None:
    body = true_answer(request, data)
    await stream.send(encode_reply(Status.HERE, len(body)) + (body if request.index == OUTLINE else flipped(body)))


async def wrong_outline(stream: Stream, request: Request, data: bytes) -> None:
    body = true_answer(request, data)
    await stream.send(encode_reply(Status.HERE, len(body)) + (flipped(body) if request.index == OUTLINE else body))


async def another_blob(stream: Stream, request: Request, data: bytes) -> None:
    """A liar with a method: outline and chunks fit each other, but not the id."""
    await honest(stream, request, bytes(len(data)))


async def endless(stream: Stream, request: Request, data: bytes) -> None:
    while True:
        await stream.send(encode_reply(Status.HERE, 1 << 31) + bytes(100_000))


async def garbage(stream: Stream, request: Request, data: bytes) -> None:
    await stream.send(b"\xff" * 100)


async def truncated(stream: Stream, request: Request, data: bytes) -> None:
    body = true_answer(request, data)
    await stream.send(encode_reply(Status.HERE, len(body)) + body[: len(body) // 2])
    await stream.aclose()


async def dripping(stream: Stream, request: Request, data: bytes) -> None:
    """A slow loris: never silent, never done."""
    body = true_answer(request, data)
    await stream.send(encode_reply(Status.HERE, len(body)))
    for byte in body:
        await stream.send(bytes([byte]))
        await asyncio.sleep(0.1)


async def silent(stream: Stream, request: Request, data: bytes) -> None:
    await asyncio.sleep(3_600)


async def slow(stream: Stream, request: Request, data: bytes) -> None:
    await asyncio.sleep(SLOW_S)
    await honest(stream, request, data)


def stalls_after(chunks: int) -> Answer:
    """Honest, then silent."""
    left = [chunks]

    async def answer(stream: Stream, request: Request, data: bytes) -> None:
        left[0] -= 1
        await (honest if left[0] >= 0 else silent)(stream, request, data)

    return answer


def says(status: Status) -> Answer:
    async def answer(stream: Stream, request: Request, data: bytes) -> None:
        await stream.send(encode_reply(status))

    return answer


def late_liar(honest_chunks: int) -> Answer:
    """Honest for a while."""
    left = [honest_chunks]

    async def answer(stream: Stream, request: Request, data: bytes) -> None:
        left[0] -= 1
        await (honest if left[0] >= 0 else wrong_chunks)(stream, request, data)

    return answer


def dies_after(chunks: int, dead: asyncio.Event) -> Answer:
    """Honest, then gone with all its connections."""
    left = [chunks]

    async def answer(stream: Stream, request: Request, data: bytes) -> None:
        left[0] -= 1
        if left[0] < 0:
            dead.set()
        if dead.is_set():
            stream.abort()
            return
        await honest(stream, request, data)

    return answer


def holder(answer: Answer, data: bytes) -> Handler:
    """A handler of streams that answers in this way."""

    async def serve(stream: Stream) -> None:
        while first := await stream.receive(REQUEST_BYTES):
            request = decode_request(first + await receive_exactly(stream, REQUEST_BYTES - len(first)))
            await answer(stream, request, data)

    return serve
