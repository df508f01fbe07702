"""Memos in transactions: who pays, what it costs, and how much fits into the 1,232 bytes that a node takes.

All that needs `solders` is here. It is imported when it is used, since it is the extra `solana`.
"""

from __future__ import annotations

import importlib.util
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from quiltwork.errors import UserError
from quiltwork.keys import SEED_BYTES, KeyFileError

PACKET_BYTES = 1_232
"""What a node takes: an IPv6 packet of 1,280 bytes without its headers. (A cluster may drop what is larger without a word.)"""

LAMPORTS_PER_SIGNATURE = 5_000
"""The base fee. A transaction of ours has one signature. A SOL is 10^9 lamports."""

MEMO_PROGRAMS = ("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr", "Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo")
"""We post by the first; nodes list the memos of both alike."""

MAX_UNITS = 1_400_000
"""The most compute units that a transaction may ask for."""


def need_solders() -> None:
    """Raise UserError if the extra is missing."""
    if importlib.util.find_spec("solders") is None:
        raise UserError(
            "A log on Solana needs the package solders, which is not installed: pip install 'quiltwork[solana]'"
        )


class Payer:
    """The account that signs transactions and pays for them. It never prints its key. Raises KeyFileError."""

    def __init__(self, keypair: Any) -> None:
        self.keypair = keypair
        self.address = str(keypair.pubkey())

    @classmethod
    def from_seed(cls, seed: bytes) -> Payer:
        """Derive the account that belongs to a 32-byte seed, as Ed25519 (RFC 8032) does."""
        need_solders()
        from solders.keypair import Keypair

        if len(seed) != SEED_BYTES:
            raise KeyFileError(f"A payer's seed has {SEED_BYTES} bytes, not {len(seed)}.")
        return cls(Keypair.from_seed(seed))

    @classmethod
    def load(cls, path: Path | str) -> Payer:
        """Read a keypair file as Solana's tools write it: a JSON list of 64 numbers, readable by its user alone."""
        need_solders()
        from solders.keypair import Keypair

        path = Path(path).expanduser()
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & 0o077:
                raise KeyFileError(f"Others may read the keypair {path} (mode {mode:04o}). Close it: chmod 600 {path}")
            return cls(Keypair.from_bytes(bytes(msgspec.json.decode(path.read_bytes(), type=list[int]))))
        except OSError as error:
            raise KeyFileError(f"Cannot read the keypair {path}: {error.strerror}.") from error
        except (msgspec.MsgspecError, ValueError):  # the error may hold part of the key: it is not told
            raise KeyFileError(
                f"{path} is not a Solana keypair: it must hold a JSON list of 64 numbers from 0 to 255, "
                "a seed and the public key that belongs to it."
            ) from None

    def __repr__(self) -> str:
        return f"Payer({self.address})"


@dataclass(frozen=True)
class Fees:
    """What is offered beyond the base fee: `price` in micro-lamports per compute unit, for at most `units` of them.

    With 0 and 0 nothing is asked: the cluster then allows 200,000 units. A busy cluster serves by price. Raises UserError.
    """

    price: int = 0
    units: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.units <= MAX_UNITS or self.price < 0:
            raise UserError(f"Compute units are 0 to {MAX_UNITS:,}, and their price is not negative: {self}")
        if self.price and not self.units:
            raise UserError("A price per compute unit needs `units`, or nobody can say what a transaction may cost.")

    @property
    def lamports(self) -> int:
        """What one transaction costs at most."""
        return LAMPORTS_PER_SIGNATURE + -(-self.price * self.units // 1_000_000)


@dataclass(frozen=True)
class Sealed:
    """A signed transaction: its signature in base58, which is its name, and its bytes."""

    signature: str
    wire: bytes = field(repr=False)


class Envelope:
    """Makes transactions of memos for the log at `address` (32 bytes): one signer, one memo, the address mentioned.

    `room` is how many bytes a memo may have.
    """

    def __init__(self, address: bytes, payer: Payer, fees: Fees) -> None:
        self._address = address
        self._payer = payer
        self._fees = fees
        self.room = room(fees)

    def seal(self, memo: str, blockhash: str) -> Sealed:
        """Sign a transaction that posts `memo`, valid as long as `blockhash` (base58) is."""
        from solders.hash import Hash
        from solders.transaction import Transaction

        recent = Hash.from_string(blockhash)
        message = _message(self._payer.keypair.pubkey(), self._address, memo.encode(), recent, self._fees)
        transaction = Transaction([self._payer.keypair], message, recent)
        wire = bytes(transaction)
        assert len(wire) <= PACKET_BYTES, f"{len(wire)} bytes are more than a node takes"
        return Sealed(str(transaction.signatures[0]), wire)


def room(fees: Fees) -> int:
    """How many bytes a memo may have beside `fees`: what an empty one leaves of a packet."""
    need_solders()
    from solders.hash import Hash
    from solders.pubkey import Pubkey
    from solders.transaction import Transaction

    empty = Transaction.new_unsigned(_message(Pubkey(bytes(32)), b"\1" * 32, b"", Hash(bytes(32)), fees))
    return (
        PACKET_BYTES - len(bytes(empty)) - 1
    )  # a length of 128 or more takes two bytes; that of the empty memo took one


def _message(payer: Any, address: bytes, memo: bytes, recent: Any, fees: Fees) -> Any:
    """Lay out the message by hand: the memo program would want the log's address to sign, so no instruction names it."""
    from solders.compute_budget import ID, set_compute_unit_limit, set_compute_unit_price
    from solders.instruction import CompiledInstruction
    from solders.message import Message
    from solders.pubkey import Pubkey

    keys = [payer, Pubkey(address), Pubkey.from_string(MEMO_PROGRAMS[0])]
    instructions = []
    if fees.units:
        keys.append(ID)
        instructions.append(CompiledInstruction(3, bytes(set_compute_unit_limit(fees.units).data), b""))
    if fees.price:
        instructions.append(CompiledInstruction(3, bytes(set_compute_unit_price(fees.price).data), b""))
    instructions.append(CompiledInstruction(2, memo, b""))
    return Message.new_with_compiled_instructions(1, 0, len(keys) - 1, keys, recent, instructions)


def base58(key: bytes) -> str:
    """Write 32 bytes as people and nodes write an address."""
    need_solders()
    from solders.pubkey import Pubkey

    return str(Pubkey(key))


def only_memo(wire: bytes) -> str | None:
    """Give the memo of a transaction that has exactly one, else None. Raises ValueError if these bytes are none."""
    from solders.transaction import VersionedTransaction

    message = VersionedTransaction.from_bytes(wire).message
    keys = message.account_keys
    memos = [each.data for each in message.instructions if str(keys[each.program_id_index]) in MEMO_PROGRAMS]
    return bytes(memos[0]).decode(errors="replace") if len(memos) == 1 else None


def only_listed_memo(listed: str) -> str | None:
    """Give the memo of a row in which a node lists exactly one, `[length] text`; None for several, `[1] a; [1] b`."""
    length, bracket, memo = listed.partition("] ")
    return memo if bracket and length == f"[{len(memo.encode(errors='replace'))}" else None
