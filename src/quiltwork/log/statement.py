"""Statements: what an author says for a particular log without knowing its head, so that many may speak at once.

An entry names the entry before it, so of all who append at the same time one succeeds and the others begin again. A
statement names the log alone, and a number by which its author counts. A sequencer puts it in its place: it appends an
entry of its own, `log.relayed/1`, that carries the statement. Who speaks is then the statement's author, not the
sequencer, who can leave a statement out but cannot change it, nor say it twice: `Speakers` tells who really speaks.

`docs/log.md` has every byte.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from enum import StrEnum
from threading import Lock
from typing import NamedTuple

import msgspec
from blake3 import blake3

from quiltwork import keys
from quiltwork.keys import AUTHOR_BYTES, SIGNATURE_BYTES, Identity
from quiltwork.log.entry import HASH_BYTES, MAX_BODY_BYTES, MAX_INTEGER, Entry, is_kind
from quiltwork.log.kinds import Body, InvalidBody, Malformed, Unknown, decode, encode, kind
from quiltwork.log.protocol import Log, LogUnavailable

MAX_STATEMENT_BODY_BYTES = MAX_BODY_BYTES - 512
"""Less than an entry's, since an entry's body must hold the whole statement: its other fields take 240 bytes at most."""

_PREFIX = (
    b"quiltwork.statement/1\n"  # so that no signature made for an entry can pass for a statement's, nor the reverse
)
_HEADER = struct.Struct(f">{len(_PREFIX)}s{HASH_BYTES}sQQ{AUTHOR_BYTES}sI")


class Statement(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What an author says for the log that begins with the entry whose hash is `log`, as their `number`th.

    Numbers begin at 1 and only ever rise; they may leave some out. `time` is in nanoseconds since 1970, by the author's
    clock. `body` is as in an entry.
    """

    author: bytes
    log: bytes
    number: int
    time: int
    kind: str
    body: bytes
    signature: bytes

    @property
    def hash(self) -> bytes:
        """BLAKE3-256 of the signed bytes: what the signature signs, and what a statement is known by."""
        name = self.kind.encode()
        header = _HEADER.pack(_PREFIX, self.log, self.number, self.time, self.author, len(name))
        return blake3(header + name + self.body).digest()


@kind("log.relayed", 1)
class Relayed(Body, frozen=True):
    """The author of this entry passes on, unchanged, what another has said."""

    statement: Statement


RELAYED = "log.relayed/1"


class Fault(StrEnum):
    """Why a statement is not heard, for programs."""

    MALFORMED = "malformed"
    OTHER_LOG = "other-log"
    NUMBER_USED = "number-used"
    FORGED = "forged"


class Refused(NamedTuple):
    """A statement that is not heard: it changes nothing, and `why` says why not."""

    code: Fault
    why: str

    def __str__(self) -> str:
        return f"the statement is not heard: {self.why}"


class Spoken(NamedTuple):
    """Who says what. `seq` is its place in the log, `time` is by the author's clock."""

    author: bytes
    body: Body | Unknown | Malformed
    seq: int
    time: int


def check(statement: Statement, *, signature: bool = True) -> Refused | None:
    """Say what is wrong with a statement whatever the log, if anything. Never raises."""
    if why := _fault(statement):
        return Refused(Fault.MALFORMED, why)
    if signature and not keys.verify(statement.author, statement.hash, statement.signature):
        return Refused(Fault.FORGED, f"its signature is not that of {statement.author.hex()} for this content")
    return None


class Speakers:
    """The fold that tells for each entry of a log who really speaks. Feed it every entry, from the first.

    An entry speaks for its author, and a relayed statement for the statement's, if it is for this log and its number is
    above all that its author used before. With `signatures` every statement's signature is checked (68 µs). Without,
    those that the author of entry 0 relays are taken to be right, since whoever owns the log checks them before they are
    appended and `verify` afterwards; what anybody else relays is checked all the same.
    """

    def __init__(self, *, signatures: bool = False) -> None:
        self.log: bytes | None = None
        self._signatures = signatures
        self._owner = b""
        self._numbers: dict[bytes, int] = {}

    def last_number(self, author: bytes) -> int:
        """Give the number of the author's last statement that was heard; 0 if there is none."""
        return self._numbers.get(author, 0)

    def hear(self, entry: Entry) -> Spoken | Refused:
        """Take the next entry, and tell who says what. Never raises."""
        said = self.attribute(entry)
        if isinstance(said, Refused):
            return said
        return Spoken(said.author, decode(said), entry.seq, said.time)

    def attribute(self, entry: Entry) -> Entry | Statement | Refused:
        """Take the next entry, and give what speaks: itself, or the statement in it. Never raises."""
        if entry.seq == 0:
            self.log, self._owner = entry.hash, entry.author
        if entry.kind != RELAYED:
            return entry
        body = decode(entry)
        if not isinstance(body, Relayed):
            return Refused(Fault.MALFORMED, str(body))
        statement = body.statement
        refused = check(statement, signature=False) or self.misplaced(statement, self.last_number(statement.author))
        if refused is None and (self._signatures or entry.author != self._owner):
            refused = check(statement)
        if refused is not None:
            return refused
        self._numbers[statement.author] = statement.number
        return statement

    def misplaced(self, statement: Statement, last: int) -> Refused | None:
        """Say why a statement cannot stand next in this log, if its author's last number is `last`."""
        if statement.log != self.log:
            return Refused(
                Fault.OTHER_LOG, f"it is for the log that begins with {_shown(statement.log)}, not for this one"
            )
        if statement.number <= last:
            return Refused(
                Fault.NUMBER_USED, f"its number is {statement.number}, but its author has used {last} before"
            )
        return None


