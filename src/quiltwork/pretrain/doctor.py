"""Why does a link fail? Everything that joining needs, tried one by one, each with what to do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

import quiltwork
from quiltwork.blobs.http import HttpBlobs
from quiltwork.blobs.tcp import TcpTransport
from quiltwork.blobs.transport import TransportError
from quiltwork.blobs.wire import PROTOCOL
from quiltwork.errors import UserError
from quiltwork.log import decode
from quiltwork.log.http import HttpLog
from quiltwork.pretrain import entries
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
    """Try all that joining by this invitation needs; what cannot be tried after a failure is left out."""
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


def _members(log: HttpLog, server: str) -> Iterator[Check]:
    state = RunState()
    for entry in log.read():
        apply(state, entry)
    yield Check("phase", True, f"{state.phase}, round {state.last}, {len(state.here())} members are here")
    for member in state.members.values():
        if member.health not in HERE:
            continue
        name = f"member {member.said.name or member.author[:4].hex()}"
        for address in member.said.addresses:
            if not address.startswith("tcp://"):
                continue
            said = asyncio.run(_dial(address))
            loopback = address.startswith("tcp://127.") and server not in ("127.0.0.1", "localhost")
            if said and loopback:
                said += " It is this machine's own loopback address: that member was started without --host."
            yield Check(name, True if not said else None, said or f"{address} answers")
            if said:
                yield Check(name, None, "what it publishes comes by way of the server, which is slower")


async def _dial(address: str) -> str:
    transport = TcpTransport(PROTOCOL, host="127.0.0.1", port=0)
    try:
        stream = await transport.dial(address)
        await stream.aclose()
    except TransportError as error:
        return str(error)
    finally:
        await transport.aclose()
    return ""
