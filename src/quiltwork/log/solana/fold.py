"""Which entries count: a fold over the parts in the order of the chain. No clock, no chance, no network.

A part counts while the head is still the one that its batch is built on; a batch counts when its last missing part is there.
The first that does moves the head, and with it everything unfinished is forgotten, since it was built on the head before.
So a reader's memory holds no more than what was posted since the last entry, and of that at most `MAX_PENDING_BYTES`.
"""

from __future__ import annotations

from collections.abc import Sequence

from quiltwork.log.entry import Entry
from quiltwork.log.protocol import EMPTY, Broken, Head
from quiltwork.log.solana.batch import unpack
from quiltwork.log.solana.parts import Part, foot
from quiltwork.log.solana.rule import TAG_BYTES, Rule
from quiltwork.log.verify import check_author

MAX_PENDING_BYTES = 64 << 20
"""Of unfinished batches, then the oldest is forgotten. To push a batch out, a stranger must post 60,000 parts before it is
complete (at 5,000 lamports each); the writer then sends it again. Part of the rule: all readers forget alike."""

PART_COSTS = 256
"""Bytes that a part counts beside its payload: about what it takes to hold one."""


class Fold:
    """What is known after some rows: the head, and the parts of batches that may become the next."""

    def __init__(self, rule: Rule, head: Head = EMPTY) -> None:
        self.head = head
        self._rule = rule
        self._log = rule.id
        self._pending: dict[tuple[bytes, int], _Pending] = {}  # the oldest first
        self._bytes = 0

    @property
    def idle(self) -> bool:
        """Whether the head is all there is to know."""
        return not self._pending

    def copy(self) -> Fold:
        """Give another that goes on from here by itself."""
        other = Fold(self._rule, self.head)
        other._pending = {key: pending.copy() for key, pending in self._pending.items()}
        other._bytes = self._bytes
        return other

    def holds(self, part: Part) -> bool:
        """Tell whether this part has arrived, so that it need not be posted again."""
        pending = self._pending.get((part.batch, part.number))
        return part.base == self.head.length and pending is not None and pending.holds(part)

    def apply(self, part: Part) -> Sequence[Entry]:
        """Take the next part in the order of the chain; give the entries that it completes, mostly none."""
        if part.tag != self._log[:TAG_BYTES] or part.base != self.head.length:
            return ()
        key = part.batch, part.number
        pending = self._pending.get(key) or _Pending(part.batch, foot(self._log, self.head, part.number))
        added = pending.add(part)
        if not added:
            return ()
        self._pending[key] = pending
        self._bytes += added
        entries: Sequence[Entry] = ()
        if len(pending.linked) == part.number:
            self._forget(key)
            entries = self._counted(b"".join(pending.linked))
        if entries:
            self.head = Head(entries[-1].seq + 1, entries[-1].hash)
            self._pending.clear()
            self._bytes = 0
        while self._bytes > MAX_PENDING_BYTES:
            self._forget(next(iter(self._pending)))
        return entries

    def _counted(self, raw: bytes) -> Sequence[Entry]:
        entries = unpack(raw, self.head)
        if self._rule.signed:
            try:
                for entry in entries:
                    check_author(entry, entry.hash, authors=self._rule.authors or None)
            except Broken:
                return ()
        return entries

    def _forget(self, key: tuple[bytes, int]) -> None:
        self._bytes -= self._pending.pop(key).bytes


class _Pending:
    """The parts of one batch that have arrived: the first ones, proven by their links, and later ones that nothing proves yet."""

    def __init__(self, batch: bytes, foot: bytes) -> None:
        self.linked: list[bytes] = []
        self.bytes = 0
        self._expected = batch
        self._foot = foot
        self._loose: dict[tuple[int, bytes], Part] = {}

    def copy(self) -> _Pending:
        other = _Pending(self._expected, self._foot)
        other.linked = self.linked.copy()
        other.bytes = self.bytes
        other._loose = self._loose.copy()
        return other

    def holds(self, part: Part) -> bool:
        return part.index < len(self.linked) or (part.index, part.link) in self._loose

    def add(self, part: Part) -> int:
        """Take a part; give the bytes that it costs, or 0 if it is known, contradicts or can belong to nothing here."""
        last = part.index == part.number - 1
        if part.index < len(self.linked) or (last and part.next != self._foot):
            return 0
        place = part.index, part.link
        if place in self._loose or (part.index == len(self.linked) and part.link != self._expected):
            return 0
        self._loose[place] = part
        while (found := self._loose.pop((len(self.linked), self._expected), None)) is not None:
            self.linked.append(found.payload)
            self._expected = found.next
        cost = len(part.payload) + PART_COSTS
        self.bytes += cost
        return cost
