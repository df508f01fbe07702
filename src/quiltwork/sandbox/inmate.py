"""The candidate's side of the wall: this runs in the jail, as the process that becomes the candidate.

Nothing here is trusted once the program has started: the program shares the process and may rewrite it. What protects the
host is outside (the kernel's limits, the supervisor, and how the host reads replies); this file makes honest programs
reproducible and their failures legible.
"""

from __future__ import annotations

import gc
import io
import math
import os
import resource
import struct
import sys
import traceback
import types
from contextlib import suppress
from typing import Any, Final, NoReturn

from quiltwork.sandbox import chance, kernel, wire

SESSION_FD: Final = 3
FRAME: Final = struct.Struct("<I16s")
"""A frame's head: length of the payload in bytes, and the token of the call that it belongs to."""
PROGRAM_TOKEN: Final = bytes(16)

MiB: Final = 1024 * 1024
_RESERVE: Final = 16 * MiB
"""Address space kept back from the program, so that its MemoryError can be reported."""
_OPEN_FILES: Final = 256
"""For a candidate, and as many for the server, which holds one per session."""
_TASKS: Final = 256
"""Threads and processes together; the kernel does not hold root to it, which is why the server is never root."""
_DETAIL: Final = 8_000
_INNER_ID: Final = 1_000
"""User and group in a session's own namespace: anything but root, to whom exec would give capabilities."""
_REHEARSALS: Final = 50
"""Python rewrites its bytecode when it has run a few times: better in the server, once, than in every fork."""
BROKEN: Final = 70
"""Exit status of a process that could not become a candidate."""


_most: dict[int, int] = {}
"""The hard limits that the server was started under, where there are any."""


def _remember(kind: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        _most[kind] = hard


class SessionLimits:
    """The limits that the kernel is told, in bytes, seconds and counts."""

    FORMAT: Final = struct.Struct("<dQQQI")

    def __init__(self, raw: bytes) -> None:
        self.cpu_s, self.memory, self.tmp, self.reply, self.processes = self.FORMAT.unpack(raw)


class Output(io.RawIOBase):
    """Standard output or error: what does not fit is dropped, so that an honest program never fails for printing."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def fileno(self) -> int:
        """The descriptor that is written to."""
        return self._fd

    def writable(self) -> bool:
        """Say that this can be written to."""
        return True

    def write(self, data: Any) -> int:
        """Write what fits, and claim to have written all."""
        with suppress(OSError):  # full
            os.write(self._fd, data)
        return len(data)


class Cell:
    """How a candidate shuts itself into the namespaces of its own. Made by the server, once."""

    def __init__(self, private: str, *, own_ipc: bool) -> None:
        self._private = private
        self._mount_point = private.encode()
        self._root = f"{private}/program"
        self._ids = os.geteuid(), os.getegid()
        self._namespaces = kernel.NEWUSER | kernel.NEWNS
        if own_ipc:  # with a filter of system calls there is no System V object that could outlive a session
            self._namespaces |= kernel.NEWIPC

    def enter(self, tmp: int) -> None:
        """Take a user that is not root, and a /tmp of `tmp` bytes which hides the server's /proc."""
        kernel.unshare(self._namespaces)
        map_user(self._private, *self._ids)
        kernel.mount_tmpfs(self._mount_point, b"size=%d,nr_inodes=4096,mode=0700" % tmp)
        os.mkdir(self._root)


def map_user(private: str, uid: int, gid: int) -> None:
    """In a fresh user namespace: be the same user as outside, under a number that is not root's."""
    for name, line in (
        ("setgroups", b"deny"),
        ("uid_map", b"%d %d 1" % (_INNER_ID, uid)),
        ("gid_map", b"%d %d 1" % (_INNER_ID, gid)),
    ):
        fd = os.open(f"{private}/proc/self/{name}", os.O_WRONLY)
        os.write(fd, line)
        os.close(fd)


def prepare() -> None:
    """In the server, before any fork: whatever is the same for all candidates."""
    for name, fd in (("stdout", 1), ("stderr", 2)):
        stream = io.TextIOWrapper(Output(fd), encoding="utf-8", errors="backslashreplace", write_through=True)  # type: ignore[type-var]
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    for kind, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_SIGPENDING, 64),
    ):
        _remember(kind)
        _limit(kind, most, most)
    for kind in (resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC, resource.RLIMIT_CPU, resource.RLIMIT_AS):
        _remember(kind)
    chance.tie_down()
    for _ in range(_REHEARSALS):
        wire.decode(wire.encode(["ok", [1, 2.0, "three", {"four": [4.0, 5.0]}, None, True]]))


def settle(session_fd: int, output_fd: int) -> None:
    """Keep the channel, the output and nothing else of the server's."""
    os.dup2(output_fd, 1)
    os.dup2(output_fd, 2)
    os.dup2(session_fd, SESSION_FD)
    os.closerange(SESSION_FD + 1, 1_024)


def stay_with_parent() -> None:
    """Without namespaces: a process group of one's own, which the server can end, and which ends with the server."""
    os.setpgid(0, 0)
    kernel.die_with_parent()


