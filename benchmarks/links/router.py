"""A router in user space between two TUN devices: rate, delay, jitter and loss, where the kernel has no `netem`.

Each direction is a line of its own: a packet is lost with probability `loss`; else it waits for its turn at `rate` (or is
dropped if the queue before it is longer than `queue_ms`), and comes out `delay` plus-minus `jitter` after that, never before
the one ahead of it: queues do not reorder. Prints what it did, as JSON, when it is told to end.

One process, one thread, no copies beside those of `read` and `write`. How many packets come out late is counted, so that
whoever measures can tell whether the router was the bottleneck.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import random
import select
import signal
import struct
import sys
import time
from collections import deque

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000

LARGEST_PACKET = 2_048
READ_AT_ONCE = 32
"""Packets taken from one side before the other side and the clock get their turn."""

LATE_S = 0.002
"""A packet that comes out this much after its time was held up by the router, not by the link."""


def open_tun(name: str) -> int:
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return tun


class Direction:
    """Packets from one device to the other."""

    def __init__(self, source: int, sink: int, args: argparse.Namespace, seed: int) -> None:
        self.source, self.sink = source, sink
        self.byte_s = 8e-6 / args.rate_mbit if args.rate_mbit else 0.0
        self.delay_s, self.jitter_s, self.loss, self.queue_s = (
            args.delay_ms / 1e3,
            args.jitter_ms / 1e3,
            args.loss,
            args.queue_ms / 1e3,
        )
        self.random = random.Random(seed).random
        self.line: deque[tuple[float, bytes]] = deque()
        self.free_at = self.out_at = 0.0
        self.passed = self.passed_bytes = self.lost = self.overflowed = self.late = 0

    def take(self) -> None:
        """Put what has come onto the line."""
        read, chance, line, source = os.read, self.random, self.line, self.source
        now = time.monotonic()
        for _ in range(READ_AT_ONCE):
            try:
                packet = read(source, LARGEST_PACKET)
            except BlockingIOError:
                return
            if self.loss and chance() < self.loss:
                self.lost += 1
                continue
            start = max(now, self.free_at)
            if start - now > self.queue_s:
                self.overflowed += 1
                continue
            self.free_at = start + len(packet) * self.byte_s
            out_at = self.free_at + self.delay_s
            if self.jitter_s:
                out_at += self.jitter_s * (2 * chance() - 1)
            self.out_at = max(self.out_at, out_at)
            line.append((self.out_at, packet))

    def give(self, now: float) -> None:
        """Hand out what is due."""
        line, sink, write = self.line, self.sink, os.write
        while line and line[0][0] <= now:
            due, packet = line.popleft()
            try:
                write(sink, packet)
            except OSError:  # the device is going down, or full, as a wire may be
                self.overflowed += 1
                continue
            self.passed += 1
            self.passed_bytes += len(packet)
            self.late += now - due > LATE_S


def route(directions: list[Direction]) -> None:
    by_source = {direction.source: direction for direction in directions}
    sources = list(by_source)
    while True:
        now = time.monotonic()
        waits = [direction.line[0][0] - now for direction in directions if direction.line]
        readable, _, _ = select.select(sources, (), (), max(0.0, min(waits)) if waits else None)
        for source in readable:
            by_source[source].take()
        now = time.monotonic()
        for direction in directions:
            direction.give(now)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("devices", nargs=2, help="the names of the two TUN devices to make")
    parser.add_argument("--rate-mbit", type=float, default=0.0, help="0: as fast as it goes")
    parser.add_argument("--delay-ms", type=float, default=0.0, help="one way")
    parser.add_argument("--jitter-ms", type=float, default=0.0)
    parser.add_argument("--loss", type=float, default=0.0, help="probability, in each direction")
    parser.add_argument("--queue-ms", type=float, default=100.0, help="the longest queue before the link")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    os.setpriority(os.PRIO_PROCESS, 0, -15)  # a router that waits for the programs that it serves makes other links
    left, right = map(open_tun, args.devices)
    directions = [Direction(left, right, args, args.seed), Direction(right, left, args, args.seed + 1)]
    print("ready", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        route(directions)
    finally:
        counts = ("passed", "passed_bytes", "lost", "overflowed", "late")
        print(json.dumps([{name: getattr(each, name) for name in counts} for each in directions]), flush=True)


if __name__ == "__main__":
    main()
