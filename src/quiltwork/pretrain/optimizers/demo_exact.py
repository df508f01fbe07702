"""DeMo by votes: every member that applies the same payloads holds the same bits, on any device, in any order.

DeMo's aggregate is a sum of floats, so it depends on the order of its terms, and a sign that falls the other way moves a
parameter by 2 lr. Here members send signs, and everything up to the sign of the result is computed in whole numbers:

    V <- sum of weight * sign(c)         votes for each coefficient, whole numbers
    Q <- A^T V B                         A, B: the DCT bases in 8 bits, whole numbers from -126 to 126
    p <- p (1 - lr wd), then p - lr sign(Q), each rounded once

A block's votes are at most (sum of weights) * k in all, so no partial sum exceeds that times 126^2. Below 2^24 each of them is
a whole number that fp32 holds exactly, and a product of matrices in fp32 is exact in whatever order it adds: that is so while
(sum of weights) * k <= 1,056. Beyond, the same is done in 64-bit integers, on the CPU. Only signs are used, so the bases need
no scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch

from quiltwork.errors import UserError
from quiltwork.pretrain.codec.base import Kind
from quiltwork.pretrain.optimizers.base import Tensors, Update
from quiltwork.pretrain.optimizers.chosen import Chosen
from quiltwork.pretrain.optimizers.dct import Chunks, dct_matrix
from quiltwork.pretrain.optimizers.demo import DeMo
from quiltwork.pretrain.optimizers.numbers import decayed, stepped

LARGEST = 126
"""Of the bases in whole numbers: the largest for eight bits whose half, the cosine of 60 degrees, is whole, not halfway."""

MOST_VOTES_IN_FP32 = (2**24 - 1) // LARGEST**2
"""1,056: with more, a partial sum could need a 25th bit."""


@lru_cache(maxsize=64)
def whole_basis(n: int) -> torch.Tensor:
    """Give the DCT-II basis in whole numbers, int64 [frequency, place]: its largest entry becomes 126."""
    exact = dct_matrix(n)
    largest = max(abs(entry) for row in exact for entry in row)
    return torch.tensor([[round(LARGEST * entry / largest) for entry in row] for row in exact])


def direction(votes: torch.Tensor, chunks: Chunks, most: int) -> torch.Tensor:
    """Give sign(A^T V B) in fp32, for votes int64 [rows, width] of which a row has at most `most`."""
    down, across = whole_basis(chunks.h), whole_basis(chunks.w)
    if most <= MOST_VOTES_IN_FP32:
        if torch.get_float32_matmul_precision() != "highest":
            raise UserError(
                "demo_exact multiplies whole numbers in fp32, and torch is set to round them: call torch.set_float32_"
                'matmul_precision("highest")'
            )
        return chunks.back(votes.float(), down.to(votes.device).float(), across.to(votes.device).float()).sign()
    return chunks.back(votes.cpu(), down, across).sign().float().to(votes.device)  # GPUs have no product of integers


class DeMoExact(DeMo):
    """DeMo with another aggregate. Local steps may use any precision: what they send is signs."""

    name = "demo_exact"
    kind = Kind.DEMO_EXACT

    def aggregate(
        self, parameters: Tensors, shared: Tensors, updates: Sequence[Update], lr: float
    ) -> tuple[Tensors, Tensors]:
        """Count votes, transform them, and step along the sign; units accepted are votes."""
        if not updates:
            return parameters, shared
        sent = [(weight, self.coefficients.decode(payload, parameters)) for weight, payload in updates]
        weights = sum(weight for weight, _ in sent)
        new = {}
        for name, p in parameters.items():
            chunks = self.coefficients.chunks(p)
            votes = count([(weight, chosen[name]) for weight, chosen in sent], chunks.width)
            towards = direction(votes, chunks, weights * min(self.config.kept, chunks.width))
            new[name] = stepped(decayed(p, lr, self.config.weight_decay), towards, lr)
        return new, shared


def count(sent: Sequence[tuple[int, Chosen]], width: int) -> torch.Tensor:
    """Add up the votes, int64 [rows, width]."""
    places = sent[0][1].places
    votes = torch.zeros(len(places), width, dtype=torch.int64, device=places.device)
    for weight, chosen in sent:
        votes.scatter_add_(1, chosen.places, chosen.values.long() * weight)
    return votes
