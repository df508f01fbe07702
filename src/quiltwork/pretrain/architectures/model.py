"""A model as a function: parameters and data in, gradient and loss out. What optimizers and trainers see of torch.

    module = build(GptConfig(), seed=1)
    values = parameters(module)                      # {name: fp32 tensor}, sorted by name, tied ones once
    gradients, loss = gradient(module)(values, batch)
    evaluate(module, values, held_out)               # nats per token

A batch is int64 [sequences, length + 1]: the model reads all tokens but the last and predicts all but the first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from quiltwork.pretrain.architectures.config import Architecture, GptConfig, MlaConfig, OwnConfig
from quiltwork.pretrain.architectures.gpt import gpt
from quiltwork.pretrain.architectures.initial import normal
from quiltwork.pretrain.architectures.mla import mla
from quiltwork.pretrain.architectures.own import own

Tensors = dict[str, torch.Tensor]
Batch = torch.Tensor
Precision = Literal["fp32", "bf16"]
Gradient = Callable[[Tensors, Batch], tuple[Tensors, float]]


def build(config: Architecture, seed: int) -> nn.Module:
    """Make the model with its first parameters, on the CPU, in fp32. Equal seeds give equal bits (see `initial`).

    A model of the user's own initialises itself: see `own`, also for what is raised.
    """
    if isinstance(config, OwnConfig):
        return own(config, seed)
    module = gpt(config) if isinstance(config, GptConfig) else mla(config)
    first = {name: _first(config, seed, name, tuple(value.shape)) for name, value in module.named_parameters()}
    module.load_state_dict(first, assign=True)
    return module.eval()


def _first(config: GptConfig | MlaConfig, seed: int, name: str, shape: tuple[int, ...]) -> torch.Tensor:
    if len(shape) == 1:  # a norm's scale
        return torch.ones(shape)
    writes_residual = name.endswith(("o_proj.weight", "down_proj.weight"))
    std = config.initial_std / math.sqrt(2 * config.layers) if writes_residual else config.initial_std
    return torch.from_numpy(normal(seed, name, shape, std))


def parameters(module: nn.Module) -> Tensors:
    """Copy the module's parameters: fp32, contiguous, sorted by name, each once also where several names share it."""
    return {
        name: value.detach().to(torch.float32, copy=True).contiguous()
        for name, value in sorted(module.named_parameters())
    }


def gradient(module: nn.Module, *, precision: Precision = "fp32", micro_batch: int = 0) -> Gradient:
    """Give the function from parameters and a batch to the gradient of its loss, and that loss.

    The loss is cross-entropy in nats, averaged over all tokens of the batch; the gradients are fp32. The same parameters
    and batch give the same result whenever they are asked for, since auditors ask again: the module is put into eval mode
    (no dropout). `micro_batch` sequences are computed at a time (0: all), which bounds memory and changes no more than
    rounding. With bf16, products of matrices are computed in it (autocast); sums and losses stay fp32.

    The function raises ValueError if the parameters' names are not the module's.
    """
    module.eval()
    names = {name for name, _ in module.named_parameters()}

    def compute(values: Tensors, batch: Batch) -> tuple[Tensors, float]:
        _check_names(names, values)
        leaves = {name: value.detach().requires_grad_() for name, value in values.items()}
        sums: Tensors = {}
        loss = 0.0
        for piece in _pieces(batch, micro_batch):
            part = _loss_sum(module, leaves, piece, precision) / _predictions(batch)
            found = torch.autograd.grad(part, list(leaves.values()), allow_unused=True, materialize_grads=True)
            for name, value in zip(leaves, found, strict=True):
                sums[name] = sums[name].add_(value) if name in sums else value.contiguous()
            loss += float(part.detach())
        return sums, loss

    return compute


def evaluate(
    module: nn.Module,
    values: Tensors,
    batches: Iterable[Batch],
    *,
    precision: Precision = "fp32",
    micro_batch: int = 0,
) -> float:
    """Give the mean loss over all tokens of the batches, in nats. Raises ValueError for no batch, or for wrong names."""
    module.eval()
    _check_names({name for name, _ in module.named_parameters()}, values)
    total, count = 0.0, 0
    with torch.no_grad():
        for batch in batches:
            for piece in _pieces(batch, micro_batch):
                total += float(_loss_sum(module, values, piece, precision))
                count += _predictions(piece)
    if not count:
        raise ValueError("no batches to evaluate on")
    return total / count


def _loss_sum(module: nn.Module, values: Tensors, batch: Batch, precision: Precision) -> torch.Tensor:
    batch = batch.to(next(iter(values.values())).device)
    with torch.autocast(batch.device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
        output = torch.func.functional_call(module, values, (batch[:, :-1],))
    logits = output if isinstance(output, torch.Tensor) else output.logits  # as Hugging Face's models return them
    return functional.cross_entropy(logits.float().flatten(0, 1), batch[:, 1:].flatten(), reduction="sum")


def _pieces(batch: Batch, micro_batch: int) -> Iterator[Batch]:
    yield from torch.split(batch, micro_batch or len(batch))


def _predictions(batch: Batch) -> int:
    return batch.shape[0] * (batch.shape[1] - 1)


def _check_names(names: set[str], values: Tensors) -> None:
    if wrong := sorted(names ^ values.keys()):
        raise ValueError(f"the parameters are not this module's; only one of the two has {wrong[0]}")
