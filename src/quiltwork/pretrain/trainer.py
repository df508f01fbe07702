"""Architecture, optimizer and data together: what a node's `Train`, `Apply` and `Audit` are carried out by.

Models are kept by round, as long as an audit may need them; optimizer states by their roots, on disk, so that they survive a
restart. Nothing here knows the log, the network or a clock. Calls come from one thread at a time, but for `check`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import safetensors
import safetensors.torch
import torch
from blake3 import blake3

from quiltwork.audit import Kind
from quiltwork.blobs import BlobStore
from quiltwork.errors import UserError
from quiltwork.pretrain import checkpoint
from quiltwork.pretrain.architectures.config import OwnConfig
from quiltwork.pretrain.architectures.model import build, gradient, parameters
from quiltwork.pretrain.codec.base import Malformed
from quiltwork.pretrain.data.opening import open_dataset
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
from quiltwork.pretrain.optimizers.base import Alike, Tensors, group, joined, optimizer_of, root
from quiltwork.pretrain.recipe import Recipe

Worked = tuple[bytes, Tensors, float]
"""A payload, the optimizer state after it, and the loss."""


class Model(NamedTuple):
    """A model: its parameters, and what the optimizer keeps of it at all members alike."""

    parameters: Tensors
    shared: Tensors


class StateMissing(UserError):
    """A state or a model that was wanted is not there any more."""


class Trainer:
    """Trains by `recipe`, in `precision`; `unit_sequences` sequences are a unit.

    Updates, checkpoints and disclosures go into `blobs`, optimizer states below `folder`. `threads` are torch's, 0 its own
    choice. Relative paths of data begin at `root`. Raises what building the model and opening the data raise: UserError.
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        unit_sequences: int,
        folder: Path,
        blobs: BlobStore,
        precision: str = "fp32",
        threads: int = 0,
        root: Path | None = None,
        cache: Path | None = None,
    ) -> None:
        if threads:
            torch.set_num_threads(threads)
        self.recipe, self.blobs, self.unit_sequences = recipe, blobs, unit_sequences
        self.kind = Kind(dtype=precision, device="cpu")
        self.data = open_dataset(recipe.data, root=root, cache=cache)
        if not isinstance(recipe.model, OwnConfig) and self.data.vocabulary > recipe.model.vocabulary:
            raise UserError(
                f"The data have {self.data.vocabulary:,} different tokens, and model.vocabulary is "
                f"{recipe.model.vocabulary:,}. It must be at least as many; the run's owner can begin another with that."
            )
        self.optimizer = optimizer_of(recipe.optimizer)
        module = build(recipe.model, recipe.seed)
        first = parameters(module)
        self._first = Model(first, self.optimizer.begin(first))
        self._gradient = gradient(module, precision=_precision(precision), micro_batch=recipe.micro_batch)
        self.models: dict[int, Model] = {}
        self._states = folder / "states"
        self._states.mkdir(parents=True, exist_ok=True)

    @property
    def first_model(self) -> bytes:
        """The hash of model 0."""
        return model_hash(self._first)

    def known_states(self) -> set[bytes]:
        """Roots of the optimizer states that are on disk."""
        return {bytes.fromhex(path.stem) for path in self._states.glob("*.safetensors")}

    # --- the model --------------------------------------------------------------------------------------------------

    def load(self, load: Load, get: Callable[[str], bytes]) -> Loaded:
        """Take the model of a checkpoint, whose pieces `get` gives, or model 0. Raises UserError for a wrong one."""
        if load.checkpoint is None:
            self.models = {0: self._first}
            return Loaded(0, self.first_model)
        body = load.checkpoint
        manifest = checkpoint.read_manifest(get(body.manifest.hex()))
        loaded = checkpoint.load(manifest, get)
        model = Model(loaded.parameters, loaded.shared)
        if model_hash(model) != body.model:
            raise UserError(f"The checkpoint of round {body.round} holds another model than the run agreed on.")
        self.models = {body.round: model}
        return Loaded(body.round, body.model)

    def expect(self, manifest: checkpoint.Manifest) -> None:
        """Raise UserError unless the manifest is of a model and an optimizer such as these: before its pieces are fetched."""
        shapes = [{name: tuple(tensor.shape) for name, tensor in part.items()} for part in self._first]
        manifest.require(*shapes)

    def apply(self, apply: Apply) -> Applied:
        """Apply a round's accepted updates to the model of the round before."""
        closed = apply.closed
        model = self._model(closed.number - 1)
        if closed.accepted:
            updates = [(len(commit.body.units), self.blobs.get(commit.body.payload.hex())) for commit in closed.updates]
            model = Model(*self.optimizer.aggregate(*model, updates, self._rate(closed.step)))
        self.models[closed.number] = model
        return Applied(model_hash(model))

    def keep(self, round: int) -> Kept:
        """Put a checkpoint of a round's model into the blobs."""
        model = self._model(round)
        kept = checkpoint.save(model.parameters, model.shared, round=round, put=self.blobs.put)
        return Kept(bytes.fromhex(kept.id), kept.manifest_size, kept.size)

    def forget(self, before: int, states: frozenset[bytes]) -> None:
        """Let go of models before a round, and of all optimizer states but these."""
        for old in [round for round in self.models if round < before]:
            del self.models[old]
        for root_ in self.known_states() - states:
            self._place(root_).unlink(missing_ok=True)

    def _model(self, round: int) -> Model:
        if round not in self.models:
            raise StateMissing(f"model {round} is not there any more")
        return self.models[round]

    # --- work -------------------------------------------------------------------------------------------------------

    def train(self, train: Train) -> Trained:
        """Train the units of a round; the update is in the blobs then, and the new state under its root."""
        payload, own, loss = self.work(train)
        new = self.remember(own)
        return Trained(bytes.fromhex(self.blobs.put(payload)), len(payload), new, loss)

    def work(self, train: Train) -> Worked:
        """The update of these units, the optimizer state after it, and the loss. What those who cheat do otherwise."""
        return self.step(train.base, train.step, self.own(train.own, train.base), train.units)

    def step(self, base: int, step: int, own: Tensors, units: Sequence[int]) -> Worked:
        """Make one local step from the model of round `base`."""
        size = self.unit_sequences
        batches = [self.data.batch(range(unit * size, (unit + 1) * size)) for unit in units]
        found = self.optimizer.local_step(
            *self._model(base), own, batches, self._gradient, lr=self._rate(step), previous_lr=self._rate(step - 1)
        )
        return found.payload, found.own, found.loss

    def _rate(self, step: int) -> float:
        """The learning rate of a step, counted from 1; before the first it was 0."""
        return self.recipe.lr_schedule.rate(step - 1) if step > 0 else 0.0

    def check(self, blob: bytes, purpose: str) -> str:
        """Say why a stranger's update or disclosure is malformed, or nothing."""
        try:
            if purpose == "payload":
                self.optimizer.check(blob, self._first.parameters)
            else:
                self._read_disclosure(blob)
        except (Malformed, UserError) as error:
            return str(error)
        return ""

    # --- optimizer states -------------------------------------------------------------------------------------------

    def own(self, wanted: bytes, base: int) -> Tensors:
        """The own state with this root; a new one for the empty root."""
        if not wanted:
            return self.optimizer.begin_own(self._model(base).parameters)
        try:
            return dict(sorted(safetensors.torch.load_file(self._place(wanted)).items()))
        except FileNotFoundError:
            raise StateMissing(f"the optimizer state {wanted[:4].hex()} is not there any more") from None

    def remember(self, own: Tensors) -> bytes:
        """Keep an own state under its root, which is given. Raises UserError if the disk does not take it."""
        name = root(own)
        self._write(name, own)
        return name

    def _place(self, wanted: bytes) -> Path:
        return self._states / f"{wanted.hex()}.safetensors"

    def _write(self, name: bytes, own: Tensors) -> None:
        place = self._place(name)
        unfinished = place.with_suffix(".new")
        try:
            safetensors.torch.save_file(own, unfinished)
        except (OSError, safetensors.SafetensorError) as error:
            unfinished.unlink(missing_ok=True)
            raise UserError(
                f"Cannot write the optimizer state {place}: {error}. Free some space; the run goes on."
            ) from error
        unfinished.replace(place)

    # --- audits -----------------------------------------------------------------------------------------------------

    def disclose(self, disclose: Disclose) -> Disclosed:
        """Put the own states before and after a round into one blob. A new state needs no disclosure."""
        before = self.own(disclose.before, 0) if disclose.before else {}
        blob = safetensors.torch.save(joined(before=before, after=self.own(disclose.after, 0)))
        return Disclosed(bytes.fromhex(self.blobs.put(blob)), len(blob))

    def audit(self, audit: Audit, theirs: Kind) -> Finding:
        """Compute somebody's update again, from its disclosed state, and compare the update and the state after it."""
        committed = audit.committed
        before, after = self._read_disclosure(self.blobs.get(audit.disclosure.hex()))
        if audit.before and root(before) != audit.before:
            return Finding(False, 0.0, "the state before is not the one that was committed to")
        if root(after) != committed.own:
            return Finding(False, 0.0, "the state after is not the one that was committed to")
        if not audit.before:
            before = self.optimizer.begin_own(self._model(audit.base).parameters)
        worked = self.step(audit.base, audit.step, before, committed.units)
        found = self.compare(before, worked, after, self.blobs.get(committed.payload.hex()))
        least = self.least(theirs)
        why = (
            f"updates {found.updates:.4f} alike (at least {least.updates}), "
            f"states {found.states:.4f} (at least {least.states})"
        )
        honest = found.updates >= least.updates and found.states >= least.states
        return Finding(honest, found.updates, why)

    def compare(self, before: Tensors, worked: Worked, after: Tensors, claimed: bytes) -> Alike:
        """How alike my step from the state `before` and theirs are: the update that they sent, and the state after it."""
        payload, own, _ = worked
        values = self._first.parameters
        return Alike(
            self.optimizer.compare(payload, claimed, values),
            self.optimizer.compare_states(before, own, after, (payload, claimed), values),
        )

    def least(self, theirs: Kind) -> Alike:
        """How alike my computation and an honest one of another kind are at least: as the run's file says, or the optimizer."""
        written = self.recipe.thresholds.find(self.kind, theirs)
        return self.optimizer.least if written is None else self.optimizer.least._replace(updates=written)

    def _read_disclosure(self, blob: bytes) -> tuple[Tensors, Tensors]:
        try:
            tensors = dict(sorted(safetensors.torch.load(blob).items()))
        except (safetensors.SafetensorError, ValueError) as error:
            raise UserError(f"it is not in the safetensors format: {error}") from error
        before, after = group(tensors, "before"), group(tensors, "after")
        if not after or len(before) + len(after) != len(tensors):
            raise UserError("it is not the optimizer states before and after a round")
        expected = self.optimizer.begin_own(self._first.parameters)
        for part in (before, after):
            if part and {n: (t.shape, t.dtype) for n, t in part.items()} != {
                n: (t.shape, t.dtype) for n, t in expected.items()
            }:
                raise UserError("its tensors are not those of an optimizer state of this run")
            if not all(bool(torch.isfinite(tensor).all()) for tensor in part.values()):
                raise UserError("its tensors are not finite")
        return before, after


def model_hash(model: Model) -> bytes:
    """The hash that members agree on: of the parameters and the shared state."""
    return root(joined(parameters=model.parameters, shared=model.shared))


def _precision(text: str) -> Any:
    if text not in ("fp32", "bf16"):
        raise UserError(f"precision {text!r} is neither fp32 nor bf16")
    return text


def data_fingerprint(trainer: Trainer) -> bytes:
    """32 bytes by which members tell whether they train on the same data."""
    return blake3(trainer.data.fingerprint()).digest()
