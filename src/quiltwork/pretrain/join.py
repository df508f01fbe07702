"""A member, put together: from where its run is to a `Member` that runs."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import quiltwork
from quiltwork.blobs.exchange import Exchange
from quiltwork.blobs.http import HttpBlobs
from quiltwork.blobs.iroh import IrohTransport
from quiltwork.blobs.tcp import TcpTransport
from quiltwork.blobs.transport import Transport, TransportError
from quiltwork.blobs.wire import PROTOCOL
from quiltwork.errors import UserError
from quiltwork.keys import Identity
from quiltwork.log import Log
from quiltwork.log.http import HttpLog
from quiltwork.pretrain import meeting
from quiltwork.pretrain.facts import RunState
from quiltwork.pretrain.invitation import parse_invitation
from quiltwork.pretrain.recipe import recipe_of
from quiltwork.pretrain.state import LONGEST_ADDRESS
from quiltwork.pretrain.voice import TICK_S, StatementVoice, Voice, WriterVoice
from quiltwork.run.lock import RunLock, RunLocked, driver_of

if TYPE_CHECKING:  # torch takes seconds to load
    from quiltwork.pretrain.loop import Member
    from quiltwork.pretrain.trainer import Trainer

Make = Callable[..., "Trainer"]

EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104  (compared, not bound)

REACHES = {"tcp": ("tcp",), "iroh": ("iroh",), "both": ("tcp", "iroh")}
"""How members may reach each other, and by which transports, the faster first."""

FIRST_ANSWER_S = 10.0
"""How long one waits for a server that has not answered yet: the address may be wrong."""

AWAY_S = 86_400.0
"""How long for one that has: a night's outage must not cost a run its members."""

TELL_EVERY_S = 5.0
"""How often who waits before a terminal may be told of trouble."""


@dataclass(frozen=True)
class Way:
    """How a member takes part: in which log, and by which relay, if its run has a server."""

    log: Log
    place: str
    relay: str = ""
    token: str = ""
    tick_s: float = TICK_S

    def voice(self, identity: Identity) -> Voice:
        """Speak through the server, or write to the log."""
        return StatementVoice(self.log, identity) if isinstance(self.log, HttpLog) else WriterVoice(self.log, identity)


def find(where: str) -> Way:
    """The way into a run, by its invitation or by its log's address. Raises UserError."""
    if meeting.is_log(where):
        return Way(meeting.enter(where), meeting.shareable(where), tick_s=meeting.tick_s(where))
    if not where.startswith(("http://", "https://")):
        raise UserError(
            f"{where!r} is no way into a run. It is joined by its server's invitation, http://host:port#token, or, if it has no "
            f"server, by the address of its log: {meeting.KINDS}."
        )
    url, token = parse_invitation(where)
    with closing(HttpLog(f"{url}/log", token, patience_s=FIRST_ANSWER_S)) as asked:
        asked.head()
    log = HttpLog(f"{url}/log", token, patience_s=AWAY_S)
    return Way(log, log.url, f"{url}/blobs", token)


