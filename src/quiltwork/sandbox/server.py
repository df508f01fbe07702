"""The host's end of one warm server: start it, ask it for sessions, notice its death, end it."""

from __future__ import annotations

import inspect
import os
import socket
import subprocess
import types
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from quiltwork.sandbox import chance, inmate, kernel, view, wire, zygote
from quiltwork.sandbox.limits import Limits

_STARTING_S: Final = 120.0
"""Importing scipy from a cold disk takes seconds; longer than this, something hangs."""
_ENDING_S: Final = 10.0

_BOOT: Final = "import socket, sys; s = socket.socket(fileno=int(sys.argv[1])); exec(s.recv(1 << 18)); main(s.detach())"

_LOADER: Final = """
import sys, types
def main(control):
    sys.argv = ["candidate"]
    sys.path += {packages!r}
    for name in ("quiltwork", "quiltwork.sandbox"):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = []
    for name, source in {sources!r}:
        module = sys.modules["quiltwork.sandbox." + name] = types.ModuleType("quiltwork.sandbox." + name)
        setattr(sys.modules["quiltwork.sandbox"], name, module)
        exec(compile(source, "quiltwork/sandbox/" + name + ".py", "exec"), module.__dict__)
    sys.modules["quiltwork.sandbox.zygote"].run(control, **{settings!r})
"""


class ServerFailed(Exception):
    """The server did not start, or has ended: the text says how."""


class Server:
    """One warm server, in bubblewrap or bare. Ends with the thread that started it, at the latest."""

    def __init__(
        self, command: Sequence[str], *, jailed: bool, uid: int, preload: Sequence[str], seccomp: Sequence[bytes]
    ) -> None:
        settings = {"jailed": jailed, "uid": uid, "preload": list(preload), "seccomp": list(seccomp)}
        modules: tuple[types.ModuleType, ...] = (wire, chance, kernel, inmate, zygote)
        sources = [(module.__name__.rpartition(".")[2], inspect.getsource(module)) for module in modules]
        loader = _LOADER.format(packages=view.package_folders(), sources=sources, settings=settings)
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._said = ""
        # What the server prints is read only when it fails; a file has room for it where a pipe could fill up.
        self._errors = open(os.memfd_create("quiltwork-server"), "r+b", buffering=0)  # noqa: SIM115
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603
                [*command, *view.interpreter(), "-c", _BOOT, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=self._errors,
                stderr=self._errors,
                env=view.environment(jailed=jailed),
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # Ctrl-C is the driver's to handle, and must not end a program under evaluation
            )
        self._greet(loader.encode())

    def _greet(self, loader: bytes) -> None:
        self._control.settimeout(_STARTING_S)
        try:
            self._control.send(loader)
            answer = self._control.recv(4_096)
        except TimeoutError:
            answer = f"no answer within {_STARTING_S:.0f} s".encode()
        except OSError as error:
            answer = str(error).encode()
        if answer != zygote.READY:
            said = answer.decode(errors="replace")
            self.kill()
            raise ServerFailed(
                f"{self.last_words()} {said}".strip() or f"it ended with status {self._process.returncode}"
            )
        self._control.settimeout(_ENDING_S)

    @property
    def pid(self) -> int:
        """Process id of the server's outermost process (bubblewrap's)."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether the server still runs."""
        return self._process.poll() is None

    def start(self, limits: Limits, fds: Sequence[int]) -> None:
        """Fork a session with the candidate's ends of its three descriptors. Raises ServerFailed if the server has ended."""
        mebibyte = inmate.MiB
        raw = inmate.SessionLimits.FORMAT.pack(
            limits.cpu_s,
            limits.memory_mb * mebibyte,
            limits.tmp_mb * mebibyte,
            limits.reply_mb * mebibyte,
            limits.processes,
        )
        try:
            socket.send_fds(self._control, [raw], fds)
        except OSError as error:
            raise ServerFailed(f"the jail's server has ended ({error})") from error

    def last_words(self) -> str:
        """The end of what the server printed, at most 2,000 characters."""
        return self._said if self._errors.closed else self._read_end()

    def _read_end(self) -> str:
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - 2_000))
        return self._errors.read().decode(errors="replace").strip()

    def ending(self) -> str:
        """How the server ended, in words."""
        code = self._process.poll()
        if code is None:
            return "it still runs"
        return f"it was ended by signal {-code}" if code < 0 else f"it ended with status {code}"

    def close(self) -> None:
        """End the server, and return when it and all below it are gone."""
        self._control.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDING_S)
        self.kill()

    def kill(self) -> None:
        """End a server that may not answer. What is below it ends soon after."""
        self._control.close()
        self._process.kill()
        self._process.wait(_ENDING_S)
        if not self._errors.closed:
            self._said = self._read_end()
            self._errors.close()
