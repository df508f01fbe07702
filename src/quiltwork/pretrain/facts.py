"""What is known of a run: the values that the fold keeps. Times are nanoseconds since 1970, by the run's own clock."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from quiltwork.audit import Case, Outcome, Standing
from quiltwork.log import Speakers
from quiltwork.pretrain.bitmap import Bitmap
from quiltwork.pretrain.config import Coordinator
from quiltwork.pretrain.deadlines import Speed
from quiltwork.pretrain.entries import Checkpointed, Committed, Created, Joined, Ready


class Phase(StrEnum):
    """Where the run is, in Psyche's words."""

    UNINITIALIZED = "Uninitialized"
    WAITING_FOR_MEMBERS = "WaitingForMembers"
    WARMUP = "Warmup"
    ROUND_TRAIN = "RoundTrain"
    ROUND_WITNESS = "RoundWitness"
    COOLDOWN = "Cooldown"
    FINISHED = "Finished"
    PAUSED = "Paused"


class Health(StrEnum):
    """How a member stands to the run. Only the last is for ever."""

    JOINING = "joining"  # loads the model; is given no work
    HEALTHY = "healthy"
    DROPPED = "dropped"  # was not heard of; may join again
    WITHDRAWN = "withdrawn"  # said goodbye; may join again
    EJECTED = "ejected"


RULINGS_KEPT = 1_000
"""Closed audits that are remembered one by one; of all, only how many ended how."""

HERE = (Health.JOINING, Health.HEALTHY)


@dataclass(slots=True)
class Member:
    """One member.

    `own` is the root of its optimizer state after `own_round`, the round of its last commitment (0: none, the state is new).
    `beacon` is the last secret that it revealed.
    """

    author: bytes
    said: Joined
    since: int
    """The number of the round before which it joined last."""
    began: int = 0
    """When it began to load the model."""
    synced: int = 1 << 62
    """The round of the model with which it was ready: it has the models from there on."""
    hashed: int = -1
    """The last round for whose model it gave the hash that was agreed on, or that may still be."""
    beacon: bytes = b""
    health: Health = Health.JOINING
    misses: int = 0
    speed: Speed = field(default_factory=Speed)
    own: bytes = b""
    own_round: int = 0
    accepted_units: int = 0
    forfeited_units: int = 0
    lost: int = 0
    """Rounds in a row in which its commitment came to nothing, and those of others did not."""
    halvings: int = 0
    """How often its share of the units is halved for that."""
    late: int = 0
    late_round: int = 0
    """The last round for which it came too late."""
    diverged: int = 0
    revealed: int = 0
    ticked: int = 0
    standing: Standing = field(default_factory=Standing)


@dataclass(frozen=True, slots=True)
class Commit:
    """A commitment that was in time: who, when, and the state that an audit starts from (`before`, after `before_round`)."""

    author: bytes
    body: Committed
    at: int
    before: bytes
    before_round: int


@dataclass(frozen=True, slots=True)
class Given:
    """The units of a round, given out at `since`: with overlap while the witnesses of the round before are still busy."""

    number: int
    since: int
    assigned: dict[bytes, tuple[int, ...]]


@dataclass(slots=True)
class Round:
    """The round that goes on.

    `base` is the model that is trained from, `step` counts the rounds in which something was accepted, this one included.
    `since` is when its units were given out: from then on arrivals are measured.
    """

    number: int
    step: int
    base: int
    since: int
    opened: int
    seed: bytes
    roster: tuple[bytes, ...]
    witnesses: tuple[bytes, ...]
    assigned: dict[bytes, tuple[int, ...]]
    commits: list[Commit] = field(default_factory=list)
    committed: set[bytes] = field(default_factory=set)
    payloads: set[bytes] = field(default_factory=set)
    trained_at: int = 0
    attested: dict[bytes, Bitmap] = field(default_factory=dict)
    reveals: dict[bytes, bytes] = field(default_factory=dict)
    awaited: set[bytes] = field(default_factory=set)
    """Whose commitment, later whose attestation, is still to come."""
    waits: int = 0
    """The adaptive deadline of the phase, in nanoseconds from its beginning."""
    longest: int = 0
    """When the phase ends in any case, likewise."""


