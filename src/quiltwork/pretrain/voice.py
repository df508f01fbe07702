"""How a member reads the run's log and speaks in it: through a sequencer's server, or as one of several writers of a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from quiltwork.errors import UserError
from quiltwork.keys import Identity
from quiltwork.log import EMPTY, Body, Conflict, Entry, Log, LogUnavailable, Speaker, Speakers, Writer
from quiltwork.log.http import HttpLog
from quiltwork.log.protocol import chain_on
from quiltwork.log.verify import check_author

MOST_CONFLICTS = 100
"""Appends in a row in which others were faster. With so many writers a log needs a sequencer."""

PATIENCE_S = 86_400.0
"""How long a log may be out of reach before who follows it gives up: a night's outage must not cost a run its members."""

TICK_S = 0.5
"""As Psyche's: how often a member says the time, where there is no server that does."""

AGAIN_S = 0.5
"""Between attempts to reach a log."""


class Voice(Protocol):
    """A member's way to the log. Threads may use it, but only one at a time speaks."""

    author: bytes

    def say(self, body: Body) -> None:
        """Put a body into the log. Raises UserError if that cannot be done now."""

    def read(self) -> Iterator[Entry]:
        """Give all entries that there are."""

    def follow(self, start: int, stop: Callable[[], bool]) -> Iterator[Entry]:
        """Give entries from `start` on as they appear, until `stop()`."""

    def close(self) -> None:
        """Let go of the log."""


class Refused(UserError):
    """The log does not take what was said, and will not when it is said again."""


class StatementVoice:
    """Speaks in statements, which the server of an `HttpLog` puts in order. Read the log before you speak."""

    def __init__(self, log: HttpLog, identity: Identity) -> None:
        self.author = identity.author
        self._log, self._identity = log, identity
        self._speaker: Speaker | None = None

    def say(self, body: Body) -> None:
        """See Voice."""
        assert self._speaker is not None
        for outcome in self._log.submit(self._speaker.say(body)).refused:
            raise Refused(f"The run's log refused {type(body).__name__}: {outcome.why}.")

    def read(self) -> Iterator[Entry]:
        """See Voice. What is read tells which number the next statement has."""
        speakers = Speakers()
        for entry in self._log.read():
            speakers.attribute(entry)
            yield entry
        if speakers.log is None:
            raise UserError("The run's log is empty: its owner has not begun it yet.")
        self._speaker = Speaker(self._identity, speakers.log, speakers.last_number(self.author) + 1)

    def follow(self, start: int, stop: Callable[[], bool]) -> Iterator[Entry]:
        """See Voice."""
        return self._log.follow(start, stop=stop)

    def close(self) -> None:
        """See Voice."""
        self._log.close()


class WriterVoice:
    """Appends to a log that others append to as well, each entry after the last that there is: SQLite, Postgres, Solana.

    Who may write there may not speak for others: what is read must be signed by its author and stand on what came before it.
    """

    def __init__(self, log: Log, identity: Identity, *, patience_s: float = PATIENCE_S) -> None:
        self.author = identity.author
        self._log, self._patience_s = log, patience_s
        self._writer = Writer(log, identity)
        self._head = EMPTY

    def say(self, body: Body) -> None:
        """See Voice."""
        for tries in range(MOST_CONFLICTS):
            try:
                self._writer.append(body)
            except Conflict:
                time.sleep(min(0.001 * tries, 0.1))
            else:
                return
        raise UserError(f"Others were faster {MOST_CONFLICTS} times in a row; this log has too many writers.")

    def read(self) -> Iterator[Entry]:
        """See Voice. Raises Broken at an entry that its author did not sign, or that is not where it was."""
        self._head = EMPTY
        return self._checked(self._log.read())

    def follow(self, start: int, stop: Callable[[], bool]) -> Iterator[Entry]:
        """See Voice. From where `read` or an earlier `follow` ended; raises Broken likewise.

        A log that is out of reach is tried again for `patience_s`; then LogUnavailable is raised.
        """
        if start != self._head.length:
            raise ValueError(f"entry {start} does not follow the {self._head.length} that were read")
        lost_at: float | None = None
        while not stop():
            try:
                for entry in self._checked(self._log.follow(self._head.length, stop=stop)):
                    lost_at = None
                    yield entry
            except LogUnavailable:
                lost_at = lost_at or time.monotonic()
                if time.monotonic() - lost_at > self._patience_s:
                    raise
                time.sleep(AGAIN_S)

    def _checked(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        for entry in entries:
            head = chain_on((entry,), self._head)
            check_author(entry, head.hash)
            self._head = head
            yield entry

    def close(self) -> None:
        """See Voice."""
        self._log.close()
