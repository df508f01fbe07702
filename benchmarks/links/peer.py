"""One real process at an end of an emulated link: serves a blob, or fetches it and says as JSON how that went."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import sys
import time

from quiltwork.blobs import MemoryBlobs
from quiltwork.blobs.exchange import PROTOCOL, Exchange, TooSlow
from quiltwork.blobs.transport import Transport


def transport(name: str, host: str) -> Transport:
    """`tcp`, `tcp-cubic`, `tcp-bbr` or `iroh`."""
    if name == "iroh":
        from quiltwork.blobs.iroh import IrohTransport

        return IrohTransport(PROTOCOL, host=host)
    from quiltwork.blobs.tcp import TcpTransport

    return TcpTransport(PROTOCOL, host=host, congestion=name.partition("-")[2] or None)


async def serve(args: argparse.Namespace) -> None:
    """Until standard input ends."""
    store = MemoryBlobs()
    ids = [store.put(random.Random(number).randbytes(int(args.megabytes * 1e6))) for number in range(args.blobs)]
    async with Exchange(store, [transport(args.transport, args.host)]) as exchange:
        for id in ids:
            await exchange.prepare(id)  # once per blob: no part of a link's speed
        print(json.dumps({"ids": ids, "address": exchange.addresses[0]}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def fetch(args: argparse.Namespace) -> None:
    """Each blob once, on connections of its own."""
    size = int(args.megabytes * 1e6)
    for id in args.ids:
        exchange = Exchange(MemoryBlobs(), [transport(args.transport, args.host)], stripes=args.stripes)
        start, cpu = time.monotonic(), time.process_time()
        try:
            report = (await exchange.fetch(id, size, [args.address], deadline_s=args.deadline_s, keep=False)).report
            done = True
        except TooSlow as error:
            report, done = error.report, False
        seconds = time.monotonic() - start
        holder = report.holders[0]
        said = {
            "seconds": seconds,
            "megabytes_per_s": holder.bytes / 1e6 / seconds,
            "done": done,
            "connections": holder.connections,
            "wasted_bytes": holder.wasted_bytes,
            "faults": [str(fault) for fault in holder.faults],
            "cpu_s": time.process_time() - cpu,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        }
        print(json.dumps(said), flush=True)
        await exchange.aclose()


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("serve", "fetch"))
    parser.add_argument("--transport", default="tcp")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--megabytes", type=float, default=8.0)
    parser.add_argument("--blobs", type=int, default=1)
    parser.add_argument("--stripes", type=int, default=16)
    parser.add_argument("--deadline-s", type=float, default=60.0)
    parser.add_argument("--address", default="")
    parser.add_argument("--ids", nargs="*", default=[])
    args = parser.parse_args()
    asyncio.run({"serve": serve, "fetch": fetch}[args.what](args))


if __name__ == "__main__":
    main()
