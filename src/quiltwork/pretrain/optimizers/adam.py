"""Adam's direction (Kingma & Ba, arXiv 1412.6980), as a function of its moments."""

from __future__ import annotations

import torch

from quiltwork.pretrain.optimizers.base import Tensors, group, joined, zeros
from quiltwork.pretrain.optimizers.config import Moments


def begin_moments(parameters: Tensors) -> Tensors:
    """Give moments that have seen no gradient. `unseen` is how much of each still is that initial zero: beta^t."""
    device = next((parameter.device for parameter in parameters.values()), torch.device("cpu"))
    ones = {"first": torch.ones((), device=device), "second": torch.ones((), device=device)}
    return joined(first=zeros(parameters), second=zeros(parameters), unseen=ones)


def adam(gradients: Tensors, moments: Tensors, config: Moments) -> tuple[Tensors, Tensors]:
    """Give the direction m / (sqrt(v) + epsilon), corrected for the zeros that m and v began with, and the new moments.

    Elementwise, one rounding at a time: the bits are the same everywhere (see `numbers`).
    """
    first, second, unseen = group(moments, "first"), group(moments, "second"), group(moments, "unseen")
    unseen = {"first": unseen["first"] * config.beta1, "second": unseen["second"] * config.beta2}
    direction: Tensors = {}
    for name, g in gradients.items():
        first[name] = first[name] * config.beta1 + g * (1 - config.beta1)
        second[name] = second[name] * config.beta2 + g * g * (1 - config.beta2)
        m = first[name] / (1 - unseen["first"])
        v = second[name] / (1 - unseen["second"])
        direction[name] = m / (v.sqrt() + config.epsilon)
    return direction, joined(first=first, second=second, unseen=unseen)
