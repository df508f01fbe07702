"""One gradient out of a member's batches."""

from __future__ import annotations

from collections.abc import Sequence

from quiltwork.pretrain.optimizers.base import Batch, Gradient, Tensors


def mean_gradient(parameters: Tensors, batches: Sequence[Batch], gradient: Gradient) -> tuple[Tensors, float]:
    """Average gradient and loss over batches of equal size. Raises ValueError without a batch."""
    if not batches:
        raise ValueError("a local step needs at least one batch")
    mean, loss = gradient(parameters, batches[0])
    for batch in batches[1:]:
        more, its_loss = gradient(parameters, batch)
        mean = {name: mean[name] + more[name] for name in mean}
        loss += its_loss
    return {name: mean[name] / len(batches) for name in parameters}, loss / len(batches)
