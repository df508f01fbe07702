"""A member's gradients: averaged over its batches, and looked at before they are used."""

from __future__ import annotations

import math
from collections.abc import Sequence

from quiltwork.errors import UserError
from quiltwork.pretrain.optimizers.base import Batch, Gradient, Tensors
from quiltwork.pretrain.optimizers.bounds import LARGEST


def sound_gradient(parameters: Tensors, batch: Batch, gradient: Gradient) -> tuple[Tensors, float]:
    """Give gradient and loss of one batch.

    Raises UserError if they are not finite, or beyond what may be sent (`bounds`): what came of them would stay for ever.
    """
    gradients, loss = gradient(parameters, batch)
    bad = [name for name, g in gradients.items() if not (g.abs() <= LARGEST).all()]
    if bad or not math.isfinite(loss):
        where = f"the gradient of {bad[0]} is not finite, or beyond 2^40" if bad else f"the loss is {loss}"
        raise UserError(f"Training diverged: {where}. Lower the learning rate, or warm up for longer.")
    return gradients, loss


def mean_gradient(parameters: Tensors, batches: Sequence[Batch], gradient: Gradient) -> tuple[Tensors, float]:
    """Average gradient and loss over batches of equal size. Raises ValueError without a batch, UserError as above."""
    if not batches:
        raise ValueError("a local step needs at least one batch")
    mean, loss = sound_gradient(parameters, batches[0], gradient)
    for batch in batches[1:]:
        more, its_loss = sound_gradient(parameters, batch, gradient)
        mean = {name: mean[name] + more[name] for name in mean}
        loss += its_loss
    return {name: mean[name] / len(batches) for name in parameters}, loss / len(batches)
