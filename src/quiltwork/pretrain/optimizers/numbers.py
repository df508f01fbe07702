"""Arithmetic that gives the same bits on every device, whatever the number of threads.

A single IEEE operation on two fp32 numbers has one result. Bits differ where a device may choose: in the order of a sum, and
in whether a product and a sum are rounded once (a fused multiply-add) or twice. So sums are taken by halves, element by
element, and products and sums are separate tensor operations, each of which writes its result before the next one reads it.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

from quiltwork.pretrain.optimizers.base import Tensors


def total(tensor: torch.Tensor) -> torch.Tensor:
    """Sum all elements, in an order that depends on their number alone: the first half onto the second, and again."""
    rest = tensor.flatten()
    while len(rest) > 1:
        half = len(rest) // 2
        folded = rest[:half] + rest[half : 2 * half]
        rest = folded if len(rest) % 2 == 0 else torch.cat((folded, rest[-1:]))
    return rest.sum()


def norm(tensors: Iterable[torch.Tensor]) -> float:
    """Euclidean length of all tensors together."""
    return float(total(torch.cat([(tensor * tensor).flatten() for tensor in tensors])).sqrt())


def clipped(gradients: Tensors, longest: float) -> Tensors:
    """Shorten gradients that are together longer than this (Pascanu et al., 2013)."""
    length = norm(gradients.values())
    if length <= longest:
        return gradients
    return {name: gradient * (longest / length) for name, gradient in gradients.items()}


def weighted_mean(weights: list[int], tensors: list[torch.Tensor]) -> torch.Tensor:
    """Average, added up in the order that is given."""
    mean = torch.zeros_like(tensors[0])
    for weight, tensor in zip(weights, tensors, strict=True):
        mean = mean + tensor * (weight / sum(weights))
    return mean


def decayed(parameter: torch.Tensor, lr: float, weight_decay: float) -> torch.Tensor:
    """Shrink a matrix by `lr * weight_decay` (decoupled: arXiv 1711.05101). Vectors, such as the scales of norms, stay."""
    return parameter * (1 - lr * weight_decay) if parameter.ndim >= 2 and weight_decay else parameter


def stepped(parameter: torch.Tensor, direction: torch.Tensor, lr: float) -> torch.Tensor:
    """Go against a direction: a product, rounded, then a difference, rounded."""
    return parameter - direction * lr
