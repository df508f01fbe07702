"""What one reader knows of a log on the chain: settled entries, and those of the last seconds, which the chain may take back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import RLock

from quiltwork.log.entry import Entry
from quiltwork.log.protocol import Head, LogCorrupt
from quiltwork.log.solana.fold import Fold
from quiltwork.log.solana.listing import Listing, Mark, Row
from quiltwork.log.solana.parts import Part
from quiltwork.log.solana.rpc import Node, NodeDown
from quiltwork.log.solana.rule import Rule
from quiltwork.log.solana.settled import Settled


class TakenBack(LogCorrupt):
    """The chain replaced entries that were given out as confirmed. Whatever was concluded from them must be undone."""

    def __init__(self, seq: int) -> None:
        super().__init__(
            f"The chain took back entry {seq} and what follows, and put others in its place, after they had been confirmed. "
            "Open the log anew and read it from there; with commitment='finalized' this cannot happen."
        )


class View:
    """Reads rows and folds them. Threads may share it.

    Rows up to the mark are final and folded once and for all. Those after it are listed and folded again each time something
    changed: a node may add a row in front of one that it has listed, or lose one, until they are final (about 13 seconds).
    """

    def __init__(self, rule: Rule, listing: Listing, cache: Path | None) -> None:
        self._settled = Settled(rule, cache)
        self._listing = listing
        self._lock = RLock()
        self._final = Fold(rule, self._settled.head)  # up to the mark
        self._mark = self._settled.mark
        self._now = self._final.copy()  # with the rows after it, whose parts are `known` to the listing
        self._recent: list[Entry] = []  # what they brought, from entry `_from` on
        self._from = self._final.head.length
        self._folded_at = self._mark
        self._least_slot = self._mark.slot if self._mark else 0
        self._broken: TakenBack | None = None

    @property
    def head(self) -> Head:
        """The end of the log as of the last `refresh`."""
        return self._now.head

    def holds(self, part: Part) -> bool:
        """Tell whether this part is on the chain already, as of the last `refresh`."""
        with self._lock:
            return self._now.holds(part)

    def expect_slot(self, slot: int) -> None:
        """Ask no node that has not come as far as this slot."""
        with self._lock:
            self._least_slot = max(self._least_slot, slot)

    def refresh(self, node: Node) -> Head:
        """Read what is new on the chain; give the new head. Raises NodeDown and TakenBack."""
        with self._lock:
            if self._broken:
                raise self._broken
            tail = self._read(node)
            known = {row.name: row.part for row in tail}
            if self._mark != self._folded_at or list(known) != list(self._listing.known):
                self._fold_again(node, tail)
            self._listing.known = known
            if newest := tail[-1] if tail else self._mark:
                self.expect_slot(newest.slot)
            return self.head

    def entries(self, start: int, stop: int) -> Iterator[Entry]:
        """Give entries `start` to `stop` (exclusive), as far as they are known."""
        while start < stop:
            with self._lock:
                settled, end = self._from, min(stop, self.head.length)
                recent = self._recent[start - settled : end - settled] if start >= settled else []
            if start >= end:
                return
            yield from recent or self._settled.log.read(start, min(end, settled))
            start = min(end, settled) if start < settled else end

    def close(self) -> None:
        """Let go of the cache."""
        self._settled.log.close()

    def _read(self, node: Node) -> list[Row]:
        """List what comes after the mark and settle what is final; give the rest."""
        tail: list[Row] = []
        idle_at, idle_head = None, self._final.head
        for row in self._listing.after(self._mark, node, self._least_slot):
            if tail or not row.final:
                tail.append(row)
                continue
            if row.part:
                self._settled.add(self._final.apply(row.part))
            self._mark = Mark(row.signature, row.slot)
            if self._final.idle:
                idle_at, idle_head = self._mark, self._final.head
        self._settled.save(idle_at, idle_head)
        return tail

    def _fold_again(self, node: Node, tail: list[Row]) -> None:
        now, recent = self._final.copy(), list[Entry]()
        for row in tail:
            if row.part:
                recent.extend(now.apply(row.part))
        settled = self._final.head.length
        for told in self._recent:
            place = told.seq - settled
            after = recent[place : place + 1] if place >= 0 else self._settled.log.read(told.seq, told.seq + 1)
            found = next(iter(after), None)
            if found is None:
                raise NodeDown(
                    f"{node.host} no longer has entry {told.seq}, which was confirmed; if this lasts, open anew"
                )
            if found != told:
                self._broken = TakenBack(told.seq)
                raise self._broken
        self._now, self._recent, self._from, self._folded_at = now, recent, settled, self._mark
