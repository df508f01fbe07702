"""Server-sent events (WHATWG HTML, section 9.2), as far as a log uses them: bytes in, events out."""

from __future__ import annotations

from typing import NamedTuple

from quiltwork.log.http.errand import TooLong


class Event(NamedTuple):
    """One event: its name ("message" if it has none) and its data."""

    name: str
    data: bytes


class Events:
    """Reads a stream that is fed piece by piece. An event of more than `most_bytes` is TooLong."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._pieces: list[bytes] = []
        self._pending = 0
        self._name = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> list[Event]:
        """Take the next bytes; give the events that they complete."""
        *ends, rest = piece.split(b"\n")
        found: list[Event] = []
        for end in ends:
            line = b"".join([*self._pieces, end]).removesuffix(b"\r")
            self._pieces, self._pending = [], 0
            self._take(line, found)
        if rest:
            self._pieces.append(rest)
            self._pending += len(rest)
        if self._pending + self._size > self._most_bytes:
            raise TooLong(f"more than {self._most_bytes} bytes")
        return found

    def _take(self, line: bytes, found: list[Event]) -> None:
        if not line:
            if self._data:
                found.append(Event(self._name.decode("ascii", "replace") or "message", b"\n".join(self._data)))
            self._name, self._data, self._size = b"", [], 0
            return
        field, _, value = line.partition(b":")  # a comment has no field
        value = value.removeprefix(b" ")
        if field == b"event":
            self._name = value[:100]
        elif field == b"data":
            self._data.append(value)
            self._size += len(value) + 1
