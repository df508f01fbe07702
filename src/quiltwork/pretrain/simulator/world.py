"""Events in virtual time, and the links between machines. All times in nanoseconds, sizes in bytes."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from random import Random

SECOND = 1_000_000_000

START = 1_700_000_000 * SECOND
"""The clock's time at the beginning: nothing depends on it, but a fold should see times as they are."""

HUB = -1
"""The place of the log's server, beside the machines 0, 1, 2..."""


@dataclass(frozen=True, slots=True)
class Link:
    """How a machine is connected: rates in bytes per second, one-way delay in nanoseconds, loss 0 to 1."""

    up: float
    down: float
    delay: int
    jitter: int
    loss: float


@dataclass(slots=True)
class Partition:
    """Between two times the machines in `apart` and all others do not reach each other. The hub is with the others."""

    start: int
    end: int
    apart: frozenset[int]


@dataclass(slots=True)
class Transfer:
    """A blob on its way. An uplink carries one after the other; what is not wanted any more when its turn comes is left out.

    What is lost is sent again; 5 % of loss halve the rate, about what TCP does on a short link (Mathis et al., 1997).
    """

    source: int
    target: int
    size: int
    is_wanted: Callable[[], bool]
    arrived: Callable[[], None]


@dataclass
class World:
    """The clock, the events to come, and the network."""

    chance: Random
    links: dict[int, Link] = field(default_factory=dict)
    partitions: list[Partition] = field(default_factory=list)
    now: int = START
    _events: list[tuple[int, int, Callable[[], None]]] = field(default_factory=list)
    _order: count[int] = field(default_factory=count)
    _queues: dict[int, deque[Transfer]] = field(default_factory=dict)
    _sending: set[int] = field(default_factory=set)
    _is_interrupted: bool = False

    def at(self, time: int, event: Callable[[], None]) -> None:
        """Let something happen at a time, after what was to happen then already."""
        heapq.heappush(self._events, (max(time, self.now), next(self._order), event))

    def after(self, duration: int, event: Callable[[], None]) -> None:
        """Let something happen so much later."""
        self.at(self.now + duration, event)

    def step(self) -> bool:
        """Let the next thing happen. False if there is none."""
        if not self._events:
            return False
        self.now, _, event = heapq.heappop(self._events)
        event()
        return True

    def run(self, until: int) -> bool:
        """Let things happen until a time, or until one of them interrupts. False if nothing more will happen."""
        events, self._is_interrupted = self._events, False
        while events and events[0][0] <= until and not self._is_interrupted:
            self.now, _, event = heapq.heappop(events)
            event()
        if not self._is_interrupted:
            self.now = max(self.now, until)
        return bool(events)

    def interrupt(self) -> None:
        """Let `run` return: something has happened at which somebody wants to look at once."""
        self._is_interrupted = True

    def reachable(self, one: int, other: int, time: int) -> bool:
        """Whether two places reach each other at a time."""
        for part in self.partitions:
            if part.start <= time < part.end and (one in part.apart) != (other in part.apart):
                return False
        return True

    def healed_by(self, one: int, other: int, time: int) -> int:
        """The earliest time from `time` on at which two places reach each other."""
        while not self.reachable(one, other, time):
            time = min(part.end for part in self.partitions if part.start <= time < part.end)
        return time

    def hop(self, place: int) -> int:
        """The delay of one small message between a machine and the hub: what is lost is sent again after a pause."""
        link = self.links[place]
        delay = link.delay + int(self.chance.random() * link.jitter)
        while self.chance.random() < link.loss:
            delay += 2 * link.delay + SECOND // 5
        return delay

    def send(self, transfer: Transfer) -> None:
        """Send a blob when its source has sent what was asked of it before."""
        self._queues.setdefault(transfer.source, deque()).append(transfer)
        self._send_next(transfer.source)

    def _send_next(self, source: int) -> None:
        queue = self._queues[source]
        while queue and not queue[0].is_wanted():
            queue.popleft()
        if source in self._sending or not queue:
            return
        transfer = queue.popleft()
        up, down = self.links[source], self.links[transfer.target]
        duration = round(transfer.size / min(up.up, down.down) * (1 + 20 * (up.loss + down.loss)) * SECOND)
        self._sending.add(source)

        def sent() -> None:
            self._sending.discard(source)
            self._send_next(source)

        self.after(duration, sent)
        self.after(
            duration + up.delay + down.delay + int(self.chance.random() * (up.jitter + down.jitter)), transfer.arrived
        )
