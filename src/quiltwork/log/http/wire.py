"""What the two sides of a log over HTTP say to each other, and how much of it. `docs/log.md` has every route."""

from __future__ import annotations

import msgspec

from quiltwork.log.entry import MAX_BODY_BYTES, Entry
from quiltwork.log.protocol import Head
from quiltwork.log.statement import Statement

PROTOCOL = 1
PROTOCOL_HEADER = "quiltwork-log"
TIME_HEADER = "quiltwork-time"
MEDIA_TYPE = "application/vnd.msgpack"

PAGE_ENTRIES = 1_000
PAGE_BYTES = 4 << 20
"""Of the bodies in one page: half a second of a fast link, two minutes of the slowest that is put up with."""

EVENT_BYTES = 1 << 20
"""Of the bodies in one event of a follower, who should see news soon and not all at once."""

FIELDS_BYTES = 256
"""More than the fields of an entry take beside its body."""

MAX_ANSWER_BYTES = PAGE_BYTES + MAX_BODY_BYTES + PAGE_ENTRIES * FIELDS_BYTES
MAX_EVENT_BYTES = (EVENT_BYTES + MAX_BODY_BYTES + PAGE_ENTRIES * FIELDS_BYTES) * 4 // 3 + 1_024
"""An event is text: its page in base64. The last entry may go over the limit of a page or event by a whole body."""

MAX_REQUEST_BYTES = 16 << 20
"""An append is one piece and in memory as a whole, on both sides."""

MAX_APPEND_ENTRIES = 4_096
MAX_SUBMIT_STATEMENTS = 256
"""So many take 17 ms to check, which one request may cost the server."""

MAX_SUBMIT_BYTES = 4 << 20


class Page(msgspec.Struct, frozen=True, array_like=True):
    """Entries from where the reader asked, and how long the log was just before."""

    entries: tuple[Entry, ...]
    length: int


class Append(msgspec.Struct, frozen=True, array_like=True):
    """Append these if the log still ends there."""

    length: int
    hash: bytes
    entries: tuple[Entry, ...]

    @property
    def expect(self) -> Head:
        """Where the log must end."""
        return Head(self.length, self.hash)


class Trouble(msgspec.Struct, frozen=True, omit_defaults=True):
    """What stands in an answer that is not the one asked for.

    `found` is the log's head (for "conflict"), `seq` the entry that does not fit ("broken"), `wait_s` when to ask again
    ("slow-down", "busy").
    """

    code: str
    why: str
    found: tuple[int, bytes] | None = None
    seq: int = 0
    wait_s: float = 0.0


Statements = tuple[Statement, ...]

encode = msgspec.msgpack.Encoder().encode
