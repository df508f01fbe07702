"""An emulated link between two network namespaces, as a context manager.

with Link(rate_mbit=20, delay_ms=50, loss=0.01) as link:
    server = link.left.start([sys.executable, "serve.py", link.left.ip])
    link.right.run([sys.executable, "fetch.py", link.left.ip])

A link that only has a rate is a pair of veth devices with the kernel's `tbf`; one with delay, jitter or loss goes through
`router.py`, which then does the rate, too. Needs root, iproute2, and /dev/net/tun: `missing()` says what this machine lacks.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

ROUTER = Path(__file__).with_name("router.py")
QUEUE_MS = 100.0
"""What a home router holds back before it drops."""

READY_S = 30.0


class LinkError(Exception):
    """The link cannot be made."""


def missing() -> str | None:
    """What this machine lacks for emulated links, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for tool in ("ip", "tc"):
        if shutil.which(tool) is None:
            return f"there is no `{tool}`: apt-get install -y iproute2"
    if not Path("/dev/net/tun").exists():
        return "there is no /dev/net/tun"
    name = f"qt{os.getpid()}probe"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode:
        return "this sandbox forbids network namespaces"
    subprocess.run(["ip", "netns", "del", name], capture_output=True)
    return None


@dataclass(frozen=True)
class Side:
    """One end of a link: a namespace with one address."""

    namespace: str
    ip: str

    def command(self, arguments: Sequence[str]) -> list[str]:
        """The command that runs another one here."""
        return ["ip", "netns", "exec", self.namespace, *arguments]

    def run(self, arguments: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run to the end; raises CalledProcessError."""
        return subprocess.run(
            self.command(arguments), **({"check": True, "text": True, "stdout": subprocess.PIPE} | options)
        )

    def start(self, arguments: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        """Start and go on."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        return subprocess.Popen(self.command(arguments), **(pipes | options))


class Link:
    """Two sides with a line between them.

    `rate_mbit` counts whole packets, as an Internet provider does (0: no limit); `delay_ms` and `jitter_ms` are one way; `loss`
    is a probability for each packet in each direction. After the block, `router` holds what the router counted, by direction.
    """

    def __init__(
        self,
        rate_mbit: float = 0.0,
        delay_ms: float = 0.0,
        jitter_ms: float = 0.0,
        loss: float = 0.0,
        *,
        queue_ms: float = QUEUE_MS,
        seed: int = 1,
    ) -> None:
        self.rate_mbit, self.delay_ms, self.jitter_ms, self.loss = rate_mbit, delay_ms, jitter_ms, loss
        self._queue_ms, self._seed = queue_ms, seed
        name = f"qt{os.getpid()}{os.urandom(1).hex()}"
        self.left, self.right = Side(f"{name}a", "10.77.0.1"), Side(f"{name}b", "10.77.0.2")
        self._made: tuple[Side, ...] = (self.left, self.right)
        self._devices = f"{name}x"[-15:], f"{name}y"[-15:]
        self._process: subprocess.Popen[str] | None = None
        self.router: list[dict[str, int]] = []

    def __enter__(self) -> Self:
        if (lack := missing()) is not None:
            raise LinkError(f"Cannot emulate links: {lack}.")
        try:
            for side in self._made:
                make(side)
            if self.delay_ms or self.jitter_ms or self.loss:
                self._start_router()
            else:
                self._join_devices()
            for side, device, other in self._ends():
                do("ip", "link", "set", device, "netns", side.namespace)
                do(*side.command(["ip", "addr", "add", side.ip, "peer", other.ip, "dev", device]))
                do(*side.command(["ip", "link", "set", device, "up"]))
                if self.rate_mbit and self._process is None:
                    self._limit(side, device)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            said = self._process.communicate(timeout=READY_S)[0].splitlines()
            if said:
                self.router = json.loads(said[-1])
            self._process = None
        for side in self._made:
            unmake(side)

    def _ends(self) -> list[tuple[Side, str, Side]]:
        return [(self.left, self._devices[0], self.right), (self.right, self._devices[1], self.left)]

    def _start_router(self) -> None:
        options = {
            "--rate-mbit": self.rate_mbit,
            "--delay-ms": self.delay_ms,
            "--jitter-ms": self.jitter_ms,
            "--loss": self.loss,
            "--queue-ms": self._queue_ms,
            "--seed": self._seed,
        }
        arguments = [part for name, value in options.items() for part in (name, str(value))]
        self._process = subprocess.Popen(
            [sys.executable, str(ROUTER), *self._devices, *arguments], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "ready":
            raise LinkError("The router did not start; what it said is above.")

    def _join_devices(self) -> None:
        do("ip", "link", "add", self._devices[0], "type", "veth", "peer", "name", self._devices[1])

    def _limit(self, side: Side, device: str) -> None:
        # the kernel sends at most one burst at once; segments must not be larger, or nothing passes
        do(*side.command(["ip", "link", "set", device, "gso_max_size", "16384"]))
        limit = ["rate", f"{self.rate_mbit}mbit", "burst", "32kb", "latency", f"{self._queue_ms}ms"]
        do(*side.command(["tc", "qdisc", "add", "dev", device, "root", "tbf", *limit]))


def make(side: Side) -> None:
    """Make a side's namespace."""
    do("ip", "netns", "add", side.namespace)
    do(*side.command(["ip", "link", "set", "lo", "up"]))


def unmake(side: Side) -> None:
    """Delete a side's namespace, with its devices."""
    subprocess.run(["ip", "netns", "del", side.namespace], capture_output=True)


def do(*command: str) -> str:
    """Run a command, and give what it prints. Raises LinkError with what it says if it fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise LinkError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout
