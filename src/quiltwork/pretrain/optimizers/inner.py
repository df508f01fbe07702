"""Steps that a member takes alone between two exchanges: AdamW, one step for each batch."""

from __future__ import annotations

from collections.abc import Sequence

from quiltwork.pretrain.optimizers.adam import adam
from quiltwork.pretrain.optimizers.base import Batch, Gradient, Tensors
from quiltwork.pretrain.optimizers.config import Moments
from quiltwork.pretrain.optimizers.numbers import clipped, decayed, stepped


def inner_steps(
    parameters: Tensors, moments: Tensors, batches: Sequence[Batch], gradient: Gradient, lr: float, config: Moments
) -> tuple[Tensors, Tensors, float]:
    """Give how far the parameters went (before - after), the new moments, and the mean loss.

    Raises ValueError without a batch.
    """
    if not batches:
        raise ValueError("a local step needs at least one batch")
    here, losses = parameters, []
    for batch in batches:
        gradients, loss = gradient(here, batch)
        direction, moments = adam(clipped(gradients, config.clip), moments, config)
        here = {name: stepped(decayed(p, lr, config.weight_decay), direction[name], lr) for name, p in here.items()}
        losses.append(loss)
    return {name: parameters[name] - here[name] for name in parameters}, moments, sum(losses) / len(losses)
