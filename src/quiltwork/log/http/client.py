"""A log that a server keeps: what it sends is checked like a stranger's, and what it was sent is looked for after a loss."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from quiltwork.log.entry import HASH_BYTES, MAX_INTEGER, Entry
from quiltwork.log.http import wire
from quiltwork.log.http.channel import Channel, Lost, Patience, SlowDown
from quiltwork.log.http.wire import Append, Page, Trouble
from quiltwork.log.protocol import EMPTY, Conflict, Head, LogCorrupt, chain_on
from quiltwork.log.sequencer import Outcome, Receipt
from quiltwork.log.statement import Statement

PATIENCE_S = 60.0
"""How long a call goes on trying while the server cannot be reached: a restart takes seconds, a dead link is told soon."""

PAUSE_SLICE_S = 0.05
"""How late a follower that waits for its next try may hear that it should stop."""


class _Woken(Exception):
    """A follower was told to stop."""


class HttpLog:
    """The log at `url`, a server's (see `log.http.server`), used with `token`. Threads may share it.

    Calls go on trying for `patience_s` seconds when the server cannot be reached or asks for a rest, then raise
    LogUnavailable. Raises LogRefused for what the token gives no right to, what is too large, and servers of another version.
    """

    def __init__(self, url: str, token: str, *, patience_s: float = PATIENCE_S) -> None:
        self._channel = Channel(url, token, patience_s)

    @property
    def url(self) -> str:
        """The address, without the token."""
        return self._channel.url

    def __repr__(self) -> str:
        return f"HttpLog({self.url!r})"

    def head(self) -> Head:
        """See Log."""
        return self._head(self._channel.ask("GET", "head"))

    def append(self, entries: Sequence[Entry], expect: Head) -> Head:
        """See Log. If the answer is lost, looks whether the entries are there, and sends them again if they are not."""
        head = chain_on(entries, expect)
        body = wire.encode(Append(expect.length, expect.hash, tuple(entries)))
        patience, lost = Patience(self._channel.patience_s), False
        while True:
            try:
                found = self._head(self._channel.ask_once("POST", "entries", body, expect))
            except Conflict:
                if lost and self._landed(entries, expect):
                    return head
                raise
            except (Lost, SlowDown) as error:
                lost = lost or isinstance(error, Lost)
                time.sleep(patience.pause(error))
                if lost and self._landed(entries, expect):
                    return head
            else:
                if found != head:
                    raise LogCorrupt(
                        f"{self.url} says that the log ends at {found}, but what was appended ends at {head}."
                    )
                return head

    def submit(self, statements: Iterable[Statement]) -> Receipt:
        """Let the server's sequencer place statements: see `Sequencer.submit`. What was placed before a loss is not placed twice.

        Raises LogUnavailable if it is not certain that all were placed; submitting them again tells.
        """
        outcomes: list[Outcome] = []
        for batch in _batches(statements):
            answer = self._channel.ask("POST", "statements", wire.encode(batch))
            receipt = self._channel.unpacked(answer, Receipt)
            if len(receipt.outcomes) != len(batch):
                raise LogCorrupt(f"{self.url} gives {len(receipt.outcomes)} outcomes of {len(batch)} statements.")
            outcomes += receipt.outcomes
        return Receipt(tuple(outcomes))

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        """See Log. Raises Broken for entries that do not chain, LogCorrupt for pages that are not what was asked for."""
        before: Head | None = EMPTY if start == 0 else None
        while stop is None or start < stop:
            page = self._page(start, stop)
            stop = page.length if stop is None else min(stop, page.length)
            if not page.entries and start < stop:
                raise LogCorrupt(f"{self.url} gives no entries from {start} on, but says that there are {page.length}.")
            before = _chained(page.entries, start, before)
            yield from page.entries
            start += len(page.entries)

    def follow(
        self, start: int = 0, *, poll_s: float = 0.2, stop: Callable[[], bool] = lambda: False
    ) -> Iterator[Entry]:
        """See Log. The server tells what is new at once; `poll_s` is how often `stop` is asked meanwhile."""

        def wake() -> None:
            self._channel.check_open()
            if stop():
                raise _Woken

        before: Head | None = EMPTY if start == 0 else None
        patience = Patience(self._channel.patience_s)
        try:
            while True:
                try:
                    wake()
                    for page in self._pages(start, wake, poll_s):
                        before = _chained(page.entries, start, before)
                        yield from page.entries
                        start += len(page.entries)
                        patience.renew()
                        wake()
                except (Lost, SlowDown) as error:
                    until = time.monotonic() + patience.pause(error)
                    while time.monotonic() < until:
                        wake()
                        time.sleep(min(poll_s, PAUSE_SLICE_S))
        except _Woken:
            yield from self.read(start)

    def clock_offset_s(self) -> float:
        """Give by how many seconds the server's clock is ahead of this machine's, as well as the link lets it be told."""
        offset = self._channel.clock_offset_s()
        if offset is None:
            self.head()
            offset = self._channel.clock_offset_s()
        if offset is None:
            raise LogCorrupt(f"{self.url} does not tell its time.")
        return offset

    def close(self) -> None:
        """See Log."""
        self._channel.close()

    def _page(self, start: int, end: int | None) -> Page:
        limit = "" if end is None else f"&stop={end}"
        page = self._channel.unpacked(self._channel.ask("GET", f"entries?start={start}{limit}"), Page)
        if end is not None and len(page.entries) > end - start:
            raise LogCorrupt(f"{self.url} gives more entries than were asked for.")
        return page

    def _pages(self, start: int, wake: Callable[[], None], poll_s: float) -> Iterator[Page]:
        for event in self._channel.events(f"follow?start={start}", wake, poll_s):
            try:
                raw = base64.b64decode(event.data, validate=True)
            except ValueError:
                raise LogCorrupt(f"{self.url} sends events that are no base64.") from None
            if event.name == "trouble":
                raise self._channel.failure(self._channel.unpacked(raw, Trouble))
            yield self._channel.unpacked(raw, Page)
        raise Lost(f"{self.url} hung up. Check that it runs.")

    def _head(self, answer: bytes) -> Head:
        head = Head(*self._channel.unpacked(answer, tuple[int, bytes]))
        if not 0 <= head.length <= MAX_INTEGER or len(head.hash) != HASH_BYTES:
            raise LogCorrupt(f"{self.url} gives a head that is none.")
        return head

    def _landed(self, entries: Sequence[Entry], expect: Head) -> bool:
        return bool(entries) and list(self.read(expect.length, expect.length + len(entries))) == list(entries)


def _chained(entries: Sequence[Entry], start: int, before: Head | None) -> Head | None:
    """Check that entries are those from `start` on and follow `before`, if it is known. Raises Broken."""
    return chain_on(entries, before or Head(start, entries[0].prev)) if entries else before


def _batches(statements: Iterable[Statement]) -> Iterator[tuple[Statement, ...]]:
    batch: list[Statement] = []
    size = 0
    for statement in statements:
        more = len(statement.body) + wire.FIELDS_BYTES
        if batch and (len(batch) == wire.MAX_SUBMIT_STATEMENTS or size + more > wire.MAX_SUBMIT_BYTES):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(statement)
        size += more
    if batch:
        yield tuple(batch)
