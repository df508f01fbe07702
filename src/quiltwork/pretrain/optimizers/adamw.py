"""Dense AdamW (Loshchilov & Hutter, arXiv 1711.05101): members send whole gradients, and all take the same step. The baseline."""

from __future__ import annotations

from collections.abc import Sequence

from quiltwork.pretrain.codec.base import Kind
from quiltwork.pretrain.optimizers import dense
from quiltwork.pretrain.optimizers.adam import adam, begin_moments
from quiltwork.pretrain.optimizers.base import Alike, Batch, Gradient, Step, Tensors, Update, steps_alike
from quiltwork.pretrain.optimizers.config import AdamWConfig
from quiltwork.pretrain.optimizers.gradients import mean_gradient
from quiltwork.pretrain.optimizers.numbers import clipped, decayed, stepped


class AdamW:
    """Shared are the moments; members have nothing of their own."""

    name = "adamw"
    least = Alike(updates=0.95, states=1.0)

    def __init__(self, config: AdamWConfig) -> None:
        self.config = config

    def begin(self, parameters: Tensors) -> Tensors:
        """Begin with moments that have seen nothing."""
        return begin_moments(parameters)

    def begin_own(self, parameters: Tensors) -> Tensors:
        """Own nothing."""
        return {}

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
        """Send the gradient."""
        gradients, loss = mean_gradient(parameters, batches, gradient)
        return Step(dense.encode(Kind.ADAMW, gradients), {}, loss)

    def check(self, payload: bytes, parameters: Tensors) -> None:
        """Raise Malformed unless it decodes."""
        dense.decode(Kind.ADAMW, payload, parameters)

    def aggregate(
        self, parameters: Tensors, shared: Tensors, updates: Sequence[Update], lr: float
    ) -> tuple[Tensors, Tensors]:
        """Average, clip, and step."""
        if not updates:
            return parameters, shared
        mean = dense.mean(Kind.ADAMW, updates, parameters, self.config.most_times_median, grows=False)
        gradients = clipped(mean, self.config.clip)
        direction, moments = adam(gradients, shared, self.config)
        new = {
            name: stepped(decayed(p, lr, self.config.weight_decay), direction[name], lr)
            for name, p in parameters.items()
        }
        return new, moments

    def compare(self, mine: bytes, theirs: bytes, parameters: Tensors) -> float:
        """Give 1 - |a - b| / (|a| + |b|)."""
        return dense.compare(Kind.ADAMW, mine, theirs, parameters)

    def compare_states(
        self, before: Tensors, mine: Tensors, theirs: Tensors, updates: tuple[bytes, bytes], parameters: Tensors
    ) -> float:
        """Compare by the length of the step."""
        return steps_alike(before, mine, theirs)
