"""The candidate's side of the wall: this runs in the jail, as the process that becomes the candidate.

Nothing here is trusted once the program has started: the program shares the process and may rewrite it. What protects the
host is outside (the kernel's limits, the supervisor, and how the host reads replies); this file makes honest programs
reproducible and their failures legible.
"""

from __future__ import annotations

import ctypes
import gc
import hashlib
import io
import os
import random
import resource
import signal
import struct
import sys
import traceback
import types
from contextlib import suppress
from typing import Any, Final, NoReturn

from quiltwork.sandbox import wire

SESSION_FD: Final = 3
FRAME: Final = struct.Struct("<I16s")
"""A frame's head: length of the payload in bytes, and the token of the call that it belongs to."""
PROGRAM_TOKEN: Final = bytes(16)

MiB: Final = 1024 * 1024
_RESERVE: Final = 16 * MiB
"""Address space kept back from the program, so that its MemoryError can be reported."""
_OPEN_FILES: Final = 64
_TASKS: Final = 256
"""Threads and processes together; the kernel does not hold root to it, which is why the server is never root."""
_DETAIL: Final = 8_000
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_SET_SECCOMP: Final = 22
_SECCOMP_FILTER: Final = 2


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


def replace_output() -> None:
    """Make `sys.stdout` and `sys.stderr` unbuffered and unable to fail."""
    for name, fd in (("stdout", 1), ("stderr", 2)):
        stream = io.TextIOWrapper(Output(fd), encoding="utf-8", errors="backslashreplace", write_through=True)  # type: ignore[type-var]
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def confine(limits: SessionLimits, base_memory: int, seccomp: bytes) -> None:
    """Bind this process: limits first, then no new privileges, then the filter of system calls. None can be undone."""
    soft = base_memory + limits.memory
    cpu = int(limits.cpu_s) + 2
    for kind, low, high in (
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_FSIZE, limits.tmp, limits.tmp),
        (resource.RLIMIT_NOFILE, _OPEN_FILES, _OPEN_FILES),
        (resource.RLIMIT_NPROC, _TASKS + limits.processes, _TASKS + limits.processes),
        (resource.RLIMIT_MEMLOCK, 0, 0),
        (resource.RLIMIT_MSGQUEUE, 0, 0),
        (resource.RLIMIT_SIGPENDING, 64, 64),
        (resource.RLIMIT_CPU, cpu, cpu + 1),
        (resource.RLIMIT_AS, soft, soft + _RESERVE),
    ):
        resource.setrlimit(kind, (low, high))
    libc = ctypes.PyDLL(None, use_errno=True)
    _prctl(libc, _PR_SET_NO_NEW_PRIVS, 1)
    if seccomp:
        _filter(libc, seccomp)


def _prctl(libc: ctypes.PyDLL, option: int, *arguments: Any) -> None:
    padded = [*arguments, 0, 0, 0, 0][:4]
    if libc.prctl(option, *(ctypes.c_ulong(each) if isinstance(each, int) else each for each in padded)) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")


class _SockFprog(ctypes.Structure):
    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _filter(libc: ctypes.PyDLL, program: bytes) -> None:
    buffer = ctypes.create_string_buffer(program, len(program))
    head = _SockFprog(len(program) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    _prctl(libc, _PR_SET_SECCOMP, _SECCOMP_FILTER, ctypes.byref(head))


def seed_everything(seed: int) -> None:
    """Make what a program draws a function of the seed: `random`, numpy old and new, `os.urandom`, `uuid4`."""
    source = random.Random(hashlib.blake2b(seed.to_bytes(16, "little", signed=True)).digest())  # noqa: S311
    original = random.Random.seed

    def urandom(size: int, /) -> bytes:
        return source.randbytes(size)

    def seeded(self: random.Random, a: Any = None, version: int = 2) -> None:
        original(self, source.getrandbits(128) if a is None else a, version)

    os.urandom = urandom
    random._urandom = urandom  # type: ignore[attr-defined]  # secrets, SystemRandom and numpy's SeedSequence draw here
    random.Random.seed = seeded  # type: ignore[method-assign]
    random.seed = types.MethodType(seeded, random._inst)
    random.seed(seed)
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed(seed % (1 << 32))


def live(limits: SessionLimits, root: str) -> NoReturn:
    """Read the program, then answer calls until the host hangs up."""
    program = wire.decode(_receive()[1])
    seed_everything(program["seed"])
    _write_files(program["files"], root)
    os.chdir(root)
    sys.path.insert(0, os.path.join(root, os.path.dirname(program["entry"])))
    sys.argv = [program["entry"]]
    module: types.ModuleType | None = None
    gc.enable()
    while True:
        token, request = _receive()
        try:
            if module is None:
                module = _load(os.path.join(root, program["entry"]))
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
        with open(place, "x", encoding="utf-8", newline="") as file:
            file.write(text)


class _NoSuchFunction(Exception):
    pass


class _NotPython(Exception):
    pass


def _load(path: str) -> types.ModuleType:
    with open(path, "rb") as file:
        source = file.read()
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


def settle(session_fd: int, output_fd: int, mask: set[int]) -> None:
    """Give this process the descriptors, signals and streams of a fresh one."""
    os.dup2(output_fd, 1)
    os.dup2(output_fd, 2)
    os.dup2(session_fd, SESSION_FD)
    os.closerange(SESSION_FD + 1, 1_024)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
