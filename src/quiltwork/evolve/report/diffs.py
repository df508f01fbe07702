"""What changed from a program to its child, line by line, bounded."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

MOST_LINES = 400
"""Lines shown of one diff; nobody reads more, and ten thousand of them would make the page slow."""

MOST_COMPARED = 4_000
"""Lines of a file from which it is not compared: the time of difflib grows with their square."""

MOST_LETTERS = 1_000
"""Letters shown of one line."""

CONTEXT = 3


class DiffLine(NamedTuple):
    """One line of a diff. `kind` is "file", "hunk", "add", "del", "same" or "more"."""

    kind: str
    text: str


def diff(old: Mapping[str, str], new: Mapping[str, str]) -> list[DiffLine]:
    """Compare two programs; empty when their files are the same."""
    lines: list[DiffLine] = []
    for line in _lines(old, new):
        if len(lines) == MOST_LINES:
            lines.append(DiffLine("more", "the rest of the changes is left out"))
            break
        cut = line if len(line.text) <= MOST_LETTERS else DiffLine(line.kind, line.text[:MOST_LETTERS] + " [cut]")
        lines.append(cut)
    return lines


def _lines(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[DiffLine]:
    for path in sorted({*old, *new}):
        before, after = old.get(path, ""), new.get(path, "")
        if before == after:
            continue
        yield DiffLine("file", path if path in old and path in new else f"{path} ({'new' if path in new else 'gone'})")
        was, now = _split(before), _split(after)
        if max(len(was), len(now)) > MOST_COMPARED:
            yield DiffLine("more", f"too long to compare: {len(was)} lines before, {len(now)} after")
            continue
        for line in list(difflib.unified_diff(was, now, lineterm="", n=CONTEXT))[2:]:
            kind = {"@": "hunk", "+": "add", "-": "del"}.get(line[:1], "same")
            yield DiffLine(kind, line if kind == "hunk" else line[1:])


def _split(text: str) -> list[str]:
    """Part a text at its line feeds alone: `str.splitlines` also parts at letters that no editor ends a line with."""
    return text.removesuffix("\n").split("\n") if text else []


def changed(lines: list[DiffLine]) -> tuple[int, int]:
    """Count lines added and taken away."""
    return sum(line.kind == "add" for line in lines), sum(line.kind == "del" for line in lines)
