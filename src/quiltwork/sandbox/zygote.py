"""The warm server: loads what programs need once, then forks every session from itself.

It runs inside bubblewrap (or, with --trust, bare) and is trusted: it reads fixed-size messages from the host and never a
byte that a candidate wrote. In the jail a session is two processes in a fresh pid namespace: pid 1, which only sleeps, and
pid 2, which becomes the candidate in user and mount namespaces of its own (not pid 1, since the kernel shields an init from
signals and limits). When pid 1 is killed, the kernel ends all that is left in the namespace.

To put children into namespaces the server needs a capability, and has it in a user namespace that it makes for itself:
there it rules over its sessions and over nothing else.
"""

from __future__ import annotations

import array
import gc
import importlib
import os
import resource
import select
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NamedTuple, NoReturn

from quiltwork.sandbox import inmate, kernel

STATUS: Final = struct.Struct("<cid")
"""What is said on a lifeline: kind, number, processor seconds of the whole session.

Kinds: u the session is over (the candidate's wait status, and what it used); k the same, but the candidate had to be killed
although it had closed its channel; f it could not start (errno).
"""
HUNG_UP: Final = b"?"
"""What the host says on a lifeline before it closes it, if the candidate has closed its channel: is it ending by itself?"""
READY: Final = b"ready"

_IN_MEMORY: Final = ("/dev/shm", "/tmp", ".")  # noqa: S108  a folder of one's own is made in it
_ENDING_MS: Final = 1_000

PRIVATE: Final = "/private"
"""Where a session's tmpfs is mounted in the jail. Before that, the server finds its /proc there; after it, nobody does."""


class Running(NamedTuple):
    """A session that runs: its candidate, and what of it must be cleared away."""

    pid: int
    init: kernel.Init | None
    folder: str


class Server:
    """Starts and ends sessions on the host's word, until the host hangs up."""

    def __init__(self, control: socket.socket, *, jailed: bool, seccomp: Sequence[bytes]) -> None:
        self._control = control
        self._filters = [kernel.Filter(program) for program in seccomp]
        self._base_memory = _mapped_bytes()
        self._cell = inmate.Cell(PRIVATE, own_ipc=not all(seccomp)) if jailed else None
        self._own_pids = os.open(f"{_proc()}/self/ns/pid", os.O_RDONLY) if jailed else -1
        self._folders = None if jailed else Folders()
        self._running: dict[int, Running] = {}
        self._poll = select.poll()

    def serve(self) -> None:
        """Wait for the host to ask for a session, or to hang up on one."""
        self._poll.register(self._control, select.POLLIN)
        while True:
            for fd, _ in self._poll.poll():
                if fd != self._control.fileno():
                    self._end(fd)
                elif not self._accept():
                    for lifeline in [*self._running]:
                        self._clear(lifeline, b"u")
                    if self._folders is not None:
                        self._folders.remove()
                    return

    def _accept(self) -> bool:
        raw, fds = _receive(self._control)
        if raw and len(fds) == 3:
            self._start(inmate.SessionLimits(raw), *fds)
        return bool(raw)

    def _start(self, limits: inmate.SessionLimits, session: int, lifeline: int, output: int) -> None:
        try:
            running = self._fork_jailed() if self._cell else self._fork_bare()
        except OSError as error:
            _say(lifeline, b"f", error.errno or 0, 0.0)
            os.close(lifeline)
        else:
            if running.pid == 0:
                self._become_candidate(limits, (session, lifeline, output), running.folder)
            self._running[lifeline] = running
            self._poll.register(lifeline, select.POLLIN)  # the host writes only when it hangs up
        finally:
            os.close(session)
            os.close(output)

    def _fork_jailed(self) -> Running:
        init, pid = kernel.Init(), -1
        try:
            init.adopt_children()
            pid = kernel.fork()
        finally:
            if pid != 0:
                kernel.enter_pid_namespace(self._own_pids)
            if pid < 0:
                init.end()
        return Running(pid, init, f"{PRIVATE}/program")

    def _fork_bare(self) -> Running:
        assert self._folders is not None
        folder = self._folders.make()
        return Running(kernel.fork(), None, folder)

    def _become_candidate(self, limits: inmate.SessionLimits, fds: tuple[int, int, int], folder: str) -> NoReturn:
        session, lifeline, output = fds
        try:
            if self._cell:
                self._cell.enter(limits.tmp)
            else:
                inmate.stay_with_parent()
        except OSError as error:  # the machine's fault, and said while nobody else can say so
            _say(lifeline, b"f", error.errno or 0, 0.0)
            os._exit(inmate.BROKEN)
        try:
            inmate.settle(session, output)
            inmate.confine(limits, self._base_memory, self._filters[1 if limits.processes else 0])
        except BaseException:  # noqa: BLE001  the first frames of a process: nothing above them could do better
            traceback.print_exc()
            os._exit(inmate.BROKEN)
        inmate.live(limits, folder)

    def _end(self, lifeline: int) -> None:
        """End a session at the host's word."""
        asked = os.read(lifeline, len(HUNG_UP)) == HUNG_UP
        self._clear(lifeline, b"k" if asked and not _ends_by_itself(self._running[lifeline].pid) else b"u")

    def _clear(self, lifeline: int, kind: bytes) -> None:
        """End a session, leave nothing of it, and say what it used."""
        running = self._running.pop(lifeline)
        self._poll.unregister(lifeline)
        if running.init is None:
            with suppress(OSError):  # the group is gone, or was never made
                os.killpg(running.pid, signal.SIGKILL)
        os.kill(running.pid, signal.SIGKILL)
        _, status, usage = os.wait4(running.pid, 0)
        if running.init is not None:
            running.init.end()
        if self._folders is not None:
            self._folders.remove(running.folder)
        _say(lifeline, kind, status, usage.ru_utime + usage.ru_stime)
        os.close(lifeline)


