"""Several namespaces around a middle one, each with a link of its own: members in as many towns, and the server between them.

with Star(3, rate_mbit=20, delay_ms=10) as star:
    server = star.middle.start([sys.executable, "serve.py", star.middle.ip])
    star.ends[0].run([sys.executable, "join.py", star.middle.ip])

`delay_ms` is that of one link, one way: from one end to another it is twice that. The middle itself has no limit.
"""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from typing import Any, Self

from links.link import Link, LinkError, Side, do, make, missing, unmake


class Spoke(Link):
    """A link from a middle that is there to an end of its own."""

    def __init__(self, middle: Side, number: int, **options: Any) -> None:
        super().__init__(**options)
        self.left, self.right = middle, Side(f"{middle.namespace}{number}", f"10.77.{number}.2")
        self._made = (self.right,)
        self._devices = f"{middle.namespace}{number}x"[-15:], f"{middle.namespace}{number}y"[-15:]

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            if self._process is not None:  # several routers beside what they serve: none may be late
                os.sched_setscheduler(self._process.pid, os.SCHED_FIFO, os.sched_param(2))
            do(*self.right.command(["ip", "route", "add", "default", "via", self.left.ip, "dev", self._devices[1]]))
        except BaseException:
            self.__exit__()
            raise
        return self

    def carried(self) -> tuple[int, int]:
        """Bytes that the end has sent and received, as its device counts them: with the headers of IP and TCP."""
        found = json.loads(do(*self.right.command(["ip", "-s", "-j", "link", "show", "dev", self._devices[1]])))[0]
        return found["stats64"]["tx"]["bytes"], found["stats64"]["rx"]["bytes"]


class Star:
    """`count` ends around `middle`. `options` are those of `Link`; every end has the same."""

    def __init__(self, count: int, **options: Any) -> None:
        self.middle = Side(f"qt{os.getpid()}{os.urandom(1).hex()}m", "10.77.0.1")
        seed = options.pop("seed", 1)
        self.spokes = [Spoke(self.middle, number, seed=seed + 2 * number, **options) for number in range(1, count + 1)]
        self.ends = [spoke.right for spoke in self.spokes]
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if (lack := missing()) is not None:
            raise LinkError(f"Cannot emulate links: {lack}.")
        with ExitStack() as stack:
            make(self.middle)
            stack.callback(unmake, self.middle)
            do(*self.middle.command(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"]))
            for spoke in self.spokes:
                stack.enter_context(spoke)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
