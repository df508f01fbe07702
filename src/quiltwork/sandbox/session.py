"""One program's life in the jail, from the host's side of the wall."""

from __future__ import annotations

import os
import secrets
import select
import signal
import socket
import time
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, cast, get_args

from quiltwork.sandbox import inmate, wire, zygote
from quiltwork.sandbox.limits import CandidateFailed, JailUnavailable, Limits, Usage, Verdict

_DECODED: Final = 4
"""How many times its bytes on the wire a reply may take in memory: a list of floats takes exactly four."""
_ENDING_S: Final = 10.0
"""How long a supervisor may take to end its session before the whole server is ended."""
_PIECE: Final = 1 << 20
_FROM_PROGRAM: Final = ("raised", "exited", "memory", "reply", "missing", "syntax")
"""The failures that a candidate's process may report of itself; the others are seen from outside."""


class Session:
    """One jailed process with one program: any number of calls, whose module state lives between them.

    Made by `Jail.start`. A call after a failure that ended the process raises that failure again.
    """

    def __init__(
        self, channel: socket.socket, lifeline: socket.socket, output: int, limits: Limits, program: bytes, jail: Any
    ) -> None:
        self.limits = limits
        self._channel = channel
        self._lifeline = lifeline
        self._output_file = open(output, "rb", buffering=0)  # noqa: SIM115  closed by close()
        self._output = ""
        self._jail = jail
        self._unsent = memoryview(inmate.FRAME.pack(len(program), inmate.PROGRAM_TOKEN) + program)
        self._wall_used = 0.0
        self._ended = False
        self._cpu_s: float | None = None
        self._wait_status = 0
        self._outlived_channel = False
        self._lost = ""
        self._refused = 0
        self._failure: CandidateFailed | None = None
        self._closed = False
        channel.setblocking(False)

    def call(self, function: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call a function of the program's entry file with data, and get data back. Raises CandidateFailed."""
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise ValueError("the session is closed")
        request = wire.encode([function, list(args), kwargs])
        token = secrets.token_bytes(16)
        self._unsent = memoryview(bytes(self._unsent) + inmate.FRAME.pack(len(request), token) + request)
        started = time.monotonic()
        try:
            payload = self._exchange(token, started + self.limits.wall_s - self._wall_used)
        except CandidateFailed as failure:
            self._failure = failure
            raise
        finally:
            self._wall_used += time.monotonic() - started
            if self._failure is not None:
                self.close()
        return self._open(payload)

    @property
    def usage(self) -> Usage:
        """What the session used: processor time is known once it is closed."""
        return Usage(cpu_s=self._cpu_s or 0.0, wall_s=self._wall_used)

    @property
    def output(self) -> str:
        """What the program printed, standard output and error together, up to the limit."""
        if not self._closed:
            self._output = self._read_output()
        return self._output

    def close(self) -> None:
        """End the process and learn what it used. Never waits for the program: its supervisor kills it."""
        if self._closed:
            return
        self._end()
        self._closed = True
        self._output = self._read_output()
        self._output_file.close()
        self._channel.close()
        self._lifeline.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _exchange(self, token: bytes, deadline: float) -> bytes:
        """Send what is unsent while reading the reply: neither side can block the other for ever."""
        head = self._receive(inmate.FRAME.size, deadline)
        length, sent = inmate.FRAME.unpack(head)
        if sent != token:
            raise self._fail("forged", "bytes on the reply channel that the call did not send")
        if length > self.limits.reply_mb * inmate.MiB:
            raise self._fail(
                "reply", f"a reply of {length} bytes was announced; the limit is {self.limits.reply_mb} MiB"
            )
        payload = self._receive(length, deadline)
        if self._stray():
            raise self._fail("forged", "more bytes on the reply channel than the call sent")
        return payload

    def _receive(self, count: int, deadline: float) -> bytes:
        found = bytearray()
        poll = select.poll()
        poll.register(self._lifeline, select.POLLIN)
        while len(found) < count:
            wanted = select.POLLIN | (select.POLLOUT if self._unsent else 0)
            poll.register(self._channel, wanted)
            left = deadline - time.monotonic()
            ready = poll.poll(left * 1_000) if left > 0 else []
            if not ready:
                raise self._fail("wall", f"no answer within {self.limits.wall_s:g} s of wall time")
            self._send_some()
            piece = self._read_some(count - len(found))
            if piece:
                found += piece
            elif piece is not None or self._lifeline.fileno() in dict(ready):
                raise self._gone()
        return bytes(found)

    def _send_some(self) -> None:
        if not self._unsent:
            return
        try:
            self._unsent = self._unsent[self._channel.send(self._unsent[:_PIECE]) :]
        except BlockingIOError:
            return
        except OSError:
            self._unsent = memoryview(b"")  # nobody reads any more: what there is to read tells why

    def _read_some(self, count: int) -> bytes | None:
        """Bytes, or b"" if there will be none, or None if there are none yet."""
        try:
            return self._channel.recv(min(count, _PIECE))
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def _stray(self) -> bool:
        try:
            return bool(self._channel.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def _gone(self) -> CandidateFailed:
        """The candidate hung up: the server says how it ended."""
        with suppress(OSError):
            self._lifeline.send(zygote.HUNG_UP)
        self._end()
        if self._refused:
            raise JailUnavailable(
                f"the jail could not start a session: {os.strerror(self._refused)}. Run `quiltwork doctor`."
            )
        if self._cpu_s is None:
            return CandidateFailed("signal", f"the jail's server ended while this program ran: {self._lost}")
        if self._outlived_channel:
            return CandidateFailed("exited", f"the process closed its channel and lived on{self._printed()}")
        code = os.waitstatus_to_exitcode(self._wait_status)
        if code >= 0:
            return CandidateFailed("exited", f"the process exited with status {code}{self._printed()}")
        if -code == signal.SIGXCPU or (-code == signal.SIGKILL and self._cpu_s >= self.limits.cpu_s):
            return CandidateFailed("cpu", f"more than {self.limits.cpu_s:g} s of processor time")
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        guess = "; was the machine out of memory?" if name == "SIGKILL" else ""
        return CandidateFailed("signal", f"the process was ended by {name}{guess}{self._printed()}")

    def _printed(self) -> str:
        text = self._read_output()[-2_000:].strip()
        return f"; it printed:\n{text}" if text else ""

    def _fail(self, verdict: Verdict, detail: str) -> CandidateFailed:
        self._end()
        return CandidateFailed(verdict, detail)

    def _end(self) -> None:
        """Have the server end the session, and hear what it used."""
        if self._ended:
            return
        self._ended = True
        with suppress(OSError):
            self._lifeline.shutdown(socket.SHUT_WR)
        try:
            self._lifeline.settimeout(_ENDING_S)
            said = self._lifeline.recv(zygote.STATUS.size)
        except OSError:
            said = b""
        if len(said) != zygote.STATUS.size:
            self._lost = self._jail.lose_server()
            return
        kind, number, cpu_s = zygote.STATUS.unpack(said)
        self._cpu_s = cpu_s
        if kind == b"f":
            self._refused = number
        else:
            self._wait_status = number
            self._outlived_channel = kind == b"k"

    def _read_output(self) -> str:
        fd = self._output_file.fileno()
        end = min(os.lseek(fd, 0, os.SEEK_CUR), self.limits.output_kb * 1024)
        return os.pread(fd, end, 0).decode(errors="replace")

    def _open(self, payload: bytes) -> Any:
        """Take a reply apart. It is shaped as the honest side shapes it, or it is forged."""
        try:
            answer = wire.decode(payload, memory=_DECODED * self.limits.reply_mb * inmate.MiB)
        except wire.WireError as error:
            raise self._remember("reply", f"what came back is not data: {error}") from None
        if not (isinstance(answer, list) and len(answer) == 2 and isinstance(answer[0], str)):
            raise self._remember("forged", "a reply of a shape that no call sends")
        verdict, value = answer
        if verdict == "ok":
            return value
        if verdict not in _FROM_PROGRAM or not isinstance(value, str):
            raise self._remember("forged", "a reply of a shape that no call sends")
        raise CandidateFailed(cast(Verdict, verdict), value)

    def _remember(self, verdict: Verdict, detail: str) -> CandidateFailed:
        self._failure = CandidateFailed(verdict, detail)
        self.close()
        return self._failure


assert set(_FROM_PROGRAM) <= set(get_args(Verdict))
