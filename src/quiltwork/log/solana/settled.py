"""What the chain will not take back: entries in a log of their own, in memory or in a file, and how far they go."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

import msgspec

from quiltwork.log.entry import Entry
from quiltwork.log.memory import MemoryLog
from quiltwork.log.protocol import EMPTY, Conflict, Head, Log, LogCorrupt, LogUnavailable
from quiltwork.log.solana.listing import Mark
from quiltwork.log.solana.rule import Rule
from quiltwork.log.sqlite import SqliteLog

WRITTEN_TOGETHER_BYTES = 1 << 20
"""Bodies of entries that wait to be written: a transaction for each append would cost more than the entries."""


class Settled:
    """Final entries, in `cache` if a path is given: an ordinary SQLite log, beside it `<cache>.mark`, where to read on.

    `head` and `mark` are those of the last row at which no batch was unfinished. Raises LogCorrupt and LogUnavailable.
    """

    def __init__(self, rule: Rule, cache: Path | None) -> None:
        self.log: Log = SqliteLog(cache) if cache else MemoryLog()
        self.head = EMPTY
        self.mark: Mark | None = None
        self._rule = rule.id.hex()
        self._waiting: list[Entry] = []
        self._bytes = 0
        self._path = cache.with_name(cache.name + ".mark") if cache else None
        if self._path and self._path.exists():
            self._resume(self._path)

    def add(self, entries: Sequence[Entry]) -> None:
        """Take the next final entries. They are in `log` after `save`, or before."""
        self._waiting.extend(entries)
        self._bytes += sum(len(entry.body) for entry in entries)
        if self._bytes > WRITTEN_TOGETHER_BYTES:
            self._write()

    def save(self, mark: Mark | None, head: Head) -> None:
        """Write down what was added. If `mark` is given, reading can begin after it, with `head` and nothing unfinished."""
        self._write()
        if mark is None or mark == self.mark:
            return
        self.head, self.mark = head, mark
        if self._path:
            text = msgspec.json.encode(_Saved(self._rule, str(head), mark.signature, mark.slot))
            unfinished = self._path.with_name(f".{self._path.name}.{secrets.token_hex(8)}")
            try:
                unfinished.write_bytes(text)
                unfinished.replace(self._path)  # a crash leaves the old mark or the new one; both are true
            except OSError as error:
                raise LogUnavailable(f"Cannot write {self._path}: {error.strerror}. Nothing was lost.") from error

    def _write(self) -> None:
        while self._waiting:
            known = (
                self.log.head()
            )  # beyond our own if a crash came before the mark, or another process shares the file
            for entry in self._waiting[: max(0, known.length - self._waiting[0].seq)]:
                if next(self.log.read(entry.seq, entry.seq + 1)) != entry:
                    raise LogCorrupt(f"Entry {entry.seq} is another in the cache than on the chain. {self._advice()}")
            fresh = [entry for entry in self._waiting if entry.seq >= known.length]
            try:
                self.log.append(fresh, known)
            except Conflict:
                continue
            self._waiting.clear()
            self._bytes = 0

    def _resume(self, path: Path) -> None:
        try:
            saved = msgspec.json.decode(path.read_bytes(), type=_Saved)
            head = Head.parse(saved.head)
        except (msgspec.MsgspecError, ValueError) as error:
            raise LogCorrupt(f"{path} is no mark of a cache: {error}. {self._advice()}") from error
        if saved.rule != self._rule:
            raise LogCorrupt(f"{path} belongs to another log, whose id is {saved.rule}. Give each log its own cache.")
        last = next(self.log.read(head.length - 1, head.length), None) if head.length else None
        if head != (Head(last.seq + 1, last.hash) if last else EMPTY):
            raise LogCorrupt(f"{path} and the log beside it do not belong together. {self._advice()}")
        self.head, self.mark = head, Mark(saved.signature, saved.slot)

    def _advice(self) -> str:
        return f"Remove the cache and {self._path}: all of it is on the chain." if self._path else "Open it anew."


class _Saved(msgspec.Struct):
    rule: str
    head: str
    signature: str
    slot: int