class Speaker:
    """One author's voice: bodies become statements for the log `log_id`, in the order of their numbers.

    Threads may share it. After a restart give `first_number`, one more than the last that the log has of this author (see
    `Speakers.last_number`). Statements must be submitted in the order in which they were made: one that comes after a
    later one is refused.
    """

    def __init__(
        self, identity: Identity, log_id: bytes, first_number: int = 1, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self.author = identity.author
        self.log = log_id
        self._identity = identity
        self._clock = clock
        self._number = first_number
        self._lock = Lock()

    def say(self, *bodies: Body) -> tuple[Statement, ...]:
        """Sign the bodies as statements, all with one time. Raises InvalidBody, and then uses no number."""
        encoded = [encode(body) for body in bodies]
        for name, body in encoded:
            if len(body) > MAX_STATEMENT_BODY_BYTES:
                raise InvalidBody(
                    f"{name}: {len(body)} bytes are more than the {MAX_STATEMENT_BODY_BYTES} of a statement; "
                    "put the large part into a blob"
                )
            if name == RELAYED:
                raise InvalidBody(f"{name}: a statement cannot relay another; submit that one as it is")
        with self._lock:
            first, now = self._number, self._clock()
            self._number += len(encoded)
        return tuple(self._sign(number, now, *each) for number, each in enumerate(encoded, first))

    def _sign(self, number: int, now: int, name: str, body: bytes) -> Statement:
        unsigned = Statement(self.author, self.log, number, now, name, body, b"")
        return msgspec.structs.replace(unsigned, signature=self._identity.sign(unsigned.hash))


def log_id(log: Log) -> bytes:
    """Give what statements for a log name: the hash of its entry 0. Raises LogUnavailable if it has none yet."""
    for entry in log.read(0, 1):
        return entry.hash
    raise LogUnavailable("The log has no entry yet, so no statement can be for it. Let its owner begin it.")


def said_in(entry: Entry) -> Entry | Statement:
    """Give what an entry says by its own account: the statement in it, or itself. Nothing is checked."""
    body = decode(entry) if entry.kind == RELAYED else None
    return body.statement if isinstance(body, Relayed) and not _fault(body.statement) else entry


def _fault(statement: Statement) -> str:
    # Spelt out rather than looped over, since folds ask it of every entry
    if type(statement.number) is not int or not 1 <= statement.number <= MAX_INTEGER:
        return "its number is not a whole number from 1 to 2^63-1"
    if type(statement.time) is not int or not 0 <= statement.time <= MAX_INTEGER:
        return "its time is not a whole number from 0 to 2^63-1"
    if type(statement.author) is not bytes or len(statement.author) != AUTHOR_BYTES:
        return f"its author is not {AUTHOR_BYTES} bytes"
    if type(statement.log) is not bytes or len(statement.log) != HASH_BYTES:
        return f"its log is not {HASH_BYTES} bytes"
    if type(statement.signature) is not bytes or len(statement.signature) != SIGNATURE_BYTES:
        return f"its signature is not {SIGNATURE_BYTES} bytes"
    if type(statement.kind) is not str or not is_kind(statement.kind):
        return "its kind is not of the form room.event/version"
    if statement.kind == RELAYED:
        return "it relays another statement"
    if type(statement.body) is not bytes or len(statement.body) > MAX_STATEMENT_BODY_BYTES:
        return f"its body is not bytes, at most {MAX_STATEMENT_BODY_BYTES} of them"
    return ""


def _shown(hash: bytes) -> str:
    return f"{hash[:6].hex()}…"
