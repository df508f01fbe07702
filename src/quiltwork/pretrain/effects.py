"""What a node can be asked to do. Plain values: the loop of a process carries them out, and so does the simulator.

Every effect has a `key`. A node gives an effect with the same key again only when the last one was reported done or failed.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from quiltwork.log import Body
from quiltwork.pretrain.entries import Checkpointed, Committed
from quiltwork.pretrain.facts import Closed


@dataclass(frozen=True, slots=True)
class Say:
    """Append this to the log. Done when the log has it, whatever the fold makes of it."""

    key: Hashable
    body: Body


@dataclass(frozen=True, slots=True)
class Load:
    """Load a checkpoint, or make model 0 where there is none. Done with `Loaded`."""

    checkpoint: Checkpointed | None
    holders: tuple[bytes, ...]

    @property
    def manifest(self) -> bytes:
        """What names the checkpoint; empty for model 0."""
        return b"" if self.checkpoint is None else self.checkpoint.manifest

    @property
    def key(self) -> Hashable:
        """See the module."""
        return ("load",)


@dataclass(frozen=True, slots=True)
class Fetch:
    """Get a blob from members that should hold it, the likeliest first. Done with why it is malformed, or nothing.

    `purpose` is "payload" or "disclosure": what it is checked for.
    """

    blob: bytes
    size: int
    holders: tuple[bytes, ...]
    purpose: str

    @property
    def key(self) -> Hashable:
        """See the module."""
        return Fetch.key_of(self.blob)

    @staticmethod
    def key_of(blob: bytes) -> Hashable:
        """The key of what fetches a blob."""
        return ("fetch", blob)


@dataclass(frozen=True, slots=True)
class Train:
    """Train units of a round, from the model of round `base` and the optimizer state with the root `own` (empty: a new one).

    Done with `Trained`; the update is published by then, and the new state kept under its root.
    """

    round: int
    step: int
    base: int
    own: bytes
    units: tuple[int, ...]

    @property
    def key(self) -> Hashable:
        """See the module."""
        return ("train", self.round)


@dataclass(frozen=True, slots=True)
class Apply:
    """Apply a closed round's accepted payloads, which are all held. Done with `Applied`."""

    closed: Closed

    @property
    def key(self) -> Hashable:
        """See the module."""
        return ("apply", self.closed.number)


@dataclass(frozen=True, slots=True)
class Keep:
    """Make a checkpoint of the model of this round, and publish it. Done with `Kept`."""

    round: int

    @property
    def key(self) -> Hashable:
        """See the module."""
        return ("keep",)  # one at a time: rounds go on while a checkpoint is made


@dataclass(frozen=True, slots=True)
class Disclose:
    """Publish the own optimizer state before and after a round, by their roots. Done with `Disclosed`."""

    round: int
    before: bytes
    after: bytes

    @property
    def key(self) -> Hashable:
        """See the module."""
        return ("disclose", self.round)


@dataclass(frozen=True, slots=True)
class Audit:
    """Compute somebody's commitment again, from the disclosed state. Done with `Finding`."""

    member: bytes
    step: int
    base: int
    committed: Committed
    before: bytes
    """The root of the state that the member had committed to before; empty: a new one."""
    disclosure: bytes

    @property
    def key(self) -> Hashable:
        """See the module."""
        return ("audit", self.committed.round, self.member)


@dataclass(frozen=True, slots=True)
class Forget:
    """Payloads of rounds up to `rounds` are needed no longer, nor models before round `models`.

    Of the own optimizer states those with the roots `states` are needed still, and of checkpoints those in `manifests`.
    """

    rounds: int
    models: int
    states: frozenset[bytes]
    manifests: tuple[bytes, ...]

    @property
    def key(self) -> Hashable:
        """See the module."""
        return ("forget",)


Effect = Say | Load | Fetch | Train | Apply | Keep | Disclose | Audit | Forget


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model is there: that of this round, with this hash."""

    round: int
    model: bytes


@dataclass(frozen=True, slots=True)
class Trained:
    """An update is made and published. See `Committed`."""

    payload: bytes
    size: int
    own: bytes
    loss: float


@dataclass(frozen=True, slots=True)
class Applied:
    """A round is applied: the hash of the model now."""

    model: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint is published: its manifest, the bytes of that, and those of all its pieces."""

    manifest: bytes
    manifest_size: int
    size: int


@dataclass(frozen=True, slots=True)
class Disclosed:
    """States are published in a blob."""

    disclosure: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What an audit found."""

    honest: bool
    score: float
    why: str


Result = Loaded | Trained | Applied | Kept | Disclosed | Finding | str | None
"""What an effect is done with: `Fetch` with a text, `Say` and `Forget` with None."""
