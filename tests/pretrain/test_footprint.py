"""Footprints: bytes held to what the optimizers really send and keep."""

from __future__ import annotations

import math

import pytest
import torch

from quiltwork.pretrain.architectures.config import GptConfig
from quiltwork.pretrain.architectures.sizes import shapes
from quiltwork.pretrain.footprint import footprint, psyche_payload_bytes
from quiltwork.pretrain.optimizers.base import optimizer_of
from quiltwork.pretrain.optimizers.config import (
    AdamWConfig,
    DemoConfig,
    DemoExactConfig,
    DilocoConfig,
    DistroConfig,
    OptimizerConfig,
    SparselocoConfig,
)

SMALL = GptConfig(vocabulary=96, context=16, hidden=48, layers=2, heads=4, mlp_hidden=80)
ODD = {"a": (30, 14), "b": (7,), "c": (2, 5, 33), "d": (129,)}
ALL: list[OptimizerConfig] = [
    AdamWConfig(),
    DemoConfig(chunk=16, kept=8),
    DemoConfig(chunk=8, kept=2, values="floats"),
    DemoConfig(chunk=64, kept=4),
    DistroConfig(chunk=16, kept=4),
    DemoExactConfig(chunk=16, kept=12),
    DilocoConfig(inner="adamw"),
    DilocoConfig(inner="muon", never_muon=("embed", "a")),
    SparselocoConfig(inner="muon", chunk=64, kept=16),
    SparselocoConfig(inner="adamw", chunk=100, kept=3),
]


def held(tensors: dict[str, torch.Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


@pytest.mark.parametrize("tensors", [shapes(SMALL), ODD], ids=["gpt", "odd shapes"])
@pytest.mark.parametrize("config", ALL, ids=lambda config: f"{config.kind}")
def test_bytes_are_those_of_the_real_payload_and_the_real_states(
    config: OptimizerConfig, tensors: dict[str, tuple[int, ...]]
) -> None:
    torch.manual_seed(0)
    parameters = {name: torch.randn(shape) for name, shape in tensors.items()}

    def gradient(at: dict[str, torch.Tensor], batch: torch.Tensor) -> tuple[dict[str, torch.Tensor], float]:
        return {name: torch.randn_like(tensor) for name, tensor in at.items()}, 1.0

    optimizer = optimizer_of(config)
    shared, own = optimizer.begin(parameters), optimizer.begin_own(parameters)
    step = optimizer.local_step(parameters, shared, own, [torch.zeros(1, 2)], gradient, 0.01, 0.0)
    found = footprint(config, tensors)
    assert found.payload_bytes == len(step.payload)
    assert found.shared_bytes == held(shared)
    assert found.own_bytes == held(own) == held(step.own)


def test_psyches_bytes_for_consilience() -> None:
    """83 MB for 40 billion parameters at 4 of 4,096, 4.15 MB for one billion at 8; 8-bit places in chunks of 16 by 16."""
    assert psyche_payload_bytes(40_000_000_000, 64, 4) == pytest.approx(83.0e6, rel=1e-3)
    assert psyche_payload_bytes(1_000_000_000, 64, 8) == pytest.approx(4.15e6, rel=1e-3)
    assert psyche_payload_bytes(256, 16, 8) == 8 * 9 / 8


def test_ours_is_smaller_by_what_the_places_of_a_set_are_worth() -> None:
    tensors = {"w": (4096, 4096)}
    ours = footprint(DemoConfig(chunk=64, kept=8), tensors).payload_bytes
    psyche = psyche_payload_bytes(4096 * 4096, 64, 8)
    # 8 of 4,096 have ceil(log2 C(4096, 8)) = 81 bits, and 8 signs: 89 against 136
    assert ours == pytest.approx(4096 * (math.ceil(math.log2(math.comb(4096, 8))) + 8) / 8, rel=0.001)
    assert psyche / ours == pytest.approx(136 / 89, rel=0.001)


def test_transforms_cost_what_two_products_of_matrices_cost() -> None:
    """A block of h by w: h w (h + w) multiplications and as many additions."""
    tensors = {"w": (128, 128)}
    found = footprint(DemoConfig(chunk=64, kept=8), tensors)
    transform = 4 * (2 * 64 * 64 * 128)
    assert found.apply_flops == transform + 4 * 128 * 128
    assert found.encode_flops == 2 * transform + 4 * 128 * 128
    assert found.apply_flops_each == 2 * 4 * 8


def test_muon_costs_three_products_of_matrices_a_step() -> None:
    """For 64 by 256: the gram matrix (64 x 256 x 64), its square (64^3) and the way back, an addition with each product."""
    muon = footprint(DilocoConfig(inner="muon"), {"w": (64, 256)}).unit_flops
    assert muon == 5 * 2 * (64 * 256 * 64 + 64**3 + 64 * 64 * 256) + 6 * 64 * 256
    assert muon == footprint(DilocoConfig(inner="muon"), {"w": (256, 64)}).unit_flops
    assert footprint(DilocoConfig(inner="adamw"), {"w": (64, 256)}).unit_flops == 15 * 64 * 256
