"""SparseLoCo: DiLoCo whose changes are sent sparse and in two bits (Sarfi et al., arXiv 2508.15706, algorithm 1).

    inner   p_i <- AdamW or Muon, one step per batch, from p   each member alone; it keeps its moments
            e_i <- beta e_i + (p - p_i)                        error feedback
            c_i <- the k largest of each row of e_i, rounded to two magnitudes and a sign
            e_i <- e_i - c_i                                   what was not sent is tried again
    outer   p <- p - outer_lr * mean of c_i

Rows are `chunk` numbers of the flattened tensor (the paper: 4,096). The two magnitudes are the tensor's own. H, the number of
inner steps, is the number of batches, as in `diloco`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from quiltwork.pretrain.codec.base import Kind
from quiltwork.pretrain.codec.sparse import Rows, SparseCodec
from quiltwork.pretrain.codec.values import TwoLevels
from quiltwork.pretrain.optimizers.base import (
    Alike,
    Batch,
    Gradient,
    Step,
    Tensors,
    Update,
    alike,
    group,
    joined,
    square,
    steps_alike,
    zeros,
)
from quiltwork.pretrain.optimizers.chosen import Chosen, agreement, bounded, largest, read, write
from quiltwork.pretrain.optimizers.config import SparselocoConfig
from quiltwork.pretrain.optimizers.dct import block_side
from quiltwork.pretrain.optimizers.inner import begin_inner, inner_steps
from quiltwork.pretrain.optimizers.numbers import stepped, weighted_mean

REFINEMENTS = 3
"""Of the two magnitudes (Lloyd, 1982). After three, the squared error is 1 to 3 % above that after twenty."""


def two_levels(values: torch.Tensor) -> torch.Tensor:
    """Round to a sign and one of two magnitudes, chosen to err little in the mean square."""
    magnitudes = values.abs()
    border = magnitudes.mean()
    for _ in range(REFINEMENTS):
        upper = magnitudes > border
        if upper.all() or not upper.any():  # all are equal, up to rounding
            return torch.where(values < 0, -border, border)
        low, high = magnitudes[~upper].mean(), magnitudes[upper].mean()
        border = (low + high) / 2
    return torch.where(values < 0, -1.0, 1.0) * torch.where(upper, high, low)


class SparseLoCo:
    """Nothing is shared; a member's own state is its inner moments and what it has not sent yet."""

    name = "sparseloco"
    least = Alike(updates=0.9, states=0.88)

    def __init__(self, config: SparselocoConfig) -> None:
        self.config = config
        self.codec = SparseCodec(Kind.SPARSELOCO, TwoLevels())

    def begin(self, parameters: Tensors) -> Tensors:
        """Share nothing."""
        return {}

    def begin_own(self, parameters: Tensors) -> Tensors:
        """Begin with inner moments that have seen nothing, and nothing left to send."""
        return joined(inner=begin_inner(parameters, self.config), unsent=zeros(parameters))

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
        """Train alone; send the largest of how far that went and of what was left over before."""
        change, inner, loss = inner_steps(parameters, group(own, "inner"), batches, gradient, lr, self.config)
        unsent = group(own, "unsent")
        layout, chosen = self.layout(parameters), []
        for (name, moved), rows in zip(change.items(), layout, strict=True):
            e = (self.config.memory * unsent[name] + moved).reshape(rows.rows, rows.width)
            found = largest(e, rows.kept)
            chosen.append(Chosen(found.places, two_levels(found.values)))
            unsent[name] = (e - chosen[-1].spread(rows.width)).reshape(moved.shape)
        return Step(write(self.codec, layout, chosen), joined(inner=inner, unsent=unsent), loss)

    def check(self, payload: bytes, parameters: Tensors) -> None:
        """Raise Malformed unless it decodes."""
        read(self.codec, self.layout(parameters), payload, parameters)

    def aggregate(
        self, parameters: Tensors, shared: Tensors, updates: Sequence[Update], lr: float
    ) -> tuple[Tensors, Tensors]:
        """Average and step; `lr` was that of the inner ones. The same bits everywhere: nothing is added in any other order."""
        if not updates:
            return parameters, shared
        layout, weights = self.layout(parameters), [weight for weight, _ in updates]
        sent = bounded(
            [read(self.codec, layout, payload, parameters) for _, payload in updates],
            self.config.most_times_median,
            weights,
        )
        new = {}
        for (name, p), rows in zip(parameters.items(), layout, strict=True):
            change = weighted_mean(weights, [chosen[name].spread(rows.width) for chosen in sent])
            new[name] = stepped(p, change.reshape(p.shape), self.config.outer_lr)
        return new, shared

    def compare(self, mine: bytes, theirs: bytes, parameters: Tensors) -> float:
        """Of the numbers that either side sent, give the share that both sent, with the same sign."""
        return agreement(self.codec, self.layout(parameters), mine, theirs)

    def compare_states(
        self, before: Tensors, mine: Tensors, theirs: Tensors, updates: tuple[bytes, bytes], parameters: Tensors
    ) -> float:
        """Compare by the length of the step.

        Of two numbers that are almost equally large one computation sends the one, the other the other. What only one of us sent
        is left out, but may not be larger than the largest that I kept of its row.
        """
        apart = length = 0.0
        layout = self.layout(parameters)
        sent = [self.codec.decode(layout, payload) for payload in updates]
        for name, rows, *parts in zip(parameters, layout, *sent, strict=True):
            we, they = (
                Chosen(torch.from_numpy(part.indices), torch.ones(part.indices.shape)).spread(rows.width) > 0
                for part in parts
            )
            was, ours, others = (
                state[f"unsent/{name}"].cpu().reshape(rows.rows, rows.width) for state in (before, mine, theirs)
            )
            largest = ours.masked_fill(we, 0.0).abs().amax(dim=1, keepdim=True)
            difference = torch.where(we ^ they, (others.abs() - largest).clamp(min=0.0), ours - others)
            apart += square(difference)
            length += square((ours - was).masked_fill(we ^ they, 0.0))
        inner = (group(state, "inner") for state in (before, mine, theirs))
        return min(alike(apart, length), steps_alike(*inner))

    def layout(self, parameters: Tensors) -> list[Rows]:
        """Say how the tensors lie in a payload: rows of the largest divisor of their size that is at most `chunk`."""
        widths = [block_side(p.numel(), self.config.chunk) for p in parameters.values()]
        return [
            Rows(p.numel() // width, width, min(self.config.kept, width))
            for p, width in zip(parameters.values(), widths, strict=True)
        ]
