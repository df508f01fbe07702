"""Which connection is asked for which chunk. Pure: it is told what happened when, and says what to do.

Connections (*lanes*) help themselves: each has as many chunks under way as it brings in a second, so that holders give in
proportion to their goodput without anybody reckoning shares. Towards the end, when nothing is left to ask for, a lane that
has room asks once more for the chunk that is expected last from another lane, if it would bring it sooner (work stealing
with duplicated tail requests). So a lane that stalls costs one chunk, not a time-out.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable

from quiltwork.blobs.tree import CHUNK_BYTES, chunk_count
from quiltwork.blobs.wire import OUTLINE

HORIZON_S = 1.0
"""A lane has so many seconds' worth of chunks under way: several round trips of a slow link, so that none is spent waiting."""

LEAST_DEPTH, MOST_DEPTH = 2, 32
"""Two, so that the line never falls silent between chunks; 2 MiB, which fill 50 Mbit/s over a third of a second."""

COPIES = 3
"""How often one chunk is asked for at once at most."""

UNPROVED_CHUNKS = 256
"""Chunks asked for or waiting for their proof (16 MiB): what a fetch holds in memory beside the blob."""

UNPROVED_BEFORE_OUTLINE = 64
"""The same while there is no outline to prove them with."""

UNPROVEN_LANE_S = 1.0
"""What a chunk is expected to take from a lane that has not brought any yet."""

SMOOTHING = 0.3


class _Lane:
    def __init__(self, now: float) -> None:
        self.asked: OrderedDict[int, float] = OrderedDict()  # in the order in which answers will come
        self.chunk_s: float | None = None
        self.latest = now

    def expected_s(self) -> float:
        return UNPROVEN_LANE_S if self.chunk_s is None else self.chunk_s

    def depth(self) -> int:
        return max(LEAST_DEPTH, min(MOST_DEPTH, round(HORIZON_S / max(self.expected_s(), 1e-6))))

    def remaining_s(self, position: int, now: float) -> float:
        """How long the chunk at this position will still take. One that is late is expected to be as late again."""
        waited = now - self.latest
        on_time = (position + 1) * self.expected_s() - waited
        return max(on_time, waited) if waited > self.expected_s() else on_time


