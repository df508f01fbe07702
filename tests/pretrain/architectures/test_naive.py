from __future__ import annotations

import pytest
import torch

from quiltwork.pretrain.architectures import GptConfig, MlaConfig
from quiltwork.pretrain.architectures.model import build, gradient, parameters
from tests.pretrain.architectures import naive

GPT = GptConfig(vocabulary=11, context=6, hidden=16, layers=2, heads=4, mlp_hidden=12, initial_std=0.2)
MLA = MlaConfig(
    vocabulary=11,
    context=6,
    hidden=16,
    layers=2,
    heads=2,
    mlp_hidden=12,
    key_value_rank=6,
    nope_head=4,
    rope_head=4,
    value_head=6,
    initial_std=0.2,
)


@pytest.mark.parametrize(
    "config",
    [
        GPT,
        GPT.model_copy(
            update={"key_value_heads": 2, "activation": "gelu", "tied_embeddings": False, "rope_base": 50.0}
        ),
        MLA,
        MLA.model_copy(update={"query_rank": 5, "tied_embeddings": False, "norm_epsilon": 0.01}),
    ],
)
def test_loss_and_gradient_are_those_of_the_papers_equations(config: GptConfig | MlaConfig) -> None:
    module, batch = build(config, 2), torch.randint(0, 11, (2, 7), generator=torch.Generator().manual_seed(0))
    values = parameters(module)
    found, loss = gradient(module)(values, batch)
    exact = {name: value.double().requires_grad_() for name, value in values.items()}
    expected = naive.loss(config, exact, batch)
    expected.backward()
    assert loss == pytest.approx(float(expected.detach()), rel=1e-5)
    for name, value in exact.items():
        assert value.grad is not None
        assert torch.allclose(found[name].double(), value.grad, rtol=1e-3, atol=1e-6)
