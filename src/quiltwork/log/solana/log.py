"""A log on Solana: what `Log` promises, over memos that everybody can read and anybody can post."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import NamedTuple, get_args

from quiltwork.errors import UserError
from quiltwork.log.entry import Entry
from quiltwork.log.protocol import EMPTY, Conflict, Head, LogUnavailable, chain_on
from quiltwork.log.solana.batch import pack
from quiltwork.log.solana.courier import IN_FLIGHT, Courier
from quiltwork.log.solana.listing import Commitment, Listing
from quiltwork.log.solana.parts import payload_bytes, split
from quiltwork.log.solana.rpc import Nodes, Pace
from quiltwork.log.solana.rule import Rule
from quiltwork.log.solana.view import View
from quiltwork.log.solana.wire import Envelope, Fees, Payer, base58, room
from quiltwork.log.verify import check_author


class Estimate(NamedTuple):
    """What an append takes: so many transactions, and at most so many lamports (10^9 are a SOL)."""

    transactions: int
    lamports: int


class SolanaLog:
    """Entries in memo transactions that mention one address. Threads may share it, and so may machines.

    `urls` are RPC nodes of one cluster; `rule` says which log it is, and must be the same for all its readers. Without a
    `payer` nothing can be appended. `cache` is a file for what is final, so that the next start reads only what is new.
    `commitment` is `confirmed` (about a second; no confirmed block was ever taken back, but one could be, see `TakenBack`) or
    `finalized` (about 13 seconds). Raises LogUnavailable, LogCorrupt, and UserError for what cannot be meant.
    """

    def __init__(
        self,
        urls: Sequence[str] | str,
        rule: Rule,
        *,
        payer: Payer | None = None,
        cache: Path | str | None = None,
        commitment: Commitment = "confirmed",
        fees: Fees | None = None,
        pace: Pace | None = None,
    ) -> None:
        if commitment not in get_args(Commitment):
            raise UserError(f"A log on Solana can be {' or '.join(get_args(Commitment))}, not {commitment!r}.")
        self.rule = rule
        self.address = base58(rule.id)
        self._pace = pace or Pace()
        self._fees = fees or Fees()
        self._payload = payload_bytes(room(self._fees))
        self._view = View(rule, Listing(rule, commitment), Path(cache) if cache else None)
        self._nodes = Nodes([urls] if isinstance(urls, str) else urls, self._pace)
        self._courier = (
            Courier(self._nodes, Envelope(rule.id, payer, self._fees), payer.address, commitment, self._pace)
            if payer
            else None
        )
        self._appending = Lock()

    def head(self) -> Head:
        """See Log. Asks a node."""
        return self._nodes.attempt(self._view.refresh)

    def append(self, entries: Sequence[Entry], expect: Head) -> Head:
        """See Log. Returns when the entries are on the chain and have won; raises BatchTooLarge as well.

        After LogUnavailable some of the transactions may be posted. The same entries, appended again, go on from there.
        """
        with self._appending:
            found = self.head()
            if found != expect:
                raise Conflict(expect, found)
            head = chain_on(entries, expect)
            if not entries:
                return head
            if self._courier is None:
                raise LogUnavailable(f"The log at {self.address} was opened without a payer, for reading only.")
            if self.rule.signed:
                for entry in entries:
                    check_author(entry, entry.hash, authors=self.rule.authors or None)
            parts = split(pack(entries), self.rule.id, expect, self._payload)
            memos = [part.memo for part in parts if not self._view.holds(part)]
            for start in range(0, len(memos), IN_FLIGHT):
                self._view.expect_slot(self._courier.deliver(memos[start : start + IN_FLIGHT]))
                if self.head() != expect:
                    break
            return self._outcome(entries, expect, head)

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        """See Log. Asks a node, unless `stop` entries are known already."""
        known = self._view.head.length
        if stop is None or stop > known:
            known = self.head().length
        return self._view.entries(start, known if stop is None else min(stop, known))

    def follow(
        self, start: int = 0, *, poll_s: float = 0.2, stop: Callable[[], bool] = lambda: False
    ) -> Iterator[Entry]:
        """See Log. Looks no more often than a slot lasts."""
        while True:
            stopping = stop()
            before = start
            for entry in self._view.entries(start, self.head().length):
                yield entry
                start += 1
            if stopping:
                return
            if start == before:
                time.sleep(max(poll_s, self._pace.slot_s))

    def estimate(self, entries: Sequence[Entry]) -> Estimate:
        """Tell what it costs to append these entries together, if nobody is faster. Asks nobody. Raises BatchTooLarge."""
        transactions = len(split(pack(entries), self.rule.id, EMPTY, self._payload)) if entries else 0
        return Estimate(transactions, transactions * self._fees.lamports)

    def close(self) -> None:
        """See Log."""
        self._nodes.close()
        self._view.close()

    def _outcome(self, entries: Sequence[Entry], expect: Head, head: Head) -> Head:
        """Wait for a node to list what it has confirmed; then say who won."""
        deadline = time.monotonic() + self._pace.timeout_s
        while (found := self.head()) == expect:
            if time.monotonic() > deadline:
                raise LogUnavailable(
                    f"All transactions are confirmed, but no node lists them after {self._pace.timeout_s:g} s. "
                    "Look at the head before you try again."
                )
            time.sleep(self._pace.slot_s)
        if list(self._view.entries(expect.length, head.length)) != list(entries):
            raise Conflict(expect, found)
        return head
