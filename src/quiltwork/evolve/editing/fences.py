"""Fenced code in a reply, and the prose around it. One pass over the lines, whatever they hold."""

from __future__ import annotations

import re
from dataclasses import dataclass

from quiltwork.evolve.editing.refusal import one_line

NOTE_CHARS = 120
"""How much of what a model says it did is kept."""

# Possessive quantifiers: a line of a million signs is given up at once.
_FENCE = re.compile(r"[ \t]*+(`{3,}+|~{3,}+)([^`]*+)$")
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)")
_EDIT_BEGINS = re.compile(r"[ \t]*<{5,9} ?SEARCH\b")
_EDIT_ENDS = re.compile(r"[ \t]*>{5,9} ?REPLACE\b")


@dataclass(frozen=True, slots=True)
class Fence:
    """One fenced block: what stands behind the opening fence, the last line with words before it, and the code.

    `closed` is false where the reply ends before the fence does.
    """

    info: str
    before: str
    code: str
    closed: bool


def fences(text: str) -> list[Fence]:
    """Find the fenced blocks of a reply (with plain line feeds), in their order."""
    found: list[Fence] = []
    opened, info, lead = "", "", ""
    code: list[str] = []
    for line in text.split("\n"):
        fence = _FENCE.match(line)
        if not opened:
            if fence:
                opened, info, code = fence[1], fence[2].strip(), []
            elif line.strip():
                lead = line.strip()
        elif fence and fence[1].startswith(opened) and not fence[2].strip():
            found.append(Fence(info, lead, "\n".join(code), closed=True))
            opened, lead = "", ""
        else:
            code.append(line)
    if opened:
        found.append(Fence(info, lead, "\n".join(code), closed=False))
    return found


def said(text: str, otherwise: str) -> str:
    """The first sentence outside code of a reply, on one line; `otherwise` where there is none."""
    inside = ""
    for line in text.split("\n"):
        if not inside:
            inside = _opening(line)
            words = "" if inside else line[:2_000].strip().lstrip("#*->= \t").strip("*_` \t")
            if any(character.isalpha() for character in words):
                end = _SENTENCE_END.search(words)
                return one_line(words[: end.end()] if end else words, NOTE_CHARS)
        elif _closes(line, inside):
            inside = ""
    return otherwise


def _opening(line: str) -> str:
    if _EDIT_BEGINS.match(line):
        return "edit"
    fence = _FENCE.match(line)
    return fence[1] if fence else ""


def _closes(line: str, inside: str) -> bool:
    if inside == "edit":
        return _EDIT_ENDS.match(line) is not None
    fence = _FENCE.match(line)
    return fence is not None and fence[1].startswith(inside)
