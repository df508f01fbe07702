"""Steps that a member takes alone between two exchanges, one for each batch: AdamW, or Muon for the matrices.

With Muon, tensors of one dimension and embeddings take AdamW steps all the same, as its author advises.
"""

from __future__ import annotations

from collections.abc import Sequence

from quiltwork.pretrain.optimizers.adam import adam, begin_moments
from quiltwork.pretrain.optimizers.base import Batch, Gradient, Tensors, group, joined, zeros
from quiltwork.pretrain.optimizers.config import InnerSteps
from quiltwork.pretrain.optimizers.gradients import sound_gradient
from quiltwork.pretrain.optimizers.muon import muon
from quiltwork.pretrain.optimizers.numbers import clipped, decayed, stepped


def begin_inner(parameters: Tensors, config: InnerSteps) -> Tensors:
    """Give the first state of the inner steps: Adam's moments, and Muon's momentum."""
    matrices, rest = _apart(parameters, config)
    return joined(adam=begin_moments(rest), muon=zeros(matrices))


def inner_steps(
    parameters: Tensors, state: Tensors, batches: Sequence[Batch], gradient: Gradient, lr: float, config: InnerSteps
) -> tuple[Tensors, Tensors, float]:
    """Give how far the parameters went (before - after), the new state, and the mean loss.

    Raises ValueError without a batch, UserError for a loss or a gradient that is not finite.
    """
    if not batches:
        raise ValueError("a local step needs at least one batch")
    here, moments, momentum, losses = parameters, group(state, "adam"), group(state, "muon"), []
    for batch in batches:
        gradients, loss = sound_gradient(here, batch, gradient)
        matrices, rest = _apart(clipped(gradients, config.clip), config)
        direction, moments = adam(rest, moments, config)
        for name, g in matrices.items():
            direction[name], momentum[name] = muon(g, momentum[name], config.muon_momentum)
        here = {name: stepped(decayed(p, lr, config.weight_decay), direction[name], lr) for name, p in here.items()}
        losses.append(loss)
    change = {name: parameters[name] - here[name] for name in parameters}
    return change, joined(adam=moments, muon=momentum), sum(losses) / len(losses)


def _apart(tensors: Tensors, config: InnerSteps) -> tuple[Tensors, Tensors]:
    """Give the tensors that take Muon's steps, and the rest."""
    matrices = {
        name: tensor
        for name, tensor in tensors.items()
        if config.inner == "muon" and tensor.ndim >= 2 and not any(part in name for part in config.never_muon)
    }
    return matrices, {name: tensor for name, tensor in tensors.items() if name not in matrices}
