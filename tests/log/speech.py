"""Kinds of entry that only the tests know, and hands to write them."""

from __future__ import annotations

from collections.abc import Sequence

from quiltwork.keys import Identity
from quiltwork.log import Body, Entry, Log, MemoryLog, Relayed, Speaker, Statement, Writer, kind, log_id

ALICE = Identity.from_seed(b"a" * 32)
MALLORY = Identity.from_seed(b"m" * 32)
BOB = Identity.from_seed(b"b" * 32)


@kind("speech.said", 1)
class Said(Body, frozen=True):
    words: str


@kind("speech.noted", 1)
class Noted(Body, frozen=True):
    number: int = 0
    share: float = 0.0
    words: str = ""
    data: bytes = b""
    truth: bool = False
    maybe: int | None = None
    numbers: tuple[float, ...] = ()
    table: dict[str, float] = {}  # noqa: RUF012  msgspec copies it
    nested: tuple[Said, ...] = ()


def say(log: Log, *words: str, identity: Identity = ALICE, at: int = 1_700_000_000_000_000_000) -> Sequence[Entry]:
    return Writer(log, identity, clock=lambda: at).append(*[Said(word) for word in words])


def begun(*, owner: Identity = ALICE) -> MemoryLog:
    """A log with its entry 0, so that statements can be made for it."""
    log = MemoryLog()
    say(log, "begin", identity=owner)
    return log


def speaker(log: Log, identity: Identity = MALLORY, first_number: int = 1) -> Speaker:
    return Speaker(identity, log_id(log), first_number, clock=lambda: 1_600_000_000_000_000_000)


def relay(log: Log, *statements: Statement, identity: Identity = ALICE) -> Sequence[Entry]:
    """Append statements as a careless sequencer would: without a look at them."""
    return Writer(log, identity, clock=lambda: 1_700_000_000_000_000_000).append(
        *[Relayed(each) for each in statements]
    )
