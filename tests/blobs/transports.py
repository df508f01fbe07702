"""Every transport, for the tests that hold for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from quiltwork.blobs.iroh import IrohTransport
from quiltwork.blobs.loopback import Loopback, LoopbackTransport
from quiltwork.blobs.tcp import TcpTransport
from quiltwork.blobs.transport import Transport

PROTOCOL = "quiltwork-test/1"
KINDS = ("memory", "tcp", "iroh")


class Place:
    """Makes transports of one kind that can reach each other."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._network = Loopback()
        self._made: list[Transport] = []

    def transport(self, protocol: str = PROTOCOL, **options: Any) -> Transport:
        made: Transport
        if self.kind == "memory":
            made = LoopbackTransport(protocol, self._network, f"peer{len(self._made)}", **options)
        elif self.kind == "tcp":
            made = TcpTransport(protocol, **options)
        else:
            made = IrohTransport(protocol, **options)
        self._made.append(made)
        return made

    async def aclose(self) -> None:
        for transport in self._made:
            await transport.aclose()


@asynccontextmanager
async def place(kind: str) -> AsyncIterator[Place]:
    made = Place(kind)
    try:
        yield made
    finally:
        await made.aclose()


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test in a new event loop, and fail it if it leaves a task behind."""

    async def checked() -> None:
        async with asyncio.timeout(240):
            await test()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:  # those that were cancelled a moment ago may still be on their way out
            await asyncio.wait(left, timeout=10)
        left = {task for task in left if not task.done()}
        assert not left, f"tasks left behind: {left}"

    asyncio.run(checked(), debug=False)
