"""Memos to the chain: signed, posted, seen to arrive; posted again when they are lost, signed again when they are too old."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

import msgspec

from quiltwork.log.protocol import LogUnavailable
from quiltwork.log.solana.listing import Commitment
from quiltwork.log.solana.rpc import Nodes, Pace, Refused
from quiltwork.log.solana.wire import Envelope, Sealed

IN_FLIGHT = 128
"""Transactions posted before the first must have arrived: what is lost to a rival who wins meanwhile, and fewer than the
256 whose fate a node tells at once."""

POSTED_AGAIN_AFTER = 5
"""Looks at a transaction that nobody has seen, two seconds' worth: nodes drop some when they are busy."""

PREFLIGHT_FAILED = -32002

PENNILESS = frozenset({"AccountNotFound", "InsufficientFundsForFee", "InsufficientFundsForRent"})

_LEVELS: Mapping[Commitment, Sequence[str]] = {"confirmed": ("confirmed", "finalized"), "finalized": ("finalized",)}


class Courier:
    """Delivers memos. Raises LogUnavailable, which says what became of them."""

    def __init__(self, nodes: Nodes, envelope: Envelope, payer: str, commitment: Commitment, pace: Pace) -> None:
        self._nodes = nodes
        self._envelope = envelope
        self._payer = payer
        self._commitment: Commitment = commitment
        self._pace = pace

    def deliver(self, memos: Sequence[str]) -> int:
        """Have each memo on the chain, at most `IN_FLIGHT` of them; give the highest slot of one."""
        assert len(memos) <= IN_FLIGHT
        flight = _Flight()
        self._sign(memos, flight)
        progress_at = time.monotonic()
        for look in count(1):
            if not flight.posted:
                break
            time.sleep(self._pace.slot_s)
            before = len(flight.posted)
            unseen = self._look(flight)
            if len(flight.posted) < before:
                progress_at = time.monotonic()
            elif time.monotonic() > progress_at + self._pace.timeout_s:
                raise LogUnavailable(_too_slow(len(flight.posted), self._pace.timeout_s, flight.valid_until))
            if unseen and self._height() > flight.valid_until:
                unseen = self._look(flight, history=True)  # it may have landed since, or too long ago to be remembered
                self._sign([flight.posted.pop(signature).memo for signature in unseen], flight)
            elif look % POSTED_AGAIN_AFTER == 0:
                self._post(flight.posted[signature].sealed for signature in unseen)
        return flight.slot

    def _sign(self, memos: Sequence[str], flight: _Flight) -> None:
        """Sign with the newest blockhash, and post."""
        if not memos:
            return
        # `confirmed` whatever we wait for: a finalized blockhash has lost a fifth of its life already
        recent = _read(self._nodes.call("getLatestBlockhash", {"commitment": "confirmed"}), _Latest).value
        flight.valid_until = recent.lastValidBlockHeight
        signed = [_Posted(memo, self._envelope.seal(memo, recent.blockhash)) for memo in memos]
        flight.posted.update({each.sealed.signature: each for each in signed})
        self._post(each.sealed for each in signed)

    def _post(self, transactions: Iterable[Sealed]) -> None:
        options = {"encoding": "base64", "preflightCommitment": "confirmed"}
        asked = [(base64.b64encode(each.wire).decode("ascii"), options) for each in transactions]
        for outcome in self._nodes.calls("sendTransaction", asked):
            if isinstance(outcome, Refused):
                self._judge(outcome)

    def _judge(self, refused: Refused) -> None:
        """Let pass what may still arrive or has arrived."""
        why = refused.data.get("err") if isinstance(refused.data, dict) else None
        if refused.code == PREFLIGHT_FAILED and why in ("AlreadyProcessed", "BlockhashNotFound"):
            return
        if not PENNILESS.isdisjoint(why if isinstance(why, dict) else [str(why)]):
            raise LogUnavailable(
                f"The account {self._payer} cannot pay for a transaction: give it some SOL. Nothing of this was appended."
            )
        raise LogUnavailable(
            f"The node refuses a transaction: {refused} {'' if why is None else why}".rstrip()
        ) from refused

    def _look(self, flight: _Flight, *, history: bool = False) -> Sequence[str]:
        """Let go of what is confirmed; give the signatures of transactions that the chain knows nothing of."""
        asked = list(flight.posted)
        if not asked:
            return ()
        reply = self._nodes.call("getSignatureStatuses", asked, {"searchTransactionHistory": history})
        unseen = []
        for signature, status in zip(asked, _read(reply, _Statuses).value, strict=True):
            if status is None:
                unseen.append(signature)
            elif status.err is not None:
                raise LogUnavailable(f"The chain took the fee for {signature}, but not the memo: {status.err}")
            elif status.confirmationStatus in _LEVELS[self._commitment]:
                flight.slot = max(flight.slot, status.slot)
                del flight.posted[signature]
        return unseen

    def _height(self) -> int:
        return int(_read(self._nodes.call("getBlockHeight", {"commitment": "confirmed"}), int))


class _Posted(NamedTuple):
    memo: str
    sealed: Sealed


@dataclass
class _Flight:
    """What has not arrived yet, by signature; until which block height it may; the highest slot of what has."""

    posted: dict[str, _Posted] = field(default_factory=dict)
    valid_until: int = 0
    slot: int = 0


class _Blockhash(msgspec.Struct):
    blockhash: str
    lastValidBlockHeight: int  # noqa: N815


class _Latest(msgspec.Struct):
    value: _Blockhash


class _Status(msgspec.Struct):
    slot: int
    err: Any = None
    confirmationStatus: str | None = None  # noqa: N815


class _Statuses(msgspec.Struct):
    value: list[_Status | None]


def _read(reply: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(reply, kind)
    except msgspec.ValidationError as error:
        raise LogUnavailable(f"A node answers what cannot be understood: {error}. Try another.") from error


def _too_slow(left: int, timeout_s: float, valid_until: int) -> str:
    return (
        f"{left} transactions were not confirmed within {timeout_s:g} s. The entries may still be appended until the chain "
        f"reaches block height {valid_until}, which takes a minute or two: look at the head before you try again."
    )
