"""The kinds of entry that `pretrain` appends.

Who says it is the entry's author, or the one whom a sequencer relayed. Hashes are 32 bytes; payloads, manifests and
disclosures are blobs, named by their BLAKE3. Rounds count from 1; model 0 is the one that the run began with, model r what
comes of it after round r.
"""

from __future__ import annotations

from quiltwork.log import Body, Links, kind

THE_RUN = "the run"

PROTOCOL = 1
"""Members of another protocol are refused: they would fold the same log to another state."""


def member_name(author: bytes) -> str:
    """How a member is called in links and messages: the first digits of its public key."""
    return f"member {author[:4].hex()}"


@kind("pretrain.created", 1)
class Created(Body, frozen=True):
    """The run's owner opens it. `coordinator` and `work` are the config in JSON: for the fold, and for trainers.

    `seed` is where the run's chance begins; `model` is the hash of model 0, or empty if the owner cannot compute it.
    """

    run_id: str
    coordinator: str
    work: str
    seed: bytes
    protocol: int = PROTOCOL
    model: bytes = b""
    version: str = ""

    def links(self) -> Links:
        """See Body."""
        return Links(THE_RUN)


@kind("pretrain.ticked", 1)
class Ticked(Body, frozen=True):
    """It is `now` (nanoseconds since 1970). A fold knows no other time."""

    now: int


@kind("pretrain.joined", 1)
class Joined(Body, frozen=True):
    """A member is here. `beacon` is the end of its chain of secrets, `data` the fingerprint of its data set.

    `own` is the root of the optimizer state that it still has from its last commitment; empty: it begins with a new one.
    `addresses` is where its blobs can be had, the best first. `dtype` is what it computes in ("fp32", "bf16"), `device` the
    class of what it computes on ("cpu", "cuda:..."): the two on which the threshold of an audit depends.
    """

    beacon: bytes
    addresses: tuple[str, ...] = ()
    name: str = ""
    data: bytes = b""
    dtype: str = "fp32"
    device: str = "cpu"
    protocol: int = PROTOCOL
    version: str = ""
    own: bytes = b""

    def links(self) -> Links:
        """See Body."""
        return Links(THE_RUN)


@kind("pretrain.ready", 1)
class Ready(Body, frozen=True):
    """A member holds model `round`, and its hash is `model`. From the next round on it is given work."""

    round: int
    model: bytes

    def links(self) -> Links:
        """See Body."""
        return Links(THE_RUN, {f"round {self.round}": "holds its model"})


@kind("pretrain.left", 1)
class Left(Body, frozen=True):
    """A member goes, in good order."""

    reason: str = ""


@kind("pretrain.committed", 1)
class Committed(Body, frozen=True):
    """A member trained these units of a round, from the model with the hash `model`.

    `own` is the root of the member's optimizer state afterwards: what a later audit computes from. `loss` is the mean over
    the units in nats per token.
    """

    round: int
    units: tuple[int, ...]
    payload: bytes
    size: int
    model: bytes
    own: bytes
    loss: float = 0.0

    def links(self) -> Links:
        """See Body."""
        return Links(f"round {self.round}", blobs={"payload": self.payload.hex()})


@kind("pretrain.attested", 1)
class Attested(Body, frozen=True):
    """A witness holds the payloads of the commitments with these numbers, and found them well formed.

    Bit i of `held` (the lowest bit of the first byte is bit 0) stands for the round's i-th commitment. `reveal` opens the
    witness's beacon.
    """

    round: int
    held: bytes
    reveal: bytes = b""

    def links(self) -> Links:
        """See Body."""
        return Links(f"round {self.round}")


@kind("pretrain.hashed", 1)
class Hashed(Body, frozen=True):
    """A member applied a round, and its model has this hash."""

    round: int
    model: bytes

    def links(self) -> Links:
        """See Body."""
        return Links(f"round {self.round}")


@kind("pretrain.checkpointed", 1)
class Checkpointed(Body, frozen=True):
    """A member keeps model `round` for newcomers: `manifest` is the blob of `manifest_size` bytes that names its pieces.

    `size` is the bytes of all pieces.
    """

    round: int
    model: bytes
    manifest: bytes
    manifest_size: int
    size: int = 0

    def links(self) -> Links:
        """See Body."""
        return Links(f"checkpoint {self.round}", {f"round {self.round}": "of"}, {"manifest": self.manifest.hex()})


@kind("pretrain.challenged", 1)
class Challenged(Body, frozen=True):
    """Somebody asks that a member's accepted commitment of a round be computed again, beside what is drawn."""

    round: int
    member: bytes

    def links(self) -> Links:
        """See Body."""
        return Links(_audit(self.round, self.member), {f"round {self.round}": "of"})


@kind("pretrain.responded", 1)
class Responded(Body, frozen=True):
    """The audited member discloses its optimizer state before and after the round, in one blob."""

    round: int
    disclosure: bytes
    size: int

    def links(self) -> Links:
        """See Body."""
        return Links(f"round {self.round}", blobs={"disclosure": self.disclosure.hex()})


@kind("pretrain.judged", 1)
class Judged(Body, frozen=True):
    """A verifier computed a commitment again. `score` is how alike the payloads are, 0 to 1; `why` says it in words."""

    round: int
    member: bytes
    honest: bool
    score: float
    why: str = ""

    def links(self) -> Links:
        """See Body."""
        return Links(_audit(self.round, self.member), {f"round {self.round}": "of"})


@kind("pretrain.undisclosed", 1)
class Undisclosed(Body, frozen=True):
    """A verifier cannot get what the audited member says that it has disclosed."""

    round: int
    member: bytes

    def links(self) -> Links:
        """See Body."""
        return Links(_audit(self.round, self.member), {f"round {self.round}": "of"})


@kind("pretrain.paused", 1)
class Paused(Body, frozen=True):
    """The owner lays the run down at the end of the round."""

    reason: str = ""


@kind("pretrain.resumed", 1)
class Resumed(Body, frozen=True):
    """The owner takes the run up again."""


@kind("pretrain.rewound", 1)
class Rewound(Body, frozen=True):
    """The owner takes the run back to model `round`, because what came after it is lost."""

    round: int
    reason: str = ""

    def links(self) -> Links:
        """See Body."""
        return Links(f"round {self.round}")


@kind("pretrain.amended", 1)
class Amended(Body, frozen=True):
    """The owner changes rules, from the next round on: the whole new `coordinator` config in JSON."""

    coordinator: str


def _audit(round: int, member: bytes) -> str:
    return f"audit of {member_name(member)}, round {round}"
