"""A trainer without a model: models, updates and optimizer states are hashes of what they were made from.

So two models are equal if and only if the same updates were applied in the same order, and an update can be computed again if
and only if one knows the model, the state and the units: as with a real trainer, in microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from blake3 import blake3

from quiltwork.pretrain.effects import (
    Applied,
    Apply,
    Audit,
    Disclose,
    Disclosed,
    Finding,
    Kept,
    Load,
    Loaded,
    Train,
    Trained,
)

MODEL_0 = blake3(b"model 0").digest()


def blob_of(*parts: object) -> bytes:
    """Bytes that say what they are."""
    return msgspec.msgpack.encode(parts)


def hash_of(blob: bytes) -> bytes:
    """The name of a blob."""
    return blake3(blob).digest()


class ToyTrainer:
    """Models by round, in memory: gone with a crash. `size` is what an update counts on a link."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.models: dict[int, bytes] = {}

    def load(self, load: Load, manifest: bytes) -> Loaded:
        """Take a checkpoint's model, or model 0."""
        if load.checkpoint is None:
            self.models = {0: MODEL_0}
            return Loaded(0, MODEL_0)
        _, round, model = msgspec.msgpack.decode(manifest)
        if model != load.checkpoint.model:
            raise ValueError("the checkpoint holds another model")
        self.models = {round: model}
        return Loaded(round, model)

    def train(self, train: Train) -> tuple[Trained, bytes]:
        """Make an update; gives its blob, too."""
        blob = update(self.models[train.base], train.own, train.units)
        return Trained(hash_of(blob), self.size, state_after(train.own, blob), loss=1.0), blob

    def check(self, blob: bytes, purpose: str) -> str:
        """Say what is wrong with an update or a disclosure."""
        kind = msgspec.msgpack.decode(blob)[0]
        return "" if kind == purpose else f"a {purpose} was expected, this is a {kind}"

    def apply(self, apply: Apply) -> Applied:
        """Apply a round."""
        closed = apply.closed
        model = self.models[closed.number - 1]
        if closed.accepted:
            said = [(commit.body.payload, len(commit.body.units)) for commit in closed.updates]
            model = hash_of(blob_of("model", model, closed.step, said))
        self.models[closed.number] = model
        return Applied(model)

    def keep(self, round: int) -> tuple[Kept, bytes]:
        """Make a checkpoint."""
        blob = blob_of("checkpoint", round, self.models[round])
        return Kept(hash_of(blob), len(blob), 100 * self.size), blob

    def disclose(self, disclose: Disclose) -> tuple[Disclosed, bytes]:
        """Make a disclosure."""
        blob = blob_of("disclosure", disclose.before, disclose.after)
        return Disclosed(hash_of(blob), 10 * self.size), blob

    def audit(self, audit: Audit, payload: bytes, disclosure: bytes) -> Finding:
        """Compute an update again."""
        _, before, after = msgspec.msgpack.decode(disclosure)
        if before != audit.before or after != audit.committed.own:
            return Finding(False, 0.0, "what was disclosed is not what was committed to")
        again = update(self.models[audit.base], before, audit.committed.units)
        if again != payload or state_after(before, again) != after:
            return Finding(False, 0.0, "another update comes out")
        return Finding(True, 1.0, "the same update comes out")

    def forget(self, before: int) -> None:
        """Let go of old models."""
        for old in [round for round in self.models if round < before]:
            del self.models[old]


def update(model: bytes, own: bytes, units: Sequence[int]) -> bytes:
    """The honest update."""
    return blob_of("payload", model, own, list(units))


def state_after(own: bytes, blob: bytes) -> bytes:
    """The optimizer state that an update leaves behind."""
    return hash_of(blob_of("state", own, blob))
