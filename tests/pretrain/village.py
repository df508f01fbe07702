"""Members of one run in one process, over a log in memory and blobs over TCP, with real trainers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from quiltwork.blobs.exchange import Exchange
from quiltwork.blobs.tcp import TcpTransport
from quiltwork.blobs.wire import PROTOCOL
from quiltwork.keys import Identity
from quiltwork.log import Conflict, MemoryLog, Writer, decode
from quiltwork.pretrain.entries import Ticked
from quiltwork.pretrain.home import Home
from quiltwork.pretrain.loop import Member
from quiltwork.pretrain.recipe import RunConfig
from quiltwork.pretrain.trainer import Trainer
from quiltwork.pretrain.voice import WriterVoice
from tests.pretrain import tiny

PATIENCE_S = 240


class Village:
    """A run and its members. The clock goes at ten times a second."""

    def __init__(self, folder: Path, config: RunConfig) -> None:
        self.folder, self.config, self.log = folder, config, MemoryLog()
        self._owner = Writer(self.log, Identity.generate())
        self._owner.append(config.created(seed=bytes(32), version="0"), Ticked(time.time_ns()))
        self.keys: dict[str, Identity] = {}
        self._open: list[Exchange] = []

    async def member(self, name: str, made: type[Trainer] = Trainer) -> Member:
        """A member; with the name of one that there was, the same again."""
        home = Home(self.folder / name)
        trainer = tiny.trainer(home.path, made, self.config)
        exchange = Exchange(home.blobs, [TcpTransport(PROTOCOL, host="127.0.0.1")])
        await exchange.open()
        self._open.append(exchange)
        key = self.keys.setdefault(name, Identity.generate())
        return Member(home, WriterVoice(self.log, key), exchange, trainer, trainer.blobs, name=name)

    async def tick(self) -> None:
        while True:
            with suppress(Conflict):
                self._owner.append(Ticked(time.time_ns()))
            await asyncio.sleep(0.1)

    def said(self, name: str, kind: type) -> list[Any]:
        author = self.keys[name].author
        bodies = [decode(entry) for entry in self.log.read() if entry.author == author]
        return [body for body in bodies if isinstance(body, kind)]

    async def close(self) -> None:
        for exchange in self._open:
            await exchange.aclose()


def lived(tmp_path: Path, config: RunConfig, life: Callable[[Village], Awaitable[None]]) -> None:
    """Let something happen in a village, for a bounded time."""

    async def whole() -> None:
        village = Village(tmp_path, config)
        ticking = asyncio.create_task(village.tick())
        try:
            async with asyncio.timeout(PATIENCE_S):
                await life(village)
        finally:
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)
            await village.close()

    asyncio.run(whole())


async def until(condition: Callable[[], bool], running: asyncio.Task[Any]) -> None:
    while not condition():
        assert not running.done(), running
        await asyncio.sleep(0.02)


def models(*members: Member) -> set[bytes]:
    return {member.node.mine.loaded.model for member in members if member.node.mine.loaded is not None}
