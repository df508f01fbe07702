"""What the tests have workers do."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import Any

from quiltwork.errors import UserError

count = 0


class PickyError(UserError):
    """A user's error with a constructor of its own."""

    def __init__(self, where: str, line: int) -> None:
        super().__init__(f"{where}, line {line}: no")


def echo(payload: Any) -> Any:
    return payload


def counted(_payload: Any) -> list[int]:
    global count
    count += 1
    return [os.getpid(), count]


def fall(payload: Any) -> None:
    raise ValueError(f"fell over {payload}")


def refuse(_payload: Any) -> None:
    raise PickyError("problem.toml", 3)


def vanish(_payload: Any) -> None:
    os._exit(3)


def crash(_payload: Any) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def sleep(_payload: Any) -> None:
    time.sleep(10_000)


def spawn_and_sleep(path: str) -> None:
    child = subprocess.Popen(["sleep", "10000"])
    with open(path, "w") as file:
        file.write(f"{os.getpid()} {child.pid}")
    time.sleep(10_000)


def unspeakable(_payload: Any) -> object:
    return object()


def jailed(path: str) -> None:
    """Open a jail with a program that never ends, and say who is there."""
    from quiltwork.sandbox import Limits, open_jail

    jails = [open_jail(preload=()), open_jail(trust=True, preload=())]
    source = {"program.py": "import os, time\ndef act(): return 1\ndef rest(): time.sleep(10_000)"}
    sessions = [jail.start(source, "program.py", Limits(wall_s=10_000.0), 0) for jail in jails]
    for session in sessions:
        session.call("act")
    with open(f"{path}.part", "w") as file:
        file.write(" ".join(str(jail.server_pid) for jail in jails))
    os.rename(f"{path}.part", path)
    sessions[0].call("rest")
