"""A chain of one machine: LiteSVM, which runs the real memo program, in blocks that come when somebody asks for something.

LiteSVM knows neither blocks nor forks nor the limits of a packet; what a node does about these is done here. To be used
from one thread.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from solders.litesvm import LiteSVM
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata

from quiltwork.log.solana.wire import MEMO_PROGRAMS

BLOCKHASH_LIVES = 150
STATUSES_REMEMBERED = 150
CONFIRMED_AFTER = 1
FINAL_AFTER = 20
"""Slots. The last is 32 on a cluster; here nobody votes, and tests need not wait so long."""


@dataclass
class Row:
    """A transaction in a block."""

    signature: str
    slot: int
    err: Any
    memo: str | None
    keys: frozenset[str]
    wire: bytes


@dataclass
class Weather:
    """What may happen to transactions on their way into a block."""

    loss: float = 0.0
    delay: int = 0
    shuffled: bool = False
    dice: random.Random = field(default_factory=lambda: random.Random(7))


class Chain:
    def __init__(self, weather: Weather) -> None:
        self.slot = 1
        self.rows: list[Row] = []
        self._weather = weather
        self._svm = LiteSVM().with_blockhash_check(False).with_transaction_history(0)
        self._waiting: list[tuple[int, VersionedTransaction]] = []
        self._known: dict[str, Row] = {}
        self._valid_until: dict[str, int] = {}
        self._new_blockhash()

    @property
    def blockhash(self) -> tuple[str, int]:
        """The newest, and the last block height at which it is valid."""
        newest = str(self._svm.latest_blockhash())
        return newest, self._valid_until[newest]

    def knows(self, signature: str) -> Row | None:
        return self._known.get(signature)

    def is_valid(self, blockhash: str) -> bool:
        return self.slot <= self._valid_until.get(blockhash, 0)

    def fund(self, address: str, lamports: int) -> str:
        return str(self._svm.airdrop(Pubkey.from_string(address), lamports).signature())

    def balance(self, address: str) -> int:
        return int(self._svm.get_balance(Pubkey.from_string(address)) or 0)

    def preflight(self, transaction: VersionedTransaction) -> Any:
        """Why it would fail, or None."""
        if str(transaction.signatures[0]) in self._known:
            return "AlreadyProcessed"
        if not self.is_valid(str(transaction.message.recent_blockhash)):
            return "BlockhashNotFound"
        outcome = self._svm.simulate_transaction(transaction)
        return reason(outcome.err()) if isinstance(outcome, FailedTransactionMetadata) else None

    def submit(self, transaction: VersionedTransaction) -> None:
        if self._weather.dice.random() >= self._weather.loss:
            self._waiting.append((self.slot + self._weather.delay, transaction))

    def next_block(self) -> None:
        self.slot += 1
        self._new_blockhash()
        due = [transaction for slot, transaction in self._waiting if slot < self.slot]
        self._waiting = [(slot, transaction) for slot, transaction in self._waiting if slot >= self.slot]
        if self._weather.shuffled:
            self._weather.dice.shuffle(due)
        for transaction in due:
            self._execute(transaction)

    def listed(self, address: str, up_to: int) -> Iterator[Row]:
        """The rows that mention an address, the newest first, of blocks up to a slot."""
        return (row for row in reversed(self.rows) if row.slot <= up_to and address in row.keys)

    def take_back(self, blocks: int) -> None:
        """Lose a fork: what was in the last blocks never was."""
        gone = [row for row in self.rows if row.slot > self.slot - blocks]
        self.rows = [row for row in self.rows if row.slot <= self.slot - blocks]
        for row in gone:
            del self._known[row.signature]

    def _execute(self, transaction: VersionedTransaction) -> None:
        signature = str(transaction.signatures[0])
        if signature in self._known or not self.is_valid(str(transaction.message.recent_blockhash)):
            return
        outcome = self._svm.send_transaction(transaction)
        err = reason(outcome.err()) if isinstance(outcome, FailedTransactionMetadata) else None
        if err is not None and "InstructionError" not in err:
            return  # it cannot even pay: no block holds it
        keys = frozenset(map(str, transaction.message.account_keys))
        row = Row(signature, self.slot, err, listed_memo(transaction), keys, bytes(transaction))
        self.rows.append(row)
        self._known[signature] = row

    def _new_blockhash(self) -> None:
        self._svm.expire_blockhash()
        self._valid_until[str(self._svm.latest_blockhash())] = self.slot + BLOCKHASH_LIVES
        if len(self._valid_until) > 2 * BLOCKHASH_LIVES:
            self._valid_until.pop(next(iter(self._valid_until)))


def listed_memo(transaction: VersionedTransaction) -> str | None:
    """All memos of a transaction as nodes list them."""
    keys = transaction.message.account_keys
    memos = []
    for each in transaction.message.instructions:
        if str(keys[each.program_id_index]) in MEMO_PROGRAMS:
            try:
                text = bytes(each.data).decode()
            except UnicodeDecodeError:
                text = "(unparseable)"
            memos.append(f"[{len(each.data)}] {text}")
    return "; ".join(memos) if memos else None


def reason(error: Any) -> Any:
    """A transaction's error as nodes write it: a name, or {name: details}."""
    name = type(error).__name__
    if name == "TransactionErrorFieldless":
        return str(error).rpartition(".")[2]
    return {name.removeprefix("TransactionError"): str(error)}
