"""DiLoCo: distributed low-communication training (Douillard et al., arXiv 2311.08105, algorithm 1).

    inner   p_i <- AdamW or Muon, one step per batch, from p   each member alone; it keeps its moments
    outer   D <- mean of p - p_i                               sent whole, fp32
            m <- mu m + D
            p <- p - outer_lr (D + mu m)                       Nesterov

With `inner = "muon"` this is MuLoCo (Thérien et al., arXiv 2505.23725). H, the number of inner steps, is the number of batches:
a member that is given more units takes more steps, and its change weighs more.
"""

from __future__ import annotations

from collections.abc import Sequence

from quiltwork.pretrain.codec.base import Kind
from quiltwork.pretrain.optimizers import dense
from quiltwork.pretrain.optimizers.base import Alike, Batch, Gradient, Step, Tensors, Update, steps_alike, zeros
from quiltwork.pretrain.optimizers.config import DilocoConfig
from quiltwork.pretrain.optimizers.inner import begin_inner, inner_steps
from quiltwork.pretrain.optimizers.numbers import stepped


class DiLoCo:
    """Shared is the outer momentum; a member's own state is its inner moments."""

    name = "diloco"
    least = Alike(updates=0.9, states=0.92)

    def __init__(self, config: DilocoConfig) -> None:
        self.config = config

    def begin(self, parameters: Tensors) -> Tensors:
        """Begin with no outer momentum."""
        return zeros(parameters)

    def begin_own(self, parameters: Tensors) -> Tensors:
        """Begin with inner moments that have seen nothing."""
        return begin_inner(parameters, self.config)

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
        """Train alone, and send how far that went."""
        change, moments, loss = inner_steps(parameters, own, batches, gradient, lr, self.config)
        return Step(dense.encode(Kind.DILOCO, change), moments, loss)

    def check(self, payload: bytes, parameters: Tensors) -> None:
        """Raise Malformed unless it decodes."""
        dense.decode(Kind.DILOCO, payload, parameters)

    def aggregate(
        self, parameters: Tensors, shared: Tensors, updates: Sequence[Update], lr: float
    ) -> tuple[Tensors, Tensors]:
        """Take the outer step; `lr` was that of the inner ones."""
        if not updates:
            return parameters, shared
        change = dense.mean(Kind.DILOCO, updates, parameters, self.config.most_times_median, grows=True)
        mu = self.config.outer_momentum
        momentum = {name: shared[name] * mu + change[name] for name in parameters}
        new = {
            name: stepped(p, change[name] + momentum[name] * mu, self.config.outer_lr) for name, p in parameters.items()
        }
        return new, momentum

    def compare(self, mine: bytes, theirs: bytes, parameters: Tensors) -> float:
        """Give 1 - |a - b| / (|a| + |b|)."""
        return dense.compare(Kind.DILOCO, mine, theirs, parameters)

    def compare_states(
        self, before: Tensors, mine: Tensors, theirs: Tensors, updates: tuple[bytes, bytes], parameters: Tensors
    ) -> float:
        """Compare by the length of the step."""
        return steps_alike(before, mine, theirs)
