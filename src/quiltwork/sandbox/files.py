"""The files of a program, checked before they may enter a jail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from quiltwork.sandbox.limits import CandidateFailed

MAX_FILES: Final = 1_000
MAX_PATH: Final = 200
MAX_BYTES: Final = 8 * 1024 * 1024
"""A program is text that somebody may read; more than this is data in disguise."""


def check_files(files: Mapping[str, str], entry: str, *, tmp_mb: int) -> None:
    """Raise CandidateFailed ("files" or "missing") unless every path is plain, relative and inside the program's folder."""
    if len(files) > MAX_FILES:
        raise CandidateFailed("files", f"{len(files)} files; at most {MAX_FILES} are allowed")
    folders: set[str] = set()
    size = 0
    for path, text in files.items():
        reason = _refusal(path)
        if reason:
            raise CandidateFailed("files", f"path {path!r:.220}: {reason}")
        parts = path.split("/")
        folders.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
        size += len(text.encode(errors="replace"))
    both = folders.intersection(files)
    if both:
        raise CandidateFailed("files", f"path {min(both)!r} is both a file and a folder")
    room = min(MAX_BYTES, tmp_mb * 1024 * 1024 // 2)
    if size > room:
        raise CandidateFailed("files", f"{size} bytes of program; at most {room} are allowed")
    if entry not in files:
        raise CandidateFailed(
            "missing", f"the program has no file {entry!r}; it has {', '.join(sorted(files)) or 'none'}"
        )


def _refusal(path: str) -> str:
    if not path or len(path) > MAX_PATH:
        return f"a path has 1 to {MAX_PATH} characters"
    if path.startswith("/"):
        return "it is absolute"
    if "\\" in path or not path.isprintable():
        return "it has a backslash or a character that cannot be printed"
    if any(part in ("", ".", "..") for part in path.split("/")):
        return "it has an empty part, '.' or '..'"
    return ""
