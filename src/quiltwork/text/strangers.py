"""What others wrote, made fit for a terminal or a page: nothing that acts, nothing that hides, bounded."""

from __future__ import annotations

MOST_LETTERS = 100_000
"""Letters shown of one text. A program that needs more is not read in a browser."""

_UNSEEN = "\N{REPLACEMENT CHARACTER}"
_SEEN: dict[int, int | str] = {
    **{code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n"},
    0x7F: 0x2421,
    **dict.fromkeys([*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFFFE, 0xFFFF], _UNSEEN),
}
"""Control letters become their pictures, and marks that turn the reading direction round become visible."""


def plain(text: str, limit: int = MOST_LETTERS) -> str:
    """Give a text that can stand in a UTF-8 page as it is (escaping is another matter), cut at `limit` letters."""
    if len(text) > limit:
        text = f"{text[:limit]}\n[{len(text) - limit:,} more letters are left out]"
    return text.replace("\r\n", "\n").translate(_SEEN).encode("utf-8", "replace").decode("utf-8")


def one_line(text: str, limit: int = 400) -> str:
    """Make a text fit for one line of a terminal: no escapes, no line ends, no direction marks, bounded."""
    seen = " ".join(text[: 4 * limit].split())
    clean = "".join(letter if letter.isprintable() else "\N{MIDDLE DOT}" for letter in seen)
    return clean if len(clean) <= limit else clean[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"
