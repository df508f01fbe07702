"""The interface of all optimizers, and the hash that says that two members hold the same tensors.

A round is `local_step` at every member, then `aggregate`, which all of them compute from the same accepted payloads.
Nothing here reads a clock or draws a number, and no tensor that is given is changed.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch
from blake3 import blake3

if TYPE_CHECKING:
    from quiltwork.pretrain.optimizers.config import OptimizerConfig

Tensors = dict[str, torch.Tensor]
"""By name; fp32, contiguous, sorted by name."""

Batch = torch.Tensor
"""Token ids, int64 [sequences, length + 1]."""

Gradient = Callable[[Tensors, Batch], tuple[Tensors, float]]
"""Parameters and a batch -> the gradient of the loss, averaged over tokens, and the loss in nats per token."""

Update = tuple[int, bytes]
"""A weight (the units that were accepted) and the payload that came of them."""


@dataclass(frozen=True)
class Step:
    """What one member's local step gives."""

    payload: bytes
    """The encoded update: what goes over the network."""
    own: Tensors
    """The member's next own state: momentum, error feedback, ..."""
    loss: float
    """Mean training loss over the batches, in nats per token."""


class Alike(NamedTuple):
    """How alike two honest computations of one step are at least: what `compare` and `compare_states` say of them."""

    updates: float
    states: float


class Optimizer(Protocol):
    """One way to train together. `shared` is equal at all members, `own` is a member's, and both are {} for some."""

    name: str
    least: Alike
    """Below one of these an audit accuses. Measured: docs/pretrain-verification.md."""

    def begin(self, parameters: Tensors) -> Tensors:
        """Give the first shared state."""

    def begin_own(self, parameters: Tensors) -> Tensors:
        """Give a member's first own state; also that of one who joins a run that has gone on for long."""

    def local_step(
        self,
        parameters: Tensors,
        shared: Tensors,
        own: Tensors,
        batches: Sequence[Batch],
        gradient: Gradient,
        lr: float,
        previous_lr: float,
    ) -> Step:
        """Train on one batch per unit of work. `previous_lr` is the last round's (0 in the first), for lookahead.

        Raises ValueError without a batch, UserError for a loss or a gradient that is not finite.
        """

    def check(self, payload: bytes, parameters: Tensors) -> None:
        """Raise Malformed unless the payload is one that `local_step` could give for parameters of these shapes.

        Whatever the bytes, time and memory are within a small multiple of an honest payload's.
        """

    def aggregate(
        self, parameters: Tensors, shared: Tensors, updates: Sequence[Update], lr: float
    ) -> tuple[Tensors, Tensors]:
        """Apply the accepted updates, in their canonical order: new parameters, new shared state. Raises Malformed.

        Without an update nothing changes.
        """

    def compare(self, mine: bytes, theirs: bytes, parameters: Tensors) -> float:
        """Say how alike two valid payloads for these parameters are, from 0 to 1 (equal): for audits by recomputation."""

    def compare_states(
        self, before: Tensors, mine: Tensors, theirs: Tensors, updates: tuple[bytes, bytes], parameters: Tensors
    ) -> float:
        """Say how alike two own states after a step from `before` are, from 0 to 1 (equal); `updates` were sent in it."""


def joined(**groups: Tensors) -> Tensors:
    """Make one state of several groups of tensors: `group/name`, sorted."""
    return dict(sorted((f"{group}/{name}", tensor) for group, part in groups.items() for name, tensor in part.items()))


def group(state: Tensors, name: str) -> Tensors:
    """Give one group of a state that `joined` made."""
    prefix = f"{name}/"
    return {key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)}


def zeros(parameters: Tensors) -> Tensors:
    """Give a zero for each parameter."""
    return {name: torch.zeros_like(parameter) for name, parameter in parameters.items()}


def steps_alike(before: Tensors, mine: Tensors, theirs: Tensors) -> float:
    """1 for equal states after a step, 0 for those that are as far apart as the step itself is long, or further.

    States hold long memories, of which one step is a small part: beside all of it, what was made up in one would be small.
    Groups (`joined`) are of different sizes, squares beside means; that which is least alike counts.
    """
    apart: dict[str, float] = {}
    length: dict[str, float] = {}
    for name, tensor in mine.items():
        part = name.rpartition("/")[0]
        apart[part] = apart.get(part, 0.0) + square(tensor - theirs[name])
        length[part] = length.get(part, 0.0) + square(tensor - before[name])
    return min((alike(apart[part], length[part]) for part in apart), default=1.0)


def square(tensor: torch.Tensor) -> float:
    """The square of its length."""
    return float(torch.sum(tensor.double() ** 2))


def alike(apart: float, length: float) -> float:
    """Give 1 - apart / length, from 0 to 1, of two squares; of nothing, 1 if that is equal."""
    if length == 0:
        return 1.0 if apart == 0 else 0.0
    return max(0.0, 1.0 - math.sqrt(apart / length))


def optimizer_of(config: OptimizerConfig) -> Optimizer:
    """Make the optimizer that a configuration describes."""
    # Each of them imports this module, and a run needs one of them.
    match config.kind:
        case "adamw":
            from quiltwork.pretrain.optimizers.adamw import AdamW

            return AdamW(config)
        case "demo":
            from quiltwork.pretrain.optimizers.demo import DeMo

            return DeMo(config)
        case "distro":
            from quiltwork.pretrain.optimizers.distro import DisTrO

            return DisTrO(config)
        case "demo_exact":
            from quiltwork.pretrain.optimizers.demo_exact import DeMoExact

            return DeMoExact(config)
        case "diloco":
            from quiltwork.pretrain.optimizers.diloco import DiLoCo

            return DiLoCo(config)
        case "sparseloco":
            from quiltwork.pretrain.optimizers.sparseloco import SparseLoCo

            return SparseLoCo(config)


def root(tensors: Tensors) -> bytes:
    """Hash names, dtypes, shapes and bytes (little-endian), in the order of the names: BLAKE3-256, 32 bytes."""
    total = blake3(b"quiltwork.tensors/1\n")
    for name, tensor in sorted(tensors.items()):
        label = f"{name}\n{str(tensor.dtype).removeprefix('torch.')}\n{','.join(map(str, tensor.shape))}".encode()
        total.update(struct.pack("<I", len(label)) + label)
        array = tensor.detach().cpu().contiguous().numpy()
        total.update(array.astype(array.dtype.newbyteorder("<"), copy=False).reshape(-1).view("u1").data)
    return total.digest()
