"""Entries as text: for a person's terminal, and as JSON for a script."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from quiltwork import keys
from quiltwork.log import Entry
from quiltwork.log.kinds import Encoded, plain
from quiltwork.log.statement import Statement, said_in

PIPE_WIDTH = 100_000
"""Columns of a line that goes to a file or another program: nothing is cut short there."""


_HASH = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")


def moment(nanoseconds: int) -> str:
    """Write a time (nanoseconds since 1970) in UTC; as a bare number if it is beyond the calendar."""
    try:
        return f"{datetime.fromtimestamp(nanoseconds // 10**9, UTC):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return f"{nanoseconds} ns"


def printable(text: str) -> str:
    """Make a stranger's text harmless on a terminal: what is not printable is escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def width() -> int:
    """Give the columns of the terminal, or plenty if there is none."""
    return shutil.get_terminal_size((PIPE_WIDTH, 24)).columns


def cut(line: str, columns: int) -> str:
    """Shorten a line to a number of columns."""
    return line if len(line) <= columns else line[: max(0, columns - 1)] + "…"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Align rows under their heads."""
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def data(value: object) -> object:
    """Turn what a body holds into what JSON can say: bytes as hexadecimal digits, infinities and NaN as text."""
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else str(data(key)): data(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [data(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def entry_data(entry: Entry) -> dict[str, object]:
    """Give an entry as plain data for JSON.

    In a relayed statement, `author`, `time`, `kind` and `body` are the statement's; what is the entry's own is in `relayed`.
    """
    said = said_in(entry)
    found = {
        "seq": entry.seq,
        "time": moment(said.time),
        "time_ns": said.time,
        "author": said.author.hex(),
        "kind": said.kind,
        "hash": entry.hash.hex(),
        "prev": entry.prev.hex(),
        "signature": entry.signature.hex(),
        "body": data(plain(said.body)),
    }
    if isinstance(said, Statement):
        found["relayed"] = {
            "kind": entry.kind,
            "by": entry.author.hex(),
            "time": moment(entry.time),
            "time_ns": entry.time,
            "log": said.log.hex(),
            "number": said.number,
            "signature": said.signature.hex(),
        }
    return found


def content(said: Encoded) -> str:
    """Give a body in one line: `field=value`, without empty fields, hashes by their first digits."""
    body = plain(said.body)
    if not isinstance(body, dict):
        return printable(repr(body))
    fields = {name: data(value) for name, value in body.items() if value not in (None, "", [], {})}
    line = "  ".join(f"{name}={_value(value)}" for name, value in fields.items())
    return printable(_HASH.sub(r"\1…", line))


def entry_line(entry: Entry) -> str:
    """Give an entry in one line: for a relayed statement, what it says and who says it, and that it was relayed."""
    said = said_in(entry)
    signed = f"{moment(said.time)}  {keys.short(said.author)}  {entry.hash.hex()[:12]}"
    relayed = "" if said is entry else f"  (relayed by {keys.short(entry.author)})"
    return f"{entry.seq:>6}  {signed}  {said.kind:<20}  {content(said)}{relayed}"


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
