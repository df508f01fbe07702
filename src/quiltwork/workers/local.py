"""Workers that are processes on this machine, each at the end of a socket."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from quiltwork.workers import frames
from quiltwork.workers.base import WorkerDied, WorkerTimeout

_ENDING_S: Final = 10.0


class LocalWorkers:
    """A number of worker processes. They end with the thread that opened them, however it ends."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._processes = [_Process() for _ in range(size)]
        self._idle: asyncio.Queue[_Process] = asyncio.Queue()
        for process in self._processes:
            self._idle.put_nowait(process)
        self._closed = False

    @property
    def pids(self) -> list[int]:
        """The workers' process ids."""
        return [process.pid for process in self._processes]

    async def run(self, function: str, payload: Any, *, timeout_s: float) -> Any:
        """Call a function on the next free worker: see `Workers.run`."""
        frame = frames.pack({"function": function, "payload": payload})
        process = await self._idle.get()
        answered = False
        try:
            async with asyncio.timeout(timeout_s):
                answer = await process.exchange(frame)
            answered = True
        except TimeoutError:
            raise WorkerTimeout(f"{function} took more than {timeout_s:g} s") from None
        finally:
            if not answered and not self._closed:  # it timed out, died, or nobody waits for its answer any more
                process.restart()
            self._idle.put_nowait(process)
        return frames.outcome(answer)

    def share(self, folder: Path) -> str:
        """Its path: the workers are on this machine."""
        return str(folder)

    def close(self) -> None:
        """End all workers and what they have started."""
        self._closed = True
        for process in self._processes:
            process.end()


class _Process:
    """One worker process and the socket to it."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._child = subprocess.Popen(  # noqa: S603
                [sys.executable, "-P", "-m", "quiltwork.workers.child", str(theirs.fileno()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr.fileno() if _has_descriptor(sys.stderr) else subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # a group of its own: Ctrl-C does not reach it, and a kill reaches all of it
            )
        self._channel.sendall(frames.pack({"path": sys.path}))
        self._channel.setblocking(False)

    @property
    def pid(self) -> int:
        return self._child.pid

    async def exchange(self, frame: bytes) -> Any:
        """Send a call, await its answer. Raises WorkerDied."""
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_sendall(self._channel, frame)
            (length,) = frames.HEAD.unpack(await self._exactly(loop, frames.HEAD.size))
            return frames.unpack(await self._exactly(loop, length))
        except (ConnectionError, EOFError):
            raise WorkerDied(f"worker {self.pid} died: {self._ending()}") from None

    async def _exactly(self, loop: asyncio.AbstractEventLoop, count: int) -> bytearray:
        found = bytearray(count)
        view = memoryview(found)
        while view:
            size = await loop.sock_recv_into(self._channel, view)
            if not size:
                raise EOFError
            view = view[size:]
        return found

    def restart(self) -> None:
        self.end()
        self._start()

    def end(self) -> None:
        """Kill the worker with its process group, and see it gone. Its jails notice that it died."""
        self._channel.close()
        with suppress(ProcessLookupError):  # it has gone by itself
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait(_ENDING_S)

    def _ending(self) -> str:
        try:
            code = self._child.wait(_ENDING_S)
        except subprocess.TimeoutExpired:
            return "it closed its channel"
        if code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
            return f"ended by {name}" + (" (out of memory?)" if -code == signal.SIGKILL else "")
        return f"exit status {code}"


def _has_descriptor(stream: Any) -> bool:
    try:
        stream.fileno()
    except (OSError, AttributeError, ValueError):
        return False
    return True
