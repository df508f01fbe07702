"""The worker's end: `python -m quiltwork.workers.child FD PARENT` answers calls until its parent hangs up or dies."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from typing import Any, Final

from quiltwork.workers import frames

_PR_SET_PDEATHSIG: Final = 1


def main(fd: int, parent: int) -> None:
    """Serve calls from a socket, one after the other."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to handle
    _die_with(parent)
    channel = socket.socket(fileno=fd)
    hello = _receive(channel)
    if hello is None:
        return
    sys.path[:] = hello["path"]
    while (call := _receive(channel)) is not None:
        try:
            channel.sendall(frames.answer(call["function"], call["payload"]))
        except OSError:
            return


def _die_with(parent: int) -> None:
    """Have the kernel end this process when its parent ends, `kill -9` included."""
    if sys.platform == "linux":
        zero = ctypes.c_ulong(0)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), zero, zero, zero)
    if os.getppid() != parent:
        sys.exit()


def _receive(channel: socket.socket) -> Any:
    """The next message, or None when the parent has hung up."""
    head = _exactly(channel, frames.HEAD.size)
    if head is None:
        return None
    body = _exactly(channel, frames.HEAD.unpack(head)[0])
    return None if body is None else frames.unpack(body)


def _exactly(channel: socket.socket, count: int) -> bytearray | None:
    found = bytearray(count)
    view = memoryview(found)
    while view:
        try:
            size = channel.recv_into(view)
        except ConnectionError:
            return None
        if not size:
            return None
        view = view[size:]
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
