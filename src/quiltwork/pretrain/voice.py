"""How a member reads the run's log and speaks in it: through a sequencer's server, or as one of several writers of a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Protocol

from quiltwork.errors import UserError
from quiltwork.keys import Identity
from quiltwork.log import Body, Conflict, Entry, Log, Speaker, Speakers, Writer
from quiltwork.log.http import HttpLog

MOST_CONFLICTS = 100
"""Appends in a row in which others were faster. With so many writers a log needs a sequencer."""


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
    """Appends to a log that others append to as well, each entry after the last that there is: SQLite, Postgres, Solana."""

    def __init__(self, log: Log, identity: Identity) -> None:
        self.author = identity.author
        self._log = log
        self._writer = Writer(log, identity)

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
        """See Voice."""
        return self._log.read()

    def follow(self, start: int, stop: Callable[[], bool]) -> Iterator[Entry]:
        """See Voice."""
        return self._log.follow(start, stop=stop)

    def close(self) -> None:
        """See Voice."""
        self._log.close()
