"""Hands that post what the tests want posted, part by part, past `SolanaLog`."""

from __future__ import annotations

import base64
import random
from collections.abc import Collection, Sequence

from solders.hash import Hash
from solders.instruction import CompiledInstruction
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import Transaction

from quiltwork.keys import Identity
from quiltwork.log import Entry
from quiltwork.log.kinds import encode
from quiltwork.log.solana import Fees, Payer, SolanaLog
from quiltwork.log.solana.batch import pack
from quiltwork.log.solana.parts import Part, payload_bytes, split
from quiltwork.log.solana.wire import MEMO_PROGRAMS, Envelope
from quiltwork.log.writer import sign_on
from tests.log.solana.conftest import PAYER, RICH, ask
from tests.log.solana.rpc import Cluster
from tests.log.speech import ALICE, Noted

STRANGER = Payer.from_seed(b"s" * 32)


def draft_parts(log: SolanaLog, number: int, identity: Identity = ALICE) -> tuple[Sequence[Entry], Sequence[Part]]:
    """Two entries on the head as it is, in so many parts; the same ones each time."""
    envelope = Envelope(log.rule.id, PAYER, Fees())
    payload = payload_bytes(envelope.room)
    noise = random.Random(number).randbytes((number - 1) * payload)
    entries = sign_on(identity, log.head(), 1, [encode(Noted(data=noise)), encode(Noted(number=number))])
    parts = split(pack(entries), log.rule.id, log.head(), payload)
    assert len(parts) == number
    return entries, parts


def post_parts(
    where: Cluster, log: SolanaLog, number: int, *, leave_out: Collection[int] = (), identity: Identity = ALICE
) -> tuple[Sequence[Entry], Sequence[Part]]:
    """Post those parts but some, one after the other."""
    entries, parts = draft_parts(log, number, identity)
    post(where, log, [part.memo for part in parts if part.index not in leave_out])
    return entries, parts


def post(where: Cluster, log: SolanaLog, memos: Sequence[str], payer: Payer = PAYER) -> None:
    envelope = Envelope(log.rule.id, payer, Fees())
    for memo in memos:
        send(where, envelope.seal(memo, fresh_blockhash(where)).wire)


def post_anything(where: Cluster, log: SolanaLog, instructions: Sequence[tuple[int, bytes]]) -> None:
    """A stranger's transaction that mentions the log: instructions are (0 or 1 for a memo program, 2 for another; data)."""
    ask(where, "requestAirdrop", STRANGER.address, RICH)
    keys = [STRANGER.keypair.pubkey(), Pubkey(log.rule.id), *map(Pubkey.from_string, MEMO_PROGRAMS), Pubkey(bytes(32))]
    compiled = [CompiledInstruction(2 + program, data, b"") for program, data in instructions]
    recent = Hash.from_string(fresh_blockhash(where))
    message = Message.new_with_compiled_instructions(1, 0, 4, keys, recent, compiled)
    send(where, bytes(Transaction([STRANGER.keypair], message, recent)))


def send(where: Cluster, wire: bytes) -> None:
    ask(where, "sendTransaction", base64.b64encode(wire).decode(), {"encoding": "base64", "skipPreflight": True})
    ask(where, "getBlockHeight", {})  # a block comes


def fresh_blockhash(where: Cluster) -> str:
    latest = ask(where, "getLatestBlockhash", {})
    return str(latest["value"]["blockhash"])  # type: ignore[index]
