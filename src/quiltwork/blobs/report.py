"""Who sent what in a fetch, and who is to blame for what.

Blame rests on proof alone: the bytes that a holder sent contradict the id (`WRONG_CHUNK`, `WRONG_OUTLINE`) or the protocol
(`MALFORMED`). Everything else can happen to the honest (a broken line, a full queue, a clock) and is told, not blamed.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Fault(StrEnum):
    """What went wrong with a holder."""

    WRONG_CHUNK = "sent a wrong chunk"
    WRONG_OUTLINE = "sent a wrong outline"
    MALFORMED = "broke the protocol"
    MISSING = "does not have it"
    OTHER_SIZE = "has it with another size"
    REFUSED = "refused"
    BUSY = "was too busy"
    UNREACHABLE = "was not reached"
    BROKE_OFF = "broke off"
    SLOW = "was too slow"


BLAMED = frozenset({Fault.WRONG_CHUNK, Fault.WRONG_OUTLINE, Fault.MALFORMED})


class HolderReport(msgspec.Struct, frozen=True):
    """What came from one holder. `bytes` were used; `wasted_bytes` had come from another one before, or were wrong."""

    address: str
    bytes: int = 0
    wasted_bytes: int = 0
    connections: int = 0
    faults: tuple[Fault, ...] = ()
    said: str = ""

    @property
    def blamed(self) -> bool:
        """Whether it certainly lied or broke the protocol."""
        return not BLAMED.isdisjoint(self.faults)

    def __str__(self) -> str:
        what = ", ".join(self.faults) or "did well"
        return f"{self.address} {what}" + (f" ({self.said})" if self.said else "")


class FetchReport(msgspec.Struct, frozen=True):
    """One fetch. `resumed_bytes` were there from an earlier try, `from_store` says that nobody had to be asked."""

    id: str
    size: int
    seconds: float
    holders: tuple[HolderReport, ...] = ()
    resumed_bytes: int = 0
    from_store: bool = False

    @property
    def blamed(self) -> tuple[str, ...]:
        """The addresses of those who certainly lied."""
        return tuple(holder.address for holder in self.holders if holder.blamed)

    def __str__(self) -> str:
        return "; ".join(str(holder) for holder in self.holders) or "no holder was named"
