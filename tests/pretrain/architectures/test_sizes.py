from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from quiltwork.pretrain.architectures import (
    GptConfig,
    MlaConfig,
    OwnConfig,
    flops_per_token,
    parameter_count,
    shapes,
)
from quiltwork.pretrain.architectures.model import build, gradient, parameters

SMALL_GPT = GptConfig(vocabulary=48, context=24, hidden=32, layers=3, heads=4, mlp_hidden=40)
SMALL_MLA = MlaConfig(vocabulary=48, context=24, hidden=32, layers=3, heads=4, mlp_hidden=40, key_value_rank=20)
CONFIGS = [
    SMALL_GPT,
    SMALL_GPT.model_copy(update={"tied_embeddings": False, "key_value_heads": 2}),
    SMALL_MLA,
    SMALL_MLA.model_copy(update={"tied_embeddings": False, "query_rank": 12, "value_head": 20}),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_shapes_and_counts_are_those_of_the_model_that_is_built(config: GptConfig | MlaConfig) -> None:
    built = parameters(build(config, 0))
    assert {name: tuple(value.shape) for name, value in built.items()} == shapes(config)
    assert list(shapes(config)) == list(built)
    assert parameter_count(config) == sum(value.numel() for value in built.values())


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("length", [24, 7])
def test_operations_are_those_that_torch_counts(config: GptConfig | MlaConfig, length: int) -> None:
    module = build(config, 0)
    batch = torch.zeros(2, length + 1, dtype=torch.int64)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        gradient(module)(parameters(module), batch)
    assert counter.get_total_flops() == 2 * length * flops_per_token(config, length)


def test_of_a_users_own_model_six_operations_per_parameter_are_counted() -> None:
    config = OwnConfig(model="torch.nn:Embedding", options={"num_embeddings": 16, "embedding_dim": 16})
    assert flops_per_token(config) == 6 * 256


def test_sizes_need_no_torch() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from quiltwork.pretrain.architectures import *; "
        "assert parameter_count(GptConfig()) == 1082496; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent)
