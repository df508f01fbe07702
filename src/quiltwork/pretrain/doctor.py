"""Why does a link fail? Everything that joining needs, tried one by one, each with what to do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple
from urllib.parse import urlsplit

import quiltwork
from quiltwork.blobs.http import HttpBlobs
from quiltwork.blobs.iroh import IrohTransport
from quiltwork.blobs.tcp import TcpTransport
from quiltwork.blobs.transport import Transport, TransportError
from quiltwork.blobs.wire import PROTOCOL
from quiltwork.errors import UserError
from quiltwork.log import Log, decode
from quiltwork.log.http import HttpLog
from quiltwork.pretrain import entries, meeting
from quiltwork.pretrain.entries import Created
from quiltwork.pretrain.facts import HERE, RunState
from quiltwork.pretrain.serve import parse_invitation
from quiltwork.pretrain.state import apply

PATIENCE_S = 10.0
PROBE_BYTES = 1 << 20

CLOCK_OFF_S = 5.0
"""The run's time is its server's, so a member's clock does not matter; but one that is off so far makes logs hard to read."""


class Check(NamedTuple):
    """One thing that was tried. `ok` None: it works, but there is something to know."""

    name: str
    ok: bool | None
    said: str


def examine(invitation: str) -> Iterator[Check]:
    """Try all that joining by this invitation, or in this log, needs; what cannot be tried after a failure is left out."""
    if meeting.is_log(invitation):
        yield from _meeting(invitation)
        return
    try:
        url, token = parse_invitation(invitation)
    except UserError as error:
        yield Check("invitation", False, str(error))
        return
    yield Check("invitation", True, f"{url}, with a token")
    log = HttpLog(f"{url}/log", token, patience_s=PATIENCE_S)
    try:
        yield from _log(log)
        yield from _relay(f"{url}/blobs", token)
        yield from _members(log, urlsplit(url).hostname or "")
    except UserError as error:
        yield Check("server", False, str(error))
    finally:
        log.close()


def _meeting(address: str) -> Iterator[Check]:
    """What a run without a server needs: a log that can be read and written, and members that answer."""
    began = time.monotonic()
    try:
        with closing(meeting.enter(address)) as log:
            head = log.head()
            took = 1000 * (time.monotonic() - began)
            yield Check(
                "log", True, f"can be read and opened for writing, in {took:.0f} ms; it has {head.length} entries"
            )
            yield from _members(log, None)
    except UserError as error:
        yield Check("log", False, str(error))


def _log(log: HttpLog) -> Iterator[Check]:
    began = time.monotonic()
    head = log.head()
    yield Check(
        "server", True, f"answers in {1000 * (time.monotonic() - began):.0f} ms; its log has {head.length} entries"
    )
    offset = log.clock_offset_s()
    yield Check(
        "clock", True if abs(offset) < CLOCK_OFF_S else None, f"the server's is {offset:+.1f} s ahead of this one's"
    )
    first = next(iter(log.read(0, 1)), None)
    body = None if first is None else decode(first)
    if not isinstance(body, Created):
        yield Check("run", False, "the server does not keep a run of pretrain")
        return
    right = body.protocol == entries.PROTOCOL
    mine = f"this version, {quiltwork.__version__}, follows protocol {entries.PROTOCOL}"
    yield Check("version", right, f"the run was made by {body.version or 'unknown'}, protocol {body.protocol}; {mine}")


def _relay(address: str, token: str) -> Iterator[Check]:
    relay = HttpBlobs(address, token, patience_s=PATIENCE_S)
    data = bytes(PROBE_BYTES)
    try:
        began = time.monotonic()
        id = relay.put(data)
        up = time.monotonic() - began
        began = time.monotonic()
        relay.get(id)
        down = time.monotonic() - began
        yield Check("relay", True, f"1 MB was put in {up:.2f} s (or was there already) and got in {down:.2f} s")
    except UserError as error:
        yield Check("relay", False, str(error))
    finally:
        relay.close()


def _members(log: Log, server: str | None) -> Iterator[Check]:
    """Dial all members. `server` is the host of the run's server, if it has one."""
    state = RunState()
    for entry in log.read():
        apply(state, entry)
    yield Check("phase", True, f"{state.phase}, round {state.last}, {len(state.here())} members are here")
    if server is None and state.here():
        behind = time.time() - state.now / 1e9
        still = "; if nobody is there, it stands still" if behind > CLOCK_OFF_S else ""
        yield Check(
            "clock", None if still or behind < -CLOCK_OFF_S else True, f"the run's time is {behind:.1f} s ago{still}"
        )
    for member in state.members.values():
        if member.health not in HERE:
            continue
        name = f"member {member.said.name or member.author[:4].hex()}"
        for address in member.said.addresses:
            said = asyncio.run(_dial(address))
            loopback = address.startswith("tcp://127.") and server not in ("127.0.0.1", "localhost")
            if said and loopback:
                said += " It is this machine's own loopback address: that member was started without --host."
            yield Check(name, True if not said else None, said or f"{address} answers")
            if said:
                way = "comes by way of the server, which is slower"
                yield Check(name, None, f"what it publishes {way if server is not None else 'must come from others'}")


async def _dial(address: str) -> str:
    try:
        iroh = address.startswith("iroh://")
        transport: Transport = IrohTransport(PROTOCOL, host="0.0.0.0") if iroh else TcpTransport(PROTOCOL)  # noqa: S104
    except TransportError as error:
        return str(error)
    try:
        stream = await transport.dial(address)
        await stream.aclose()
    except TransportError as error:
        return str(error)
    finally:
        await transport.aclose()
    return ""
