"""The warm server: loads what programs need once, then forks one process tree per session.

It runs inside bubblewrap (or, with --trust, bare) and is trusted: it reads fixed-size messages from the host and never a
byte that a candidate wrote. A session is two processes in namespaces of their own: pid 1, the supervisor, which never runs
a line of the program, and pid 2, which becomes the candidate (not pid 1, since the kernel shields an init from signals and
limits). When the supervisor ends, the kernel ends all that is left in its pid namespace.
"""

from __future__ import annotations

import array
import ctypes
import gc
import importlib
import os
import platform
import resource
import select
import shutil
import signal
import socket
import struct
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NoReturn

from quiltwork.sandbox import inmate

STATUS: Final = struct.Struct("<cidd")
"""What a supervisor says at the end: kind, number, processor seconds of the candidate, and of the whole session.

Kinds: x exited (status), s signal (number), c processor time used up, h the host hung up, f could not start (errno).
"""
READY: Final = b"ready"

_CLONE_NEWNS: Final = 0x00020000
_CLONE_NEWIPC: Final = 0x08000000
_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWPID: Final = 0x20000000
_SYS_CLONE: Final = {"x86_64": 56, "aarch64": 220, "riscv64": 220, "ppc64le": 120}
PRIVATE: Final = "/private"
"""Where a session's tmpfs is mounted in the jail. Before that, the server finds its /proc there; after it, nobody does."""
_MS_NOSUID, _MS_NODEV = 2, 4
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_CHILD_SUBREAPER: Final = 36
_INNER_ID: Final = 1_000
"""User and group in a session's own namespace: anything but root, to whom exec would give capabilities."""
_FEWEST_MS: Final = 20
"""The supervisor looks at the processor clock at most every so many milliseconds."""

_libc = ctypes.PyDLL(None, use_errno=True)  # PyDLL keeps the GIL: a clone in between would leave it locked
_libc.syscall.restype = ctypes.c_long


class Server:
    """Forks sessions on the host's word until the host hangs up."""

    def __init__(self, control: socket.socket, *, jailed: bool, seccomp: Sequence[bytes]) -> None:
        self.control = control
        self.jailed = jailed
        self.seccomp = seccomp
        self.base_memory = _mapped_bytes()
        self.ids = (os.geteuid(), os.getegid())

    def serve(self) -> None:
        """One message, one session. Children are not waited for: the kernel reaps them."""
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while True:
            raw, fds = _receive(self.control)
            if not raw:
                return
            if len(fds) == 3:
                self._start(inmate.SessionLimits(raw), *fds)
            for fd in fds:
                os.close(fd)

    def _start(self, limits: inmate.SessionLimits, session: int, lifeline: int, output: int) -> None:
        try:
            pid = self._clone(limits)
        except OSError as error:
            _say(lifeline, b"f", error.errno or 0, 0.0)
            return
        if pid == 0:
            self._supervise(limits, session, lifeline, output)

    def _clone(self, limits: inmate.SessionLimits) -> int:
        if not self.jailed:
            return os.fork()
        flags = _CLONE_NEWUSER | _CLONE_NEWPID | _CLONE_NEWNS | signal.SIGCHLD
        if not self.seccomp[min(limits.processes, 1)]:
            flags |= _CLONE_NEWIPC  # with the filter there is no System V object that could outlive a session
        zero = ctypes.c_ulong(0)
        pid = int(
            _libc.syscall(ctypes.c_long(_SYS_CLONE[platform.machine()]), ctypes.c_ulong(flags), zero, zero, zero, zero)
        )
        if pid < 0:
            raise OSError(ctypes.get_errno(), "clone")
        return pid

    def _supervise(self, limits: inmate.SessionLimits, session: int, lifeline: int, output: int) -> NoReturn:
        root = ""
        try:
            self.control.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            root = self._private_root(limits)
            mask = {int(each) for each in signal.pthread_sigmask(signal.SIG_BLOCK, ())}
            child = os.fork()
            if child == 0:
                self._become_candidate(limits, session, output, mask, root)
            os.close(session)
            os.close(output)
            _say(lifeline, *_watch(child, lifeline, limits.cpu_s))
            if not self.jailed:
                _kill_descendants()
        except OSError as error:
            _say(lifeline, b"f", error.errno or 0, 0.0)
        finally:
            if root and not self.jailed:
                shutil.rmtree(root, ignore_errors=True)
            os._exit(0)

    def _private_root(self, limits: inmate.SessionLimits) -> str:
        """A folder that only this session has; in the jail a tmpfs over PRIVATE, which hides the server's /proc under it."""
        if not self.jailed:
            _prctl(_PR_SET_CHILD_SUBREAPER, 1)
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            return tempfile.mkdtemp(prefix="quiltwork-")
        for name, line in (
            ("setgroups", "deny"),
            ("uid_map", f"{_INNER_ID} {self.ids[0]} 1"),
            ("gid_map", f"{_INNER_ID} {self.ids[1]} 1"),
        ):
            with open(f"{PRIVATE}/proc/self/{name}", "w") as file:
                file.write(line)
        options = f"size={limits.tmp},nr_inodes=4096,mode=0700".encode()
        if _libc.mount(b"tmpfs", PRIVATE.encode(), b"tmpfs", _MS_NOSUID | _MS_NODEV, options) != 0:
            raise OSError(ctypes.get_errno(), "mount")
        root = f"{PRIVATE}/program"
        os.mkdir(root)
        os.chdir(root)
        return root

    def _become_candidate(
        self, limits: inmate.SessionLimits, session: int, output: int, mask: set[int], root: str
    ) -> NoReturn:
        try:
            if not self.jailed:
                _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            inmate.settle(session, output, mask)
            _drop_capabilities()
            inmate.confine(limits, self.base_memory, self.seccomp[min(limits.processes, 1)])
            inmate.live(limits, root)
        except BaseException:  # noqa: BLE001  the last frame of a process: nothing above it could do better
            traceback.print_exc()
        finally:
            os._exit(70)


