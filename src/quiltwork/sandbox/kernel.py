"""The few system calls that Python's library has no name for. Runs in the jail's server and in what it forks.

Arguments are made once, here, and not at the call: every page of memory that a fresh fork writes to is a page to copy, and
copying is what a session costs.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import sys
from typing import Final

NEWNS: Final = 0x0002_0000
NEWIPC: Final = 0x0800_0000
NEWUSER: Final = 0x1000_0000
NEWPID: Final = 0x2000_0000

_MS_NOSUID_NODEV: Final = 2 | 4
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_SECCOMP: Final = 22
_PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_FILTER: Final = 2

_CAP_HEAD: Final = struct.pack("<Ii", 0x2008_0522, 0)
_CAP_NONE: Final = bytes(24)
_CAP_SYS_ADMIN_ONLY: Final = struct.pack("<6I", 1 << 21, 1 << 21, 0, 0, 0, 0)
_STACK: Final = 16_384
_VM_AND_FILES: Final = 0x100 | 0x400

# PyDLL keeps the GIL during a call: a fork in between would leave it locked for ever in the child.
_libc = ctypes.PyDLL(None, use_errno=True)
if sys.platform == "linux":
    _long = ctypes.c_ulong
    _libc.prctl.argtypes = (ctypes.c_int, _long, _long, _long, _long)
    _libc.mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, _long, ctypes.c_char_p)
    _libc.capset.argtypes = (ctypes.c_char_p, ctypes.c_char_p)

_bare_fork = getattr(_libc, "_Fork", None)


def fork() -> int:
    """Fork without the handlers that libraries hang on forks: with one thread per process they have nothing to mend."""
    if _bare_fork is None:  # a C library older than glibc 2.34
        return os.fork()
    pid = int(_bare_fork())
    if pid < 0:
        raise _error("fork")
    return pid


def unshare(namespaces: int) -> None:
    """Move into new namespaces (or, for NEWPID, have children born there). Raises OSError where they are forbidden."""
    if _libc.unshare(namespaces) != 0:
        raise _error("unshare")


class Init:
    """Pid 1 of a fresh pid namespace: a process that shares this one's memory and files, sleeps, and does nothing else.

    Sharing makes it free: nothing is copied for it, and it keeps no channel open by itself. It runs one function of the C
    library (`pause`) on a stack of its own. When it is killed, the kernel kills whatever else lives in its namespace.
    """

    def __init__(self) -> None:
        self._stack = ctypes.create_string_buffer(_STACK)
        top = (ctypes.addressof(self._stack) + _STACK) & ~63
        pause = ctypes.cast(_libc.pause, ctypes.c_void_p)
        self.pid = int(_libc.clone(pause, ctypes.c_void_p(top), NEWPID | _VM_AND_FILES | signal.SIGCHLD, None))
        if self.pid < 0:
            raise _error("clone")

    def adopt_children(self) -> None:
        """Have this process's next children born into the namespace, as its pid 2 and so on."""
        fd = os.pidfd_open(self.pid)
        try:
            enter_pid_namespace(fd)
        finally:
            os.close(fd)

    def end(self) -> None:
        """Kill the namespace, and return when nothing is left of it."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def enter_pid_namespace(fd: int) -> None:
    """Have children born into a pid namespace, given by a descriptor of it or of a process in it."""
    if _libc.setns(fd, NEWPID) != 0:
        raise _error("setns")


def mount_tmpfs(path: bytes, options: bytes) -> None:
    """Mount an empty tmpfs."""
    if _libc.mount(b"tmpfs", path, b"tmpfs", _MS_NOSUID_NODEV, options) != 0:
        raise _error("mount")


def drop_capabilities() -> None:
    """Give up every capability."""
    if _libc.capset(_CAP_HEAD, _CAP_NONE) != 0:
        raise _error("capset")


def keep_only_namespace_capability() -> None:
    """Give up every capability but the one to make and enter namespaces (CAP_SYS_ADMIN in a user namespace of one's own)."""
    if _libc.capset(_CAP_HEAD, _CAP_SYS_ADMIN_ONLY) != 0:
        raise _error("capset")


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def hide_memory() -> None:
    """Make this process one whose memory nobody reads: no tracer, and no dump to whatever collects this machine's dumps."""
    _prctl(_PR_SET_DUMPABLE, 0)


def own_proc() -> None:
    """After a change of user, let /proc/self be the new user's: else no session could map its user."""
    _prctl(_PR_SET_DUMPABLE, 1)


def no_new_privileges() -> None:
    """From here on no exec gives anything, and a filter may be installed."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


class _SockFprog(ctypes.Structure):
    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_char_p))


class Filter:
    """A filter of system calls, ready to be installed. Empty bytes are no filter."""

    def __init__(self, program: bytes) -> None:
        self._program = _SockFprog(len(program) // 8, program)
        self._address = ctypes.addressof(self._program)
        self.empty = not program

    def install(self) -> None:
        """Bind this process and all its descendants, for good."""
        if not self.empty:
            _prctl(_PR_SET_SECCOMP, _SECCOMP_FILTER, self._address)


def _prctl(option: int, first: int, second: int = 0) -> None:
    if _libc.prctl(option, first, second, 0, 0) != 0:
        raise _error(f"prctl {option}")


def _error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")
