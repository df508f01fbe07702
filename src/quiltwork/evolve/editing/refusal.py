"""Why a reply makes no program, for people in one line and for the model that wrote it at length."""

from __future__ import annotations

from collections.abc import Sequence

SHOWN_LINES = 60
"""Lines of program that a refusal shows at most: enough to mend an edit, too few to fill a context."""

SHOWN_LINE = 300
"""Characters of one line that are shown."""


class EditRefused(Exception):
    """A reply that makes no program. `reason` is one line, `shown` the text that helps to mend it (it may be empty)."""

    def __init__(self, reason: str, shown: str = "") -> None:
        self.reason = one_line(reason, 400)
        self.shown = shown
        super().__init__(self.reason)


def one_line(text: str, most: int) -> str:
    """Squeeze text into one printable line of at most `most` characters."""
    words = " ".join(text[: 8 * most].split())
    clean = "".join(character if character.isprintable() else "?" for character in words)
    return clean if len(clean) <= most else clean[: most - 3].rstrip() + "..."


def numbered(lines: Sequence[str], first: int, last: int, *, marked: int = 0) -> str:
    """Lines `first` to `last` (from 1, clipped to what there is) with their numbers; a `>` stands before the marked one."""
    first, last = max(1, first), min(len(lines), last)
    shown = range(first, min(last, first + SHOWN_LINES - 1) + 1)
    return "\n".join(f"{'>' if n == marked else ' '}{n:5} | {lines[n - 1][:SHOWN_LINE]}" for n in shown)
