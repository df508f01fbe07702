"""What a story is made of: notes of rounds, commitments, events, audits and the lives of members."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from quiltwork.audit import Outcome
from quiltwork.pretrain.facts import Health

STRETCHES_KEPT = 300
"""Changes of one member's health that are remembered: who comes and goes all the time shall not fill the memory."""


@dataclass(frozen=True, slots=True)
class CommitNote:
    """A commitment: who, how much, and the number of its entry."""

    author: bytes
    units: int
    size: int
    loss: float | None
    accepted: bool
    seq: int


@dataclass(slots=True)
class RoundNote:
    """A closed round. Times in nanoseconds since 1970; `seq` is the entry that closed it, `model_seq` that settled its model."""

    number: int
    step: int
    seq: int
    opened: int
    closed: int
    members: int
    committed: int
    accepted: int
    units: int
    returned: int
    size: int
    """Of all its payloads, in bytes."""
    loss: float | None
    """Of the middle unit among those accepted, nats per token."""
    model: bytes = b""
    model_seq: int = -1
    commits: tuple[CommitNote, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """Something that people want to be told. `kind` is a word for programs; `member` is whom it is about, if anybody."""

    at: int
    seq: int
    kind: str
    words: str
    member: bytes = b""


@dataclass(frozen=True, slots=True)
class VerdictNote:
    """What a verifier found, why, and the number of its entry."""

    verifier: bytes
    honest: bool
    score: float | None
    why: str
    seq: int


@dataclass(frozen=True, slots=True)
class AuditNote:
    """An audit that has ended."""

    at: int
    seq: int
    round: int
    member: bytes
    outcome: Outcome
    verdicts: tuple[VerdictNote, ...]


@dataclass(slots=True)
class Life:
    """What a member did over time. `stretches` are (from when, health), the last one goes on."""

    stretches: deque[tuple[int, Health]] = field(default_factory=lambda: deque(maxlen=STRETCHES_KEPT))
    changed: int = 0
    """How many entries the log had at the last change of health."""
    payloads: int = 0
    sent: int = 0
    """Bytes of all payloads that it committed in time."""
    lost_units: int = 0
    """Units that it was given and that others had to do."""
    lost_rounds: int = 0
    came: int = 0
    dropped: int = 0
    diverged: int = 0
