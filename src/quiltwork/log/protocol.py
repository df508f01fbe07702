"""What every log can do, wherever it lives, and what can go wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from quiltwork.errors import UserError
from quiltwork.log.entry import GENESIS, Entry, fault


class Head(NamedTuple):
    """The end of a log: how many entries it has and the hash of the last one. It commits to all that came before."""

    length: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.length}:{self.hash.hex()}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """Read `length:hash` as printed; ValueError for anything else."""
        length, _, digits = text.partition(":")
        head = cls(int(length), bytes.fromhex(digits))
        if head.length < 0 or len(head.hash) != len(GENESIS):
            raise ValueError(f"{text!r} is not of the form length:hash, with a hash of {2 * len(GENESIS)} digits")
        return head


EMPTY = Head(0, GENESIS)


class Broken(UserError):
    """Entry `seq` is not what its author signed, or not where it was; `why` says what is wrong."""

    def __init__(self, seq: int, why: str) -> None:
        self.seq = seq
        self.why = why
        super().__init__(f"The log is broken at entry {seq}: {why}.")


class Conflict(UserError):
    """Somebody appended first: the log's head is `found`, not the expected one. Nothing was appended."""

    def __init__(self, expected: Head, found: Head) -> None:
        self.expected = expected
        self.found = found
        super().__init__(
            f"Another writer appended to this log: expected {expected.length} entries, found {found.length}. "
            "Read what is new, then decide again."
        )


class LogUnavailable(UserError):
    """The log cannot be opened or written now. What was appended before is safe, and nothing was appended by half."""


class LogCorrupt(UserError):
    """The storage under a log can no longer be read as one."""


class Log(Protocol):
    """An append-only list of entries. Backends share `tests/log/conformance.py`; `docs/log.md` tells how to add one."""

    def head(self) -> Head:
        """Give the end of the log as it is now."""
        ...

    def append(self, entries: Sequence[Entry], expect: Head) -> Head:
        """Append all entries or none, if the log still ends at `expect`; give the new head.

        Raises Conflict if it ends elsewhere, Broken for entries that do not chain on from `expect` (signatures are
        `verify`'s business), LogUnavailable if the storage fails.
        """
        ...

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        """Give entries `start` to `stop` (exclusive; None: to the end), in order, without gaps, in bounded memory.

        Raises Broken where what is stored is no entry.
        """
        ...

    def follow(
        self, start: int = 0, *, poll_s: float = 0.2, stop: Callable[[], bool] = lambda: False
    ) -> Iterator[Entry]:
        """Give entries from `start` on as they appear; look every `poll_s` seconds; end on `stop()`, all read."""
        ...

    def close(self) -> None:
        """Let go of the storage. Closing twice does nothing."""
        ...


def chain_on(entries: Sequence[Entry], expect: Head) -> Head:
    """Check that entries follow `expect` one by one and are well formed; give the head after them. Raises Broken."""
    for entry in entries:
        why = fault(*_fields(entry))
        if not why and entry.seq != expect.length:
            why = f"its seq is {entry.seq}, but {expect.length} entries come before it"
        if not why and entry.prev != expect.hash:
            why = f"its prev is not the hash of {f'entry {entry.seq - 1}' if entry.seq else 'the beginning'}"
        if why:
            raise Broken(expect.length, why)
        expect = Head(expect.length + 1, entry.hash)
    return expect


def _fields(entry: Entry) -> tuple[int, bytes, int, bytes, str, bytes, bytes]:
    return entry.seq, entry.prev, entry.time, entry.author, entry.kind, entry.body, entry.signature