class Plan:
    """The chunks of one blob: waiting, asked for, arrived (not yet proved), landed (proved)."""

    def __init__(self, size: int, *, landed: Iterable[int] = (), outline_known: bool = False) -> None:
        self.count = chunk_count(size)
        self.landed = set(landed)
        self.outline_known = outline_known or self.count == 1
        self._waiting = deque(index for index in range(self.count) if index not in self.landed)
        if not self.outline_known:
            self._waiting.appendleft(OUTLINE)
        self._lanes: dict[int, _Lane] = {}
        self._askers: dict[int, set[int]] = {}
        self._arrived: set[int] = set()

    @property
    def done(self) -> bool:
        """Whether every chunk has landed."""
        return len(self.landed) == self.count

    @property
    def proving(self) -> int:
        """How many chunks have arrived and are neither proved nor refuted."""
        return len(self._arrived)

    def join(self, lane: int, now: float) -> None:
        """A new connection takes part."""
        self._lanes[lane] = _Lane(now)

    def leave(self, lane: int) -> None:
        """The connection is gone; what was asked of it alone is waiting again."""
        for index in self._lanes.pop(lane).asked:
            self._forget(lane, index)

    def take(self, lane: int, now: float) -> list[int]:
        """What to ask of this lane now, in this order; nothing if it has enough under way or there is nothing to do."""
        mine = self._lanes[lane]
        taken: list[int] = []
        if not self.outline_known and OUTLINE in self._askers:
            taken += self._steal(lane, now, among=(OUTLINE,))
        fair = max(LEAST_DEPTH, -(-len(self._waiting) // max(1, len(self._lanes))))
        room = min(mine.depth(), fair) - len(mine.asked)
        while room > 0 and self._waiting and not self._too_much_unproved():
            index = self._waiting.popleft()
            self._ask(lane, index, now)
            taken.append(index)
            room -= 1
        if not taken and not mine.asked and not self._waiting:
            taken = self._steal(lane, now, among=tuple(self._askers))
        return taken

    def arrived(self, lane: int, index: int, now: float) -> bool:
        """The lane has brought it; whether it is the first to do so, so that it is worth proving."""
        mine = self._lanes[lane]
        since = max(mine.latest, mine.asked.pop(index))
        if index != OUTLINE:
            took = max(now - since, 1e-6)
            mine.chunk_s = took if mine.chunk_s is None else (1 - SMOOTHING) * mine.chunk_s + SMOOTHING * took
        mine.latest = now
        self._askers[index].discard(lane)
        if not self._askers[index]:
            del self._askers[index]
        if index in self._arrived or index in self.landed or (index == OUTLINE and self.outline_known):
            return False
        self._arrived.add(index)
        return True

    def prove(self, index: int) -> None:
        """What had arrived is true."""
        self._arrived.discard(index)
        if index == OUTLINE:
            self.outline_known = True
        else:
            self.landed.add(index)

    def refute(self, index: int) -> None:
        """What had arrived is false: it is wanted again."""
        self._arrived.discard(index)
        if index not in self._askers:
            self._waiting.appendleft(index)

    def under_way(self, lane: int) -> tuple[int, ...]:
        """What the lane still owes, in order."""
        return tuple(self._lanes[lane].asked)

    def _ask(self, lane: int, index: int, now: float) -> None:
        mine = self._lanes[lane]
        if not mine.asked:
            mine.latest = max(mine.latest, now)
        mine.asked[index] = now
        self._askers.setdefault(index, set()).add(lane)

    def _steal(self, lane: int, now: float, among: tuple[int, ...]) -> list[int]:
        own_s = self._lanes[lane].expected_s()
        latest, wanted = own_s, None
        for index in among:
            askers = self._askers[index]
            if lane in askers or len(askers) >= COPIES or index in self._arrived or index in self.landed:
                continue
            soonest = min(self._remaining_s(asker, index, now) for asker in askers)
            if soonest > latest:
                latest, wanted = soonest, index
        if wanted is None:
            return []
        self._ask(lane, wanted, now)
        return [wanted]

    def _remaining_s(self, lane: int, index: int, now: float) -> float:
        owner = self._lanes[lane]
        return owner.remaining_s(list(owner.asked).index(index), now)

    def _too_much_unproved(self) -> bool:
        unproved = len(self._arrived) + len(self._askers)
        return unproved >= (UNPROVED_CHUNKS if self.outline_known else UNPROVED_BEFORE_OUTLINE)

    def _forget(self, lane: int, index: int) -> None:
        askers = self._askers[index]
        askers.discard(lane)
        if not askers:
            del self._askers[index]
            known = index in self._arrived or index in self.landed or (index == OUTLINE and self.outline_known)
            if not known:
                self._waiting.appendleft(index)


class Stripes:
    """How many connections to one holder: more from the beginning where the way is long, and doubled as long as that pays.

    One connection over a link with delay and loss gets a small part of it (Mathis et al., 1997: goodput falls with the round
    trip and with the square root of the loss); several get several parts. Where the link is full they get nothing more, and
    we stop.
    """

    EVERY_S = 1.0
    SETTLING_S = 2.0
    """After so long we measure even if some of the connections still bring nothing."""

    GAIN = 1.15
    """Less than this is noise, or the end of slow start."""

    def __init__(self, start: int, most: int) -> None:
        self.count, self._most = min(start, most), most
        self._changed_at: float | None = None
        self._since: float | None = None
        self._bytes = 0
        self._best = 0.0
        self._settled = False

    def reached(self, dial_s: float, size: int) -> None:
        """A connection was made in so many seconds, which is two round trips: over a long way windows open slowly."""
        for beyond_s, count in LONG_WAYS:
            if dial_s > beyond_s:
                self.count = max(self.count, min(count, self._most, most_stripes(size)))
                return

    def measure(self, now: float, total_bytes: int, working: int) -> int:
        """Given what has come from the holder by how many connections, how many it should have."""
        if self._changed_at is None:
            self._changed_at = now
        if self._settled or self.count >= self._most:
            return self.count
        if self._since is None:
            if working >= self.count or (working and now - self._changed_at > self.SETTLING_S):
                self._since, self._bytes = now, total_bytes
        elif now - self._since >= self.EVERY_S:
            rate = (total_bytes - self._bytes) / (now - self._since)
            self._settled = rate <= self.GAIN * self._best
            if not self._settled:
                self._best, self.count = rate, min(2 * self.count, self._most)
                self._changed_at, self._since = now, None
        return self.count


LONG_WAYS = ((0.1, 16), (0.04, 8))
"""(seconds to connect, connections): 16 from 50 ms of round trip on, 8 from 20 ms on."""

FIRST_STRIPES = 4


def first_stripes(size: int, holders: int) -> int:
    """Connections to begin with, for each of so many holders: four in all, but two chunks for each at least."""
    return max(1, min(FIRST_STRIPES // max(1, holders), most_stripes(size)))


def most_stripes(size: int) -> int:
    """Connections that a blob of this size can feed, with two chunks for each."""
    return max(1, size // (2 * CHUNK_BYTES))