@dataclass(frozen=True)
class Closed:
    """A round that is over, as members apply it."""

    number: int
    step: int
    base: int
    seed: bytes
    since: int
    opened: int
    closed: int
    roster: tuple[bytes, ...]
    witnesses: tuple[bytes, ...]
    assigned: dict[bytes, tuple[int, ...]]
    commits: tuple[Commit, ...]
    accepted: tuple[int, ...]
    """Numbers of the accepted commitments, in their order in the log: the order in which they are applied."""
    returned: tuple[int, ...]
    """Units that nobody did, or whose work was lost: others are given them."""

    @cached_property
    def updates(self) -> tuple[Commit, ...]:
        """The accepted commitments."""
        return tuple(self.commits[number] for number in self.accepted)

    @cached_property
    def payloads(self) -> frozenset[bytes]:
        """What one needs to apply it."""
        return frozenset(update.body.payload for update in self.updates)

    @property
    def loss(self) -> float:
        """The mean training loss over the accepted units, nats per token; 0 if there are none."""
        units = sum(len(commit.body.units) for commit in self.updates)
        return sum(commit.body.loss * len(commit.body.units) for commit in self.updates) / units if units else 0.0


@dataclass(slots=True)
class Tally:
    """Who says what the hash of a model is, until more than half of the electorate say the same."""

    electorate: frozenset[bytes]
    votes: dict[bytes, bytes] = field(default_factory=dict)
    counts: Counter[bytes] = field(default_factory=Counter)
    """The votes of those of the electorate who are here, and `present`, how many these are; both as of `moves`."""
    present: int = 0
    moves: int = -1


@dataclass(frozen=True, slots=True)
class Ruling:
    """How the audit of a commitment of this round ended."""

    round: int
    case: Case


@dataclass(slots=True)
class RunState:
    """All that is known of a run. Owned by whoever folds: `apply` changes it in place."""

    created: Created | None = None
    owner: bytes = b""
    config: Coordinator = field(default_factory=Coordinator)
    amended: Coordinator | None = None
    """Rules for the next round on."""

    speakers: Speakers = field(default_factory=Speakers)
    now: int = 0
    phase: Phase = Phase.UNINITIALIZED
    entered: int = 0
    due: int = 0
    """Before this time the clock alone changes nothing."""
    epoch: int = 0
    epoch_opened: int = 0
    pausing: bool = False

    members: dict[bytes, Member] = field(default_factory=dict)
    moves: int = 0
    """Counts how often somebody came or went."""
    seed: bytes = b""
    round: Round | None = None
    ahead: Given | None = None
    """The units of the round after this one, where members train it already."""
    last: int = 0
    """The number of the last closed round."""
    step: int = 0
    """Rounds in which something was accepted."""
    tokens: int = 0
    barren: int = 0
    """Rounds in a row in which nothing was accepted."""

    next_unit: int = 0
    returned: deque[int] = field(default_factory=deque)
    accepted_units: int = 0
    """Of these `taken_back_units` were taken back, and are accepted once more when they are done again."""
    taken_back_units: int = 0
    rewinds: list[int] = field(default_factory=list)
    """The rounds that the owner took the run back to."""
    closed: dict[int, Closed] = field(default_factory=dict)
    train_offsets: deque[int] = field(default_factory=lambda: deque(maxlen=64))
    """When the last commitments came, after their rounds opened: what adaptive deadlines are made of."""
    witness_offsets: deque[int] = field(default_factory=lambda: deque(maxlen=64))

    tallies: dict[int, Tally] = field(default_factory=dict)
    ready: dict[bytes, Ready] = field(default_factory=dict)
    """Who says that it holds a model on whose hash nobody has agreed yet."""
    agreed: dict[int, bytes] = field(default_factory=dict)
    """Round -> the hash of its model, where more than half said the same."""
    checkpoints: list[tuple[bytes, Checkpointed]] = field(default_factory=list)
    """Who keeps which, the newest last."""
    keepers: tuple[bytes, ...] = ()
    """Who is to make a checkpoint of a round after `keepers_beyond`, and has not done it yet."""
    keepers_beyond: int = 0

    cases: dict[tuple[int, bytes], Case] = field(default_factory=dict)
    """Open audits, by round and audited member."""
    disclosures: dict[tuple[int, bytes], tuple[bytes, int]] = field(default_factory=dict)
    undisclosed: dict[tuple[int, bytes], set[bytes]] = field(default_factory=dict)
    """Verifiers who could not get a disclosure."""
    challengers: dict[tuple[int, bytes], bytes] = field(default_factory=dict)
    rulings: deque[Ruling] = field(default_factory=lambda: deque(maxlen=RULINGS_KEPT))
    outcomes: dict[Outcome, int] = field(default_factory=dict)

    entries: int = 0
    news: int = 0
    """Counts what may have given somebody something to do."""
    issue_count: int = 0
    issues: list[tuple[int, str]] = field(default_factory=list)

    def here(self) -> list[Member]:
        """Members that are joining or healthy, in the order in which they first joined."""
        return [member for member in self.members.values() if member.health in HERE]

    def healthy(self) -> list[Member]:
        """Members that are given work."""
        return [member for member in self.members.values() if member.health is Health.HEALTHY]

    def model(self, round: int) -> bytes | None:
        """The agreed hash of a round's model, if there is one."""
        return self.agreed.get(round)