class Folders:
    """Without a tmpfs per session: a folder per session, made and removed by hand, in memory where the machine allows it.

    (`tempfile` and `shutil` would do, and bring twenty mappings for every fork to copy.)
    """

    def __init__(self) -> None:
        parent = next(path for path in _IN_MEMORY if os.access(path, os.W_OK))
        self._sweep(parent)
        self._base = f"{parent}/quiltwork-{os.getpid()}-{time.monotonic_ns()}"
        os.mkdir(self._base, 0o700)
        self._count = 0

    def _sweep(self, parent: str) -> None:
        """Remove what servers left behind that were killed."""
        for name in os.listdir(parent):
            mark, _, rest = name.partition("-")
            pid = rest.partition("-")[0]
            if mark == "quiltwork" and pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
                self.remove(f"{parent}/{name}")

    def make(self) -> str:
        """A new folder."""
        self._count += 1
        path = f"{self._base}/{self._count}"
        os.mkdir(path)
        return path

    def remove(self, path: str = "") -> None:
        """Remove a folder and all that is in it; by default, all folders."""
        with suppress(OSError):
            with os.scandir(path or self._base) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        self.remove(entry.path)
                    else:
                        os.unlink(entry.path)
            os.rmdir(path or self._base)


def _ends_by_itself(pid: int) -> bool:
    """Whether a process that has closed its channel ends at once, as exiting processes do."""
    pidfd = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        return bool(poll.poll(_ENDING_MS))
    finally:
        os.close(pidfd)


def _say(lifeline: int, kind: bytes, number: int, cpu_s: float) -> None:
    with suppress(OSError):  # the host has gone
        os.write(lifeline, STATUS.pack(kind, number, cpu_s))


def _receive(control: socket.socket) -> tuple[bytes, list[int]]:
    fds = array.array("i")
    raw, ancillary, _, _ = control.recvmsg(inmate.SessionLimits.FORMAT.size, socket.CMSG_SPACE(3 * fds.itemsize))
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return raw, fds.tolist()


def _proc() -> str:
    return f"{PRIVATE}/proc" if os.path.isdir(f"{PRIVATE}/proc/self") else "/proc"


def _mapped_bytes() -> int:
    with open(f"{_proc()}/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _become(uid: int) -> None:
    """Give up root's uid: files and process counts are then held against a user who owns nothing."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    kernel.own_proc()


def _load(preload: Sequence[str]) -> None:
    for name in preload:
        importlib.import_module(name)
    if "numpy" in sys.modules:
        importlib.import_module("numpy.random")
    inmate.prepare()
    gc.collect()
    gc.disable()
    gc.freeze()


def _rule_own_namespaces() -> None:
    """Go on as pid 1 in user and pid namespaces of one's own; the process that was here waits for the end."""
    ids = os.geteuid(), os.getegid()
    kernel.unshare(kernel.NEWUSER | kernel.NEWPID)
    inmate.map_user(PRIVATE, *ids)
    pid = kernel.fork()
    if pid != 0:
        _, status = os.waitpid(pid, 0)
        os._exit(min(255, abs(os.waitstatus_to_exitcode(status))))
    kernel.keep_only_namespace_capability()


def run(control_fd: int, *, jailed: bool, uid: int, preload: Sequence[str], seccomp: Sequence[bytes]) -> None:
    """Become the server: say READY (or what failed) to the host, then serve."""
    control = socket.socket(fileno=control_fd)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        if uid:
            _become(uid)
        kernel.drop_capabilities()
        if jailed:
            _rule_own_namespaces()
        else:
            kernel.die_with_parent()
        _load(preload)
        server = Server(control, jailed=jailed, seccomp=seccomp)
    except (ImportError, OSError) as error:
        control.send(f"{type(error).__name__}: {error}".encode()[:2_000])
        return
    control.send(READY)
    server.serve()