def confine(limits: SessionLimits, base_memory: int, seccomp: kernel.Filter) -> None:
    """Bind this process: limits, privileges, and last the filter of system calls. None can be undone."""
    memory = base_memory + limits.memory
    cpu = math.ceil(limits.cpu_s)
    tasks = _TASKS + limits.processes
    _limit(resource.RLIMIT_FSIZE, limits.tmp, limits.tmp)
    _limit(resource.RLIMIT_NPROC, tasks, tasks)
    _limit(resource.RLIMIT_CPU, cpu, cpu + 1)
    _limit(resource.RLIMIT_AS, memory, memory + _RESERVE)
    kernel.hide_memory()
    kernel.drop_capabilities()
    kernel.no_new_privileges()
    seccomp.install()


def _limit(kind: int, soft: int, hard: int) -> None:
    """Set a limit, or a lower one where this machine's own is lower."""
    most = _most.get(kind, hard)
    resource.setrlimit(kind, (min(soft, most), min(hard, most)))


def live(limits: SessionLimits, root: str) -> NoReturn:
    """Read the program, then answer calls until the host hangs up."""
    try:
        program = wire.decode(_receive()[1])
        entry = os.path.join(root, program["entry"])
        chance.seed(program["seed"])
        _write_files(program["files"], root)
        os.chdir(root)
        sys.path.insert(0, os.path.dirname(entry))
        sys.argv = [program["entry"]]
        gc.enable()
        _answer_calls(limits, root, entry, program["files"][program["entry"]])
    except BaseException:  # noqa: BLE001  the last frame of a process: nothing above it could do better
        traceback.print_exc()
    finally:
        os._exit(BROKEN)


def _answer_calls(limits: SessionLimits, root: str, entry: str, source: str) -> NoReturn:
    module: types.ModuleType | None = None
    while True:
        token, request = _receive()
        try:
            if module is None:
                module = _load(entry, source)
            answer = ["ok", _call(module, *wire.decode(request))]
        except BaseException as error:  # noqa: BLE001  whatever the program raises is an answer, SystemExit too
            answer = _failure(error, root)
        _reply(token, answer, limits, root)


def _receive() -> tuple[bytes, bytes]:
    length, token = FRAME.unpack(_exactly(FRAME.size))
    return token, _exactly(length)


def _exactly(count: int) -> bytes:
    pieces = bytearray()
    while len(pieces) < count:
        piece = os.read(SESSION_FD, min(count - len(pieces), MiB))
        if not piece:
            os._exit(0)  # the host has hung up
        pieces += piece
    return bytes(pieces)


def _write_files(files: dict[str, str], root: str) -> None:
    for path, text in files.items():
        place = os.path.join(root, path)
        if "/" in path:
            os.makedirs(os.path.dirname(place), exist_ok=True)
        fd = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.write(fd, text.encode())
        os.close(fd)


class _NoSuchFunction(Exception):
    pass


class _NotPython(Exception):
    pass


def _load(path: str, source: str) -> types.ModuleType:
    try:
        code = compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, OverflowError) as error:
        raise _NotPython("".join(traceback.format_exception_only(error))) from None
    name = os.path.splitext(os.path.basename(path))[0]
    module = types.ModuleType(name)
    module.__file__ = path
    sys.modules[name] = module
    exec(code, module.__dict__)  # noqa: S102  running what nobody trusts is what a jail is for
    return module


def _call(module: types.ModuleType, function: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    target = getattr(module, function, None)
    if not callable(target):
        raise _NoSuchFunction(f"{os.path.basename(module.__file__ or '')} has no function {function!r}")
    return target(*args, **kwargs)


def _failure(error: BaseException, root: str) -> list[str]:
    if isinstance(error, MemoryError):
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (max(soft, hard), hard))
    if isinstance(error, _NoSuchFunction):
        return ["missing", str(error)]
    if isinstance(error, _NotPython):
        return ["syntax", str(error).replace(root + "/", "")[-_DETAIL:]]
    verdict = "memory" if isinstance(error, MemoryError) else "exited" if isinstance(error, SystemExit) else "raised"
    return [verdict, _text_of(error, root)]


def _text_of(error: BaseException, root: str) -> str:
    """The traceback from the program's first frame on, with file names as the program has them."""
    trace = error.__traceback__
    while trace is not None and not trace.tb_frame.f_code.co_filename.startswith(root):
        trace = trace.tb_next
    lines = traceback.format_exception(type(error), error, trace or error.__traceback__, limit=-16)
    return "".join(lines).replace(root + "/", "").rstrip()[-_DETAIL:]


def _reply(token: bytes, answer: list[Any], limits: SessionLimits, root: str) -> None:
    try:
        payload = wire.encode(answer)
    except wire.WireError as error:
        payload = wire.encode(["reply", str(error)])
    except MemoryError as error:
        payload = wire.encode(_failure(error, root))
    if len(payload) > limits.reply:
        payload = wire.encode(["reply", f"the reply takes {len(payload)} bytes; at most {limits.reply} may cross"])
    frame = memoryview(FRAME.pack(len(payload), token) + payload)
    while frame:
        frame = frame[os.write(SESSION_FD, frame) :]
