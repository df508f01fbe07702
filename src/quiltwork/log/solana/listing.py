"""The rows of an address, oldest first, as one node has them: who was posted, in which slot, with which part of a batch.

A node lists the newest first, at most 1,000 at a time, so the way back to a known row comes before the way forward.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from quiltwork.log.solana.parts import Part, parse
from quiltwork.log.solana.rpc import Node, NodeDown
from quiltwork.log.solana.rule import Rule
from quiltwork.log.solana.wire import base58, only_listed_memo, only_memo

Commitment = Literal["confirmed", "finalized"]

PAGE_ROWS = 1_000
"""The most that nodes list at once."""

KEPT_PAGES = 32
"""Held between the way back and the way forward, about a kilobyte a row; what lies between is asked for twice."""

HISTORY_IS_KNOWN_S = 600.0
"""A node that had the blocks since our last row has them ten minutes later; one that slept a week may not."""


class Mark(NamedTuple):
    """A row that was read, to go on from."""

    signature: str
    slot: int


class Row(NamedTuple):
    """A transaction that mentions the address. `final`: it stays where it is; `part`: what it says, if it counts at all."""

    signature: str
    slot: int
    final: bool
    part: Part | None

    @property
    def name(self) -> tuple[str, int]:
        """Two rows of one name are the same: a fork that is lost can bring a transaction into another slot."""
        return self.signature, self.slot


class Listing:
    """Asks for the rows of one log. `known` are the parts of rows that may be listed again, by signature and slot."""

    def __init__(self, rule: Rule, commitment: Commitment) -> None:
        self.known: Mapping[tuple[str, int], Part | None] = {}
        self._address = base58(rule.id)
        self._since = rule.since
        self._commitment = commitment

    def after(self, mark: Mark | None, node: Node, least_slot: int) -> Iterator[Row]:
        """Give all rows after `mark` as `node` has them, which must have come as far as `least_slot`. Raises NodeDown."""
        self._check_history(node, mark)
        pages: dict[int, list[Row]] = {}
        newest: list[str | None] = [None]  # before which row each page begins, the newest page first
        while page := self._page(node, newest[-1], mark, least_slot):
            pages[len(newest) - 1] = page
            if (spare := len(newest) - KEPT_PAGES) > 0:  # page 0 stays: asked for again, it would be another
                pages.pop(spare, None)
            newest.append(page[-1].signature)
        for index in reversed(range(len(newest) - 1)):
            page = pages.pop(index, []) or self._page(node, newest[index], mark, least_slot)
            if not page or page[-1].signature != newest[index + 1]:
                raise NodeDown(f"{node.host} changed its mind about old rows")
            yield from reversed(page)

    def _page(self, node: Node, before: str | None, mark: Mark | None, least_slot: int) -> list[Row]:
        options: dict[str, Any] = {"limit": PAGE_ROWS, "commitment": self._commitment}
        if least_slot:
            options["minContextSlot"] = least_slot
        if before:
            options["before"] = before
        if mark:
            options["until"] = mark.signature
        reply = node.call("getSignaturesForAddress", self._address, options)
        listed = _read(reply, list[_Listed], node)
        if mark and any(each.signature == mark.signature or each.slot < mark.slot for each in listed):
            # A node that does not know `until` lists everything: github.com/solana-labs/solana/issues/24620
            raise NodeDown(f"{node.host} does not know transaction {mark.signature}: is it of the same cluster?")
        return [self._row(node, each) for each in listed]

    def _row(self, node: Node, listed: _Listed) -> Row:
        name = listed.signature, listed.slot
        part = self.known[name] if name in self.known else self._part(node, listed)
        return Row(*name, listed.confirmationStatus == "finalized", part)

    def _part(self, node: Node, listed: _Listed) -> Part | None:
        if listed.err is not None or listed.slot < self._since:
            return None
        memo = only_listed_memo(listed.memo) if listed.memo is not None else self._fetched(node, listed.signature)
        return parse(memo) if memo else None

    def _fetched(self, node: Node, signature: str) -> str | None:
        """Look into the transaction itself: it may have no memo, or the node may not list any."""
        options = {"encoding": "base64", "commitment": self._commitment, "maxSupportedTransactionVersion": 0}
        reply = node.call("getTransaction", signature, options)
        if reply is None:
            raise NodeDown(f"{node.host} lists transaction {signature}, but has it not")
        try:
            return only_memo(base64.b64decode(_read(reply, _Fetched, node).transaction[0], validate=True))
        except ValueError as error:
            raise NodeDown(f"{node.host} gives no transaction for {signature}") from error

    def _check_history(self, node: Node, mark: Mark | None) -> None:
        """Refuse a node that has dropped blocks which may hold rows: it would list the rest as if it were all."""
        now = time.monotonic()
        if now - node.history_checked_at > HISTORY_IS_KNOWN_S:
            first = _read(node.call("getFirstAvailableBlock"), int, node)
            needed = mark.slot if mark else self._since
            if first > needed:
                raise NodeDown(
                    f"{node.host} has dropped the blocks before slot {first}, but is needed from slot {needed} on. Give the URL "
                    "of a node with the whole history, or a cache that has read so far (a new log can have a later `since`)"
                )
        node.history_checked_at = now


class _Listed(msgspec.Struct):
    signature: str
    slot: int
    err: Any = None
    memo: str | None = None
    confirmationStatus: str | None = None  # noqa: N815


class _Fetched(msgspec.Struct):
    transaction: tuple[str, str]


def _read(reply: Any, kind: Any, node: Node) -> Any:
    try:
        return msgspec.convert(reply, kind)
    except msgspec.ValidationError as error:
        raise NodeDown(f"{node.host} answers what cannot be understood: {error}") from error
