"""The models of one run together: each request goes to the model that it names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

from quiltwork.models import prices
from quiltwork.models.base import Bound, ModelError, Models, Reply, Request
from quiltwork.models.cassette import Cassette, CassetteModels
from quiltwork.models.config import ModelConfig
from quiltwork.models.server import Server, silent

if TYPE_CHECKING:
    from quiltwork.models.local import LocalServer


def open_models(
    configs: Sequence[ModelConfig], *, cassette: Path | None = None, heard: Callable[[str], None] = silent
) -> Models:
    """Make the models ready to be asked; with a cassette they answer from it alone, offline.

    `heard` is told, in a line of text, of retries and of what else goes otherwise than the user wrote. Raises `UserError`
    for a cassette or a price table that cannot be read; a local model starts when it is asked first.
    """
    return CassetteModels(Cassette.load(cassette), configs) if cassette else Gateway(configs, heard=heard)


class Gateway:
    """Models that are really asked."""

    def __init__(self, configs: Sequence[ModelConfig], *, heard: Callable[[str], None] = silent) -> None:
        self._configs = {config.name: config for config in configs}
        self._heard = heard
        self._servers = {c.name: Server(c, heard=heard) for c in configs if c.url}
        self._started: list[LocalServer] = []
        self._starting = asyncio.Lock()

    async def ask(self, request: Request) -> Reply:
        """Answer a request; see `Models.ask`."""
        server = await self._server(request.model)
        return await server.ask(request)

    async def stream(self, request: Request) -> AsyncGenerator[str]:
        """Give the first answer's text as it comes."""
        server = await self._server(request.model)
        async with aclosing(server.stream(request)) as pieces:
            async for piece in pieces:
                yield piece

    def bound(self, request: Request) -> Bound:
        """What to reserve before asking."""
        return prices.bound(self._config(request.model), request)

    async def close(self) -> None:
        """Hang up, and end the local models."""
        for server in self._servers.values():
            await server.close()
        while self._started:
            await asyncio.to_thread(self._started.pop().close)

    async def _server(self, name: str) -> Server:
        config = self._config(name)
        if name in self._servers:
            return self._servers[name]
        async with self._starting:
            if name not in self._servers:
                from quiltwork.models.local import LocalServer

                local = await asyncio.to_thread(LocalServer, config)
                self._started.append(local)
                self._servers[name] = Server(local.config, llama=True, heard=self._heard)
        return self._servers[name]

    def _config(self, name: str) -> ModelConfig:
        if name not in self._configs:
            raise ModelError(f"there is no model {name!r} here; there are: {', '.join(self._configs) or 'none'}")
        return self._configs[name]
