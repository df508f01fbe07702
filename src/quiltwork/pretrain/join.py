"""A member, put together: from an invitation to a `Member` that runs."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import quiltwork
from quiltwork.blobs.exchange import Exchange
from quiltwork.blobs.http import HttpBlobs
from quiltwork.blobs.tcp import TcpTransport
from quiltwork.blobs.wire import PROTOCOL
from quiltwork.errors import UserError
from quiltwork.keys import Identity
from quiltwork.log import decode
from quiltwork.log.http import HttpLog
from quiltwork.pretrain import entries
from quiltwork.pretrain.config import Coordinator
from quiltwork.pretrain.entries import Created
from quiltwork.pretrain.facts import RunState
from quiltwork.pretrain.home import Home, Shelf
from quiltwork.pretrain.loop import Member
from quiltwork.pretrain.recipe import recipe_of
from quiltwork.pretrain.serve import parse_invitation
from quiltwork.pretrain.trainer import Trainer
from quiltwork.pretrain.voice import StatementVoice

Make = Callable[..., Trainer]


async def join(
    invitation: str,
    folder: Path,
    *,
    name: str = "",
    host: str = "127.0.0.1",
    port: int = 0,
    precision: str = "fp32",
    threads: int = 0,
    data: Path | None = None,
    make: Make = Trainer,
    watch: Callable[[RunState], None] | None = None,
) -> str:
    """Join a run and take part until it ends; returns why it ended, as `Member.run` does.

    `folder` is the member's home: whoever comes back with it is the same member. Others reach this one at `host` and `port`
    (0: any free one); where they cannot, they fetch from the run's server. Relative paths of data begin at `data`. Raises
    UserError that says what is wrong: the invitation, the token, the server, its version, the data.
    """
    url, token = parse_invitation(invitation)
    log = HttpLog(f"{url}/log", token)
    relay = f"{url}/blobs"
    try:
        created = await asyncio.to_thread(_created, log)
        rules = Coordinator.model_validate_json(created.coordinator)
        home, identity = Home(folder), Identity.load_or_create(folder / "identity.key")
        shelf = Shelf(home.blobs)
        exchange = Exchange(
            home.blobs,
            [TcpTransport(PROTOCOL, host=host, port=port)],
            partials=folder / "partials",
            tokens={relay: token},
        )
        trainer = await asyncio.to_thread(
            lambda: make(
                recipe_of(created),
                unit_sequences=rules.unit_sequences,
                folder=folder,
                blobs=shelf,
                precision=precision,
                threads=threads,
                root=data,
                cache=folder / "data",
            )
        )
        async with exchange:
            relayed = HttpBlobs(relay, token)
            member = Member(
                home,
                StatementVoice(log, identity),
                exchange,
                trainer,
                shelf,
                name=name,
                version=quiltwork.__version__,
                relay=relay,
                publish=relayed.put,
                watch=watch or (lambda state: None),
            )
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                with suppress(RuntimeError, ValueError):  # not in the main thread: whoever embeds it has the signals
                    loop.add_signal_handler(number, member.leave)
            return await member.run()
    finally:
        log.close()


def _created(log: HttpLog) -> Created:
    """The run's first entry. Raises UserError for what is no run of `pretrain`, or one of another protocol."""
    first = next(iter(log.read(0, 1)), None)
    body = None if first is None else decode(first)
    if not isinstance(body, Created):
        raise UserError(f"{log.url} does not keep a run of pretrain.")
    if body.protocol != entries.PROTOCOL:
        raise UserError(
            f"The run {body.run_id!r} follows protocol {body.protocol} (made by version {body.version or 'unknown'}); this is "
            f"version {quiltwork.__version__}, which follows {entries.PROTOCOL}. Install the version that the run was made with."
        )
    return body
