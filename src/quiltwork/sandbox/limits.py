"""What one session may use, what it used, and how it can fail."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from quiltwork.errors import UserError

Verdict = Literal[
    "raised", "exited", "wall", "cpu", "memory", "signal", "reply", "forged", "missing", "syntax", "files"
]

DETAIL_LIMIT: Final = 8_000
"""Characters of a failure's detail: enough for a traceback, too few to fill a disk."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one session may use. Wall time counts while a call runs; all the rest counts for the session as a whole."""

    wall_s: float = 10.0
    cpu_s: float = 10.0
    memory_mb: int = 1_024
    """Address space in MiB on top of what the warm server already has mapped."""
    tmp_mb: int = 16
    """Private /tmp, in MiB, program included; also the size of the largest file."""
    output_kb: int = 64
    """Standard output and error together, in KiB; what comes after it is dropped."""
    reply_mb: int = 16
    """One reply, in MiB on the wire; decoded it may take four times as much."""
    processes: int = 0
    """Child processes: 0 means none (threads are always allowed)."""


class Usage(msgspec.Struct, frozen=True):
    """What a session used: `cpu_s` of all its processes, its fork included; `wall_s` while calls ran."""

    cpu_s: float = 0.0
    wall_s: float = 0.0


class CandidateFailed(Exception):
    """The program in the jail did not do what was asked of it.

    `verdict` is one of
    "raised"   an exception left the function,
    "exited"   the process ended by itself,
    "wall"     it took too long, "cpu" it used too much processor time, "memory" it asked for too much memory,
    "signal"   a signal ended the process (a crash, the kernel's out-of-memory killer),
    "reply"    it returned what may not cross the wall, or too much of it,
    "forged"   bytes came out of the jail that the call did not send,
    "missing"  no such entry file or function,
    "syntax"   the entry file is not Python,
    "files"    a path or size among the program's files is refused.

    `detail` is a message with the program's own traceback, if there is one: text that a stranger wrote, at most
    DETAIL_LIMIT characters.
    """

    def __init__(self, verdict: Verdict, detail: str) -> None:
        self.verdict: Verdict = verdict
        self.detail = detail if len(detail) <= DETAIL_LIMIT else "[...]" + detail[-(DETAIL_LIMIT - 5) :]
        super().__init__(verdict, self.detail)

    def __str__(self) -> str:
        return f"{self.verdict}: {self.detail}"


class JailUnavailable(UserError):
    """This machine cannot jail a program: the text says why, what to install, and what `--trust` would mean."""
