"""DeMo: decoupled momentum (Peng, Quesnelle, Kingma: arXiv 2411.19870, algorithm 1; momentum and rate as in its code).

Members let their momenta drift apart and send only the fast parts of them, as the largest DCT coefficients:

    d <- beta d + lr g                              own momentum
    c <- the k largest coefficients of DCT(d), of each chunk
    d <- d - DCT^-1(c)                              what is sent is not kept
    Q <- DCT^-1(mean of c over those who sent it)   for all members
    p <- (1 - lr wd) p - lr sign(Q)

With `values = "signs"` c is sent as signs (one bit), as DisTrO does; "floats" is the paper.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from quiltwork.pretrain.codec.base import Kind
from quiltwork.pretrain.optimizers.base import Alike, Batch, Gradient, Step, Tensors, Update, alike, square, zeros
from quiltwork.pretrain.optimizers.chosen import Chosen, bounded
from quiltwork.pretrain.optimizers.coefficients import Coefficients
from quiltwork.pretrain.optimizers.config import Compression
from quiltwork.pretrain.optimizers.gradients import mean_gradient
from quiltwork.pretrain.optimizers.numbers import clipped, decayed, stepped


class DeMo:
    """Nothing is shared; a member's own state is its momentum."""

    name = "demo"
    least = Alike(updates=0.95, states=0.96)
    kind = Kind.DEMO

    def __init__(self, config: Compression) -> None:
        self.config = config
        self.coefficients = Coefficients(self.kind, config)

    def begin(self, parameters: Tensors) -> Tensors:
        """Share nothing."""
        return {}

    def begin_own(self, parameters: Tensors) -> Tensors:
        """Begin with no momentum."""
        return zeros(parameters)

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
        """Send the largest coefficients of the momentum, and take them out of it."""
        gradients, loss = mean_gradient(parameters, batches, gradient)
        chosen: dict[str, Chosen] = {}
        momentum: Tensors = {}
        for name, g in clipped(gradients, self.config.clip).items():
            d = self.config.beta * own[name] + lr * g
            chosen[name] = self.coefficients.choose(d)
            momentum[name] = d - self.coefficients.restore(chosen[name], d)
        return Step(self.coefficients.encode(chosen, parameters), momentum, loss)

    def check(self, payload: bytes, parameters: Tensors) -> None:
        """Raise Malformed unless it decodes."""
        self.coefficients.decode(payload, parameters)

    def aggregate(
        self, parameters: Tensors, shared: Tensors, updates: Sequence[Update], lr: float
    ) -> tuple[Tensors, Tensors]:
        """Step along the sign of the mean; members weigh as many times as they had units accepted."""
        if not updates:
            return parameters, shared
        weights = [weight for weight, _ in updates]
        sent = [self.coefficients.decode(payload, parameters) for _, payload in updates]
        sent = bounded(sent, self.config.most_times_median)
        new = {}
        for name, p in parameters.items():
            q = mean_of_senders(
                [(w, chosen[name]) for w, chosen in zip(weights, sent, strict=True)], self.coefficients.chunks(p).width
            )
            direction = self.coefficients.chunks(p).inverse(q).sign()
            new[name] = stepped(decayed(p, lr, self.config.weight_decay), direction, lr)
        return new, shared

    def compare(self, mine: bytes, theirs: bytes, parameters: Tensors) -> float:
        """Give the share of coefficients that both sent with the same sign."""
        return self.coefficients.compare(mine, theirs, parameters)

    def compare_states(
        self, before: Tensors, mine: Tensors, theirs: Tensors, updates: tuple[bytes, bytes], parameters: Tensors
    ) -> float:
        """Compare the coefficients of the momenta by the length of what the gradient brought.

        Of two coefficients that are almost equally large one computation sends the one, the other the other, and keeps it.
        Where they sent, nothing may be left; what only I sent may be no larger than the largest that I kept.
        """
        sent = [self.coefficients.decode(payload, parameters) for payload in updates]
        apart = brought = 0.0
        for name, p in parameters.items():
            chunks = self.coefficients.chunks(p)
            was, ours, others = (chunks.forward(state[name]) for state in (before, mine, theirs))
            we, they = (
                Chosen(part[name].places, torch.ones_like(part[name].values)).spread(chunks.width) > 0 for part in sent
            )
            kept = ours.masked_fill(we, 0.0)
            largest = kept.abs().amax(dim=1, keepdim=True)
            difference = torch.where(we, (others.abs() - largest).clamp(min=0.0), kept - others)
            difference = torch.where(they, others, difference)
            gradient = (ours - self.config.beta * was).masked_fill(we | they, 0.0)
            apart += square(difference)
            brought += square(gradient)
        return alike(apart, brought)


def mean_of_senders(sent: Sequence[tuple[int, Chosen]], width: int) -> torch.Tensor:
    """Average at each place over those who sent something there: [rows, width], 0 where nobody did."""
    rows = len(sent[0][1].places)
    sums, weights = torch.zeros(2, rows, width, device=sent[0][1].places.device)
    for weight, chosen in sent:
        sums.scatter_add_(1, chosen.places, chosen.values * weight)
        weights.scatter_add_(1, chosen.places, torch.full_like(chosen.values, weight))
    mean: torch.Tensor = sums / weights.clamp(min=1)
    return mean
