"""The jail: one warm server, and sessions on it for as long as anybody asks."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final

from quiltwork.sandbox import machine, syscalls, view, wire
from quiltwork.sandbox.files import check_files
from quiltwork.sandbox.limits import CandidateFailed, JailUnavailable, Limits
from quiltwork.sandbox.server import Server, ServerFailed
from quiltwork.sandbox.session import Session

_PAGE: Final = 4_096
_SEALS: Final = 0x0001 | 0x0002 | 0x0004  # F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW
_ADD_SEALS: Final = 1_033
_PROBE: Final = "def probe():\n    return 'alive'\n"

Way = tuple[Sequence[str], int, tuple[str, ...]]
"""How to start a server: command before the interpreter, uid to become (0: none), and what that way is weak in."""


class Jail:
    """Starts sessions, each one program in a process of its own. One jail per worker process is the intended shape.

    `weaknesses` says in words what this machine, or --trust, leaves open; it is empty where all walls stand.
    """

    def __init__(self, *, trust: bool, preload: Sequence[str]) -> None:
        self.trust = trust
        self._preload = tuple(preload)
        self._lock = threading.Lock()
        self._closed = False
        self._server: Server
        self.weaknesses: tuple[str, ...] = ()
        if sys.platform != "linux":
            raise JailUnavailable(machine.why_no_jail([], trust=trust))
        self._seccomp, missing = _filters(jailed=not trust)
        self._way = self._first_way_that_works()
        self.weaknesses = (*self._way[2], *missing)

    def start(self, files: Mapping[str, str], entry: str, limits: Limits, seed: int) -> Session:
        """Start a program: its files by path, the entry file that calls reach, and what it may use.

        `seed` (64 bits) decides what the program draws. Raises CandidateFailed ("files", "missing") for a program that may
        not enter, and JailUnavailable if the machine no longer lets a session start.
        """
        check_files(files, entry, tmp_mb=limits.tmp_mb)
        try:
            program = wire.encode({"files": dict(files), "entry": entry, "seed": seed})
        except wire.WireError as error:
            raise CandidateFailed("files", str(error)) from None
        ours, theirs = socket.socketpair()
        lifeline, their_lifeline = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        output = _bounded_file(limits.output_kb * 1024)
        with theirs, their_lifeline:
            self._send(limits, (theirs.fileno(), their_lifeline.fileno(), output))
        return Session(ours, lifeline, output, limits, program, self)

    def lose_server(self) -> str:
        """End a server that does not answer, and say how it ended; the next start gets a fresh one."""
        with self._lock:
            server = self._server
            server.kill()
            return f"{server.ending()}. {server.last_words()}".strip()

    def close(self) -> None:
        """End the server and every session on it."""
        self._closed = True
        self._server.close()

    @property
    def server_pid(self) -> int:
        """Process id of the server's outermost process."""
        return self._server.pid

    def __enter__(self) -> Jail:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, limits: Limits, fds: tuple[int, int, int]) -> None:
        if self._closed:
            raise ValueError("the jail is closed")
        with self._lock:
            if self._server.alive():
                with suppress(ServerFailed):
                    self._server.start(limits, fds)
                    return
            self._server.kill()
            try:
                self._server = self._launch(self._way)
                self._server.start(limits, fds)
            except ServerFailed as failure:
                raise JailUnavailable(f"the jail's server ended and cannot be started again: {failure}") from None

    def _first_way_that_works(self) -> Way:
        reasons: list[str] = []
        for way in _ways(trust=self.trust):
            try:
                self._server = self._launch(way)
                self._way = way
                self._prove()
            except (ServerFailed, CandidateFailed, JailUnavailable) as failure:
                reasons.append(f"{way[0][0] if way[0] else 'python'}: {failure}")
            else:
                return way
        raise JailUnavailable(machine.why_no_jail(reasons, trust=self.trust))

    def _launch(self, way: Way) -> Server:
        return Server(way[0], jailed=not self.trust, uid=way[1], preload=self._preload, seccomp=self._seccomp)

    def _prove(self) -> None:
        """A jail that cannot run three words cannot run a program: say so now, and not of the first candidate."""
        try:
            with self.start({"probe.py": _PROBE}, "probe.py", Limits(wall_s=60.0), 0) as session:
                session.call("probe")
        except (CandidateFailed, JailUnavailable):
            self._server.close()
            raise


def open_jail(*, trust: bool = False, preload: Sequence[str] = ("numpy",)) -> Jail:
    """Start a jail whose server has loaded `preload`.

    With `trust` there are no namespaces: limits and the filter of system calls hold, but a program can read what this user
    can read. Raises JailUnavailable, which says what this machine lacks.
    """
    return Jail(trust=trust, preload=preload)


def _ways(*, trust: bool) -> list[Way]:
    if trust:
        return [((), 0, ("--trust: no namespaces, so a program sees this user's files and processes",))]
    ways: list[Way] = []
    for bwrap in view.bubblewraps():
        if os.geteuid() == 0:
            ways.append((view.jailed_command(bwrap, user_namespace=False), view.NOBODY, ()))
        root = ("the server keeps root's user id, which the kernel does not hold to a number of threads",)
        ways.append((view.jailed_command(bwrap, user_namespace=True), 0, root if os.geteuid() == 0 else ()))
    return ways


def _filters(*, jailed: bool) -> tuple[tuple[bytes, bytes], tuple[str, ...]]:
    try:
        return syscalls.filters(jailed=jailed), ()
    except OSError as error:
        return (b"", b""), (f"no filter of system calls: {error}",)


def _bounded_file(size: int) -> int:
    """A file in memory that cannot grow or shrink: whoever floods it fills it, and nobody has to read along."""
    import fcntl

    fd = os.memfd_create("output", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, -(-size // _PAGE) * _PAGE)
    fcntl.fcntl(fd, _ADD_SEALS, _SEALS)
    return fd
