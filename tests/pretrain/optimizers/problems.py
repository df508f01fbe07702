"""Small things to train: a matrix with made-up gradients, and a table of which letter follows which."""

import torch
from pydantic import TypeAdapter
from torch.nn.functional import cross_entropy

from quiltwork.pretrain.optimizers.base import Batch, Optimizer, Tensors, optimizer_of
from quiltwork.pretrain.optimizers.config import OptimizerConfig

KINDS = ("adamw", "demo", "distro", "demo_exact", "diloco", "sparseloco")
LETTERS = 12


def make(kind: str, **dials) -> Optimizer:
    return optimizer_of(TypeAdapter(OptimizerConfig).validate_python({"kind": kind, **dials}))


def matrix(height: int = 6, width: int = 8, seed: int = 0) -> Tensors:
    return {"w": torch.randn(height, width, generator=torch.Generator().manual_seed(seed))}


def wavy(parameters: Tensors, batch: Batch) -> tuple[Tensors, float]:
    """A gradient of no loss: different everywhere, in every batch, and a function of the parameters."""
    shift = float(batch.sum())
    return {
        name: torch.sin(3 * p + shift + torch.arange(p.numel()).reshape(p.shape)) for name, p in parameters.items()
    }, shift


def table() -> Tensors:
    """What a bigram model begins with: logits, and a bias, sorted by name."""
    return {"bias": torch.zeros(LETTERS), "follows": torch.zeros(LETTERS, LETTERS)}


def bigram(parameters: Tensors, batch: Batch) -> tuple[Tensors, float]:
    leaves = {name: p.clone().requires_grad_() for name, p in parameters.items()}
    logits = leaves["follows"][batch[:, :-1]] + leaves["bias"]
    loss = cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
    return dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True)), loss.item()


def letters(seed: int) -> Batch:
    """Text in which the next letter is mostly the last one plus one."""
    random = torch.Generator().manual_seed(seed)
    start = torch.randint(0, LETTERS, (16, 1), generator=random)
    noise = (torch.rand(16, 12, generator=random) < 0.1).long() * torch.randint(1, LETTERS, (16, 12), generator=random)
    return (start + torch.arange(12) + noise) % LETTERS


def batch(number: int) -> Batch:
    """A batch for `wavy`."""
    return torch.tensor([[number, 1]])
