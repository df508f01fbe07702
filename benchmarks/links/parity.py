"""Whether parity helps on a lossy link, beside striping and asking again for what is late.

Three ways to get a blob of k chunks over sixteen connections with loss:

    waiting   each chunk is asked for once
    stealing  what is late at the end is asked for again on another connection (what `blobs` does)
    parity    n > k chunks are asked for once each, any k of which give the blob (zfec, Reed-Solomon)

Prints a table; each number is the median over several runs, with links that lose other packets in each. Needs root.

Example: python benchmarks/links/parity.py --runs 5
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import zfec

from quiltwork.blobs import MemoryBlobs
from quiltwork.blobs import fetch as fetching
from quiltwork.blobs import plan as planning
from quiltwork.blobs.exchange import PROTOCOL, Exchange
from quiltwork.blobs.partial import MemoryPartial
from quiltwork.blobs.tcp import TcpTransport
from quiltwork.blobs.tree import CHUNK_BYTES, chunk_count

WAYS = {"waiting": (1.0, 1), "stealing": (1.0, planning.COPIES), "parity 10 %": (1.1, 1), "parity 25 %": (1.25, 1)}
"""How many chunks there are for each that is needed, and how often one may be asked for at once."""

LINKS = ({"rate_mbit": 20, "delay_ms": 50, "loss": 0.01}, {"rate_mbit": 20, "delay_ms": 100, "loss": 0.01})
CHUNKS = (16, 122)
"""An update of 1 MB, and a checkpoint of 8 MB; zfec takes 256 chunks at most."""


class Enough(planning.Plan):
    """Done when `needed` chunks have landed, whichever."""

    needed = 0

    @property
    def done(self) -> bool:
        """See Plan."""
        return len(self.landed) >= self.needed


def encoded(chunks: int, of_each: float) -> bytes:
    """`chunks` random chunks, and parity after them."""
    draws = random.Random(chunks)
    primary = tuple(draws.randbytes(CHUNK_BYTES) for _ in range(chunks))
    return b"".join(zfec.Encoder(chunks, round(chunks * of_each)).encode(primary))


async def serve(args: argparse.Namespace) -> None:
    """Until standard input ends."""
    data = encoded(args.chunks, WAYS[args.way][0])
    store = MemoryBlobs()
    id = store.put(data)
    async with Exchange(store, [TcpTransport(PROTOCOL, host=args.host, congestion="cubic")]) as exchange:
        await exchange.prepare(id)
        print(json.dumps({"id": id, "size": len(data), "address": exchange.addresses[0]}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def fetch(args: argparse.Namespace) -> None:
    """Fetch enough chunks, and decode."""
    planning.COPIES = WAYS[args.way][1]
    Enough.needed = args.chunks
    fetching.Plan = Enough  # type: ignore[misc]
    exchange = Exchange(MemoryBlobs(), [TcpTransport(PROTOCOL, host=args.host, congestion="cubic")])
    partial = MemoryPartial(args.size)
    start = time.monotonic()
    one = fetching.Fetch(exchange._links, args.id, args.size, [args.address], partial)
    async with asyncio.timeout(120):
        await one.run()
    landed = sorted(one._plan.landed)[: args.chunks]
    data = partial.read()
    blocks = tuple(data[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES] for index in landed)
    decoded = zfec.Decoder(args.chunks, chunk_count(args.size)).decode(blocks, tuple(landed))
    seconds = time.monotonic() - start
    assert b"".join(decoded) == encoded(args.chunks, 1.0)
    holder = one.report().holders[0]
    print(json.dumps({"seconds": seconds, "bytes": holder.bytes + holder.wasted_bytes}), flush=True)
    await exchange.aclose()


def measure(link: dict[str, float], chunks: int, way: str, seed: int) -> dict[str, Any]:
    """One fetch between two processes."""
    from links import Link

    own = [sys.executable, __file__, "--way", way, "--chunks", str(chunks)]
    with Link(**link, seed=seed) as line:
        server = line.left.start([*own, "--role", "serve", "--host", line.left.ip])
        assert server.stdout is not None
        try:
            offer = json.loads(server.stdout.readline())
            asked = ["--id", offer["id"], "--size", str(offer["size"]), "--address", offer["address"]]
            done = line.right.run([*own, "--role", "fetch", "--host", line.right.ip, *asked])
        finally:
            server.communicate("", timeout=30)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--role", choices=("measure", "serve", "fetch"), default="measure")
    parser.add_argument("--way", choices=tuple(WAYS), default="stealing")
    parser.add_argument("--chunks", type=int, default=16)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--id", default="")
    parser.add_argument("--size", type=int, default=0)
    parser.add_argument("--address", default="")
    args = parser.parse_args()
    if args.role != "measure":
        asyncio.run({"serve": serve, "fetch": fetch}[args.role](args))
        return
    sys.path.insert(0, str(Path(__file__).parents[1]))
    print("| link | size, MB | way | seconds | slowest | bytes sent : needed |\n|---|---|---|---|---|---|")
    for link in LINKS:
        for chunks in CHUNKS:
            for way in WAYS:
                runs = [measure(link, chunks, way, seed) for seed in range(1, args.runs + 1)]
                seconds = [run["seconds"] for run in runs]
                sent = statistics.median(run["bytes"] for run in runs) / (chunks * CHUNK_BYTES)
                name = f"{link['rate_mbit']} Mbit/s, {link['delay_ms']} ms each way, {link['loss']:.0%} loss"
                size = chunks * CHUNK_BYTES / 1e6
                print(
                    f"| {name} | {size:.0f} | {way} | {statistics.median(seconds):.2f} | {max(seconds):.2f} | {sent:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