async def join(
    where: str | Way,
    folder: Path,
    *,
    name: str = "",
    host: str = "127.0.0.1",
    port: int = 0,
    listen: str = "",
    transport: str = "tcp",
    precision: str = "fp32",
    threads: int = 0,
    data: Path | None = None,
    make: Make | None = None,
    watch: Callable[[RunState], None] | None = None,
    tell: Callable[[str], object] = lambda trouble: None,
) -> str:
    """Join a run and take part until it ends; returns why it ended, as `Member.run` does.

    `where` is the invitation of the run's server, or the address of a log that has none. `folder` is the member's home: whoever
    comes back with it is the same member. Others reach this one at `host` and `port` (0: any free one) by `transport`, one of
    REACHES; where they cannot, they fetch from the run's server, if there is one. It listens there, or at `listen`, if `host` is
    an address that is forwarded to it. Relative paths of data begin at `data`. `watch` sees the state, `tell` what goes wrong
    without ending the member.

    Raises UserError that says what is wrong: the invitation, the token, the server, its version, the log, the data.
    """
    async with AsyncExitStack() as stack:
        way = await asyncio.to_thread(find, where) if isinstance(where, str) else where
        stack.callback(way.log.close)
        created = await asyncio.to_thread(meeting.created_in, way.log, way.place)
        rules = meeting.rules_of(created)
        identity = Identity.load_or_create(folder / "identity.key")
        stack.callback(_lock(folder).release)
        reached = transports(transport, host=host, port=port, listen=listen)

        # What is wrong until here is told at once; torch takes seconds to load.
        from quiltwork.pretrain.home import Home
        from quiltwork.pretrain.loop import Member
        from quiltwork.pretrain.trainer import Trainer

        home = Home(folder)
        shelf = home.shelf
        exchange = Exchange(
            home.blobs,
            reached,
            partials=folder / "partials",
            tokens={way.relay: way.token} if way.relay else None,
        )
        trainer = await asyncio.to_thread(
            lambda: (make or Trainer)(
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
        await stack.enter_async_context(exchange)
        _check(exchange.addresses)
        relay = HttpBlobs(way.relay, way.token, patience_s=AWAY_S) if way.relay else None
        if relay is not None:
            stack.callback(relay.close)
        member = Member(
            home,
            way.voice(identity),
            exchange,
            trainer,
            shelf,
            name=name,
            version=quiltwork.__version__,
            relay=way.relay,
            publish=None if relay is None else relay.put,
            tick_s=way.tick_s,
            watch=watch or (lambda state: None),
        )
        _leave_when_asked(member)
        telling = asyncio.create_task(_tell_trouble(member, tell))
        stack.callback(telling.cancel)
        why = await member.run()
        loaded = member.node.mine.loaded
        if why == "finished" and loaded is not None and not way.relay:
            await asyncio.to_thread(trainer.keep, loaded.round)  # nobody else keeps it for them
        return why


def _lock(folder: Path) -> RunLock:
    """Be the only one at home. Raises UserError: two with one key would say different things under the same numbers."""
    place = folder / "lock"
    try:
        return RunLock(place)
    except RunLocked as error:
        raise UserError(
            f"The member whose home is {folder} runs already ({driver_of(place) or 'until a moment ago'}). Give another one a "
            "--name, or a --folder, of its own."
        ) from error


def _leave_when_asked(member: Member) -> None:
    """Let the first signal ask for a goodbye, and the next one have its usual, sudden effect."""
    loop = asyncio.get_running_loop()

    def leave() -> None:
        member.leave()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(RuntimeError, ValueError):  # not in the main thread: whoever embeds it has the signals
            loop.add_signal_handler(number, leave)


def transports(reach: str, *, host: str, port: int, listen: str = "") -> list[Transport]:
    """Those of one of REACHES, listening at an address. Raises UserError for another, and where a package is missing."""
    if host in EVERYWHERE:
        raise UserError(
            f"--host {host} is no address at which others reach this machine. To listen at all: --listen {host}"
        )
    place: dict[str, Any] = {"host": listen or host, "port": port, "advertise": host if listen else None}
    if reach not in REACHES:
        raise UserError(f"transport {reach!r} is none of {', '.join(REACHES)}")
    made: list[Transport] = []
    for scheme in REACHES[reach]:
        if scheme == "tcp":
            made.append(TcpTransport(PROTOCOL, **place))
            continue
        try:
            made.append(IrohTransport(PROTOCOL, **place))
        except TransportError as error:
            raise UserError(f"transport {reach!r}: {error} Without it there is tcp.") from error
    return made


def _check(addresses: tuple[str, ...]) -> None:
    for address in addresses:
        if len(address) > LONGEST_ADDRESS:
            raise UserError(
                f"This machine's address has {len(address)} characters, and a run takes {LONGEST_ADDRESS}: {address}. It has "
                "many networks; name the one at which others reach it with --host."
            )


async def _tell_trouble(member: Member, tell: Callable[[str], object]) -> None:
    """Say what goes wrong, once: a log that cannot be written, a time that stands still."""
    told = ["", ""]
    while True:
        await asyncio.sleep(TELL_EVERY_S)
        now = [member.trouble, meeting.standstill(member.node.state, member.node.author)]
        for words in now:
            if words and words not in told:
                tell(words)
        told = now