def _watch(child: int, lifeline: int, cpu_s: float) -> tuple[bytes, int, float]:
    """Wait for the candidate's end, or bring it about: its processor time is used up, or the host hangs up."""
    pidfd = os.pidfd_open(child)
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    poll.register(lifeline, select.POLLIN)  # the host never writes: readable means that it has hung up
    clock = (~child << 3) | 2  # the kernel's name for a process's clock, as clock_getcpuclockid makes it
    cores = len(os.sched_getaffinity(0))
    kind = b""
    while not kind:
        left = cpu_s - time.clock_gettime(clock)
        if left <= 0:
            kind = b"c"
            break
        for fd, _ in poll.poll(max(_FEWEST_MS, left * 1_000 / cores)):
            kind = b"x" if fd == pidfd else kind or b"h"
    if kind != b"x":
        os.kill(child, signal.SIGKILL)
    return _ended(child, kind)


def _ended(child: int, kind: bytes) -> tuple[bytes, int, float]:
    while True:
        pid, status, usage = os.wait4(-1, 0)
        if pid == child:
            break
    number = os.waitstatus_to_exitcode(status)
    if kind == b"x" and number < 0:
        kind, number = (b"c" if -number == signal.SIGXCPU else b"s"), -number
    return kind, number, usage.ru_utime + usage.ru_stime


def _say(lifeline: int, kind: bytes, number: int, cpu_s: float) -> None:
    own = resource.getrusage(resource.RUSAGE_SELF)
    below = resource.getrusage(resource.RUSAGE_CHILDREN)
    session_cpu = own.ru_utime + own.ru_stime + below.ru_utime + below.ru_stime
    with suppress(OSError):  # the host has gone
        os.write(lifeline, STATUS.pack(kind, number, cpu_s, session_cpu))


def _kill_descendants() -> None:
    """Without a pid namespace the supervisor inherits orphans, as a subreaper, and ends them until there are none."""
    path = f"/proc/self/task/{os.getpid()}/children"
    while True:
        try:
            with open(path) as file:
                children = [int(pid) for pid in file.read().split()]
            for pid in children:
                os.kill(pid, signal.SIGKILL)
            os.waitpid(-1, 0)
        except (ChildProcessError, FileNotFoundError):
            return
        except ProcessLookupError:
            continue


def _drop_capabilities() -> None:
    head = struct.pack("<Ii", 0x20080522, 0)
    if _libc.capset(ctypes.create_string_buffer(head), ctypes.create_string_buffer(24)) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def _prctl(option: int, value: int) -> None:
    zero = ctypes.c_ulong(0)
    if _libc.prctl(option, ctypes.c_ulong(value), zero, zero, zero) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def _mapped_bytes() -> int:
    proc = f"{PRIVATE}/proc" if os.path.isdir(f"{PRIVATE}/proc/self") else "/proc"
    with open(f"{proc}/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _receive(control: socket.socket) -> tuple[bytes, list[int]]:
    fds = array.array("i")
    raw, ancillary, _, _ = control.recvmsg(inmate.SessionLimits.FORMAT.size, socket.CMSG_SPACE(3 * fds.itemsize))
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return raw, fds.tolist()


def become_nobody(uid: int) -> None:
    """Give up root's uid: files and process counts are then held against a user who owns nothing."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    _prctl(_PR_SET_DUMPABLE, 1)  # else /proc/self would stay root's, and no session could map its user


def run(control_fd: int, *, jailed: bool, uid: int, preload: Sequence[str], seccomp: Sequence[bytes]) -> None:
    """Become the server: say READY (or what failed) to the host, then serve."""
    control = socket.socket(fileno=control_fd)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else signal.SIG_DFL)
    try:
        if not jailed:
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if uid:
            become_nobody(uid)
        _drop_capabilities()
        for name in preload:
            importlib.import_module(name)
        if "numpy" in sys.modules:
            importlib.import_module("numpy.random")
        inmate.replace_output()
        gc.collect()
        gc.disable()
        gc.freeze()
        server = Server(control, jailed=jailed, seccomp=seccomp)
    except (ImportError, OSError) as error:
        control.send(f"{type(error).__name__}: {error}".encode()[:2_000])
        return
    control.send(READY)
    server.serve()
