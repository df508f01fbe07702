"""What asking models costs: the client against an instant and a slow server on loopback, and a local model's speed.

    python benchmarks/models.py [--requests 1000] [--local smollm2-135m]

The server is another process, so that the processor seconds are the client's alone. The local model reads a prompt of about
600 tokens and answers with 64 tokens, one request at a time and four at once, on all cores but one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import resource
import time
from multiprocessing.connection import Connection

from quiltwork.models import Message, ModelConfig, Request
from quiltwork.models.base import Models
from quiltwork.models.gateway import open_models

ANSWER = json.dumps(
    {
        "choices": [{"message": {"content": "def f(x):\n    return x\n" * 40}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 2_000, "completion_tokens": 400},
    }
).encode()
PROGRAM = "def add(a, b):\n    return a + b\n\n"


def serve(latency_s: float, told: Connection) -> None:
    """Answer every request alike, after so many seconds."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n")[0]))
                await asyncio.sleep(latency_s)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(ANSWER) + ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1_024)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


async def ask_all(models: Models, requests: list[Request]) -> tuple[float, float, int]:
    """Wall seconds, processor seconds of this process, and tokens written."""
    wall, cpu = time.perf_counter(), time.process_time()
    replies = await asyncio.gather(*map(models.ask, requests))
    return time.perf_counter() - wall, time.process_time() - cpu, sum(reply.completion_tokens for reply in replies)


async def client(latency_s: float, in_flight: int, count: int) -> None:
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(latency_s, theirs), daemon=True)
    server.start()
    config = ModelConfig(name="m", url=f"http://127.0.0.1:{ours.recv()}/v1", in_flight=in_flight)
    models = open_models([config])
    text = PROGRAM * 200
    requests = [Request(model="m", messages=(Message("user", text),), seed=seed) for seed in range(count)]
    await ask_all(models, requests[:in_flight])  # connections are made once
    wall, cpu, _ = await ask_all(models, requests)
    await models.close()
    server.terminate()
    print(
        f"{latency_s:g} s latency, {in_flight:3d} in flight: {count / wall:7.1f} requests/s, {1e3 * cpu / count:.2f} CPU ms each"
    )


async def local(name: str) -> None:
    models = open_models([ModelConfig(name=name, local=name, in_flight=4)])
    await models.ask(Request(model=name, prompt="x", max_tokens=1))
    for at_once in (1, 4):
        requests = [
            Request(model=name, prompt=f"# program {at_once}{seed}\n{PROGRAM * 60}", max_tokens=64, seed=seed)
            for seed in range(at_once)
        ]
        wall, cpu, tokens = await ask_all(models, requests)
        print(
            f"{name}, {at_once} at once, prompts read: {tokens / wall:.1f} tokens/s written, {tokens / cpu:.1f} per CPU s"
        )
    await models.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1_000)
    parser.add_argument("--local", default="", help="a local model that was fetched")
    options = parser.parse_args()
    asyncio.run(client(0.0, 32, options.requests))
    asyncio.run(client(2.0, 256, options.requests))
    print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    if options.local:
        asyncio.run(local(options.local))


if __name__ == "__main__":
    main()
