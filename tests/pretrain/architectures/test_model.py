from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from quiltwork.pretrain.architectures import GptConfig, MlaConfig
from quiltwork.pretrain.architectures.model import build, evaluate, gradient, parameters
from quiltwork.pretrain.optimizers.base import root

SMALL = GptConfig(vocabulary=64, context=32, hidden=32, layers=2, heads=4, mlp_hidden=48)


def some_tokens(sequences: int, length: int = 17, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 64, (sequences, length), generator=torch.Generator().manual_seed(seed))


def test_equal_seeds_give_equal_bits_and_others_do_not() -> None:
    one, same, other = (parameters(build(SMALL, seed)) for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["model.embed_tokens.weight"], other["model.embed_tokens.weight"])


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (GptConfig(), "16bcdf3346cb4f25e4ae2c3b939247d3a50ab455c316421e681f2804641bcbd5"),
        (MlaConfig(), "9f1b75187e3cc0c1ccc51aeb8659c08c2c8fcd3429f227da9c8edf4281936a7c"),
    ],
)
def test_the_first_model_of_a_seed_is_the_same_on_every_machine(config: GptConfig | MlaConfig, expected: str) -> None:
    assert root(parameters(build(config, 1))).hex() == expected


def test_parameters_are_sorted_fp32_copies_and_tied_ones_come_once() -> None:
    module = build(SMALL, 1)
    values = parameters(module)
    assert list(values) == sorted(values)
    assert "lm_head.weight" not in values
    assert all(value.dtype == torch.float32 and value.is_contiguous() for value in values.values())
    values["model.norm.weight"].zero_()
    assert torch.all(parameters(module)["model.norm.weight"] == 1)


def test_building_a_model_draws_nothing_from_torchs_own_chance() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    build(SMALL, 1)
    assert torch.equal(torch.rand(1), expected)


def test_the_gradient_is_that_of_backward_on_the_module_itself() -> None:
    module, batch = build(SMALL, 1), some_tokens(4)
    found, loss = gradient(module)(parameters(module), batch)
    logits = module(batch[:, :-1])
    expected = functional.cross_entropy(logits.reshape(-1, 64), batch[:, 1:].reshape(-1))
    expected.backward()
    assert loss == pytest.approx(float(expected.detach()), rel=1e-6)
    for name, value in module.named_parameters():
        assert value.grad is not None
        assert torch.allclose(found[name], value.grad, rtol=1e-5, atol=1e-7)


def test_the_gradient_is_the_slope_of_the_loss() -> None:
    module, batch = build(SMALL, 1), some_tokens(4)
    values = {name: value.double() for name, value in parameters(module).items()}
    found, _ = gradient(module)(values, batch)
    direction = {name: torch.randn(value.shape, dtype=torch.float64) for name, value in values.items()}
    step = 1e-3
    up, down = (
        evaluate(module, {name: value + sign * step * direction[name] for name, value in values.items()}, [batch])
        for sign in (1, -1)
    )
    slope = sum(float((found[name] * direction[name]).sum()) for name in found)
    assert (up - down) / (2 * step) == pytest.approx(slope, rel=0.02)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 9])
def test_micro_batches_change_no_more_than_rounding(size: int) -> None:
    module, batch = build(SMALL, 1), some_tokens(5)
    whole, loss = gradient(module)(parameters(module), batch)
    parts, loss_of_parts = gradient(module, micro_batch=size)(parameters(module), batch)
    assert loss_of_parts == pytest.approx(loss, rel=1e-6)
    for name in whole:
        assert torch.allclose(parts[name], whole[name], rtol=1e-4, atol=1e-7)


def test_bf16_gives_nearly_the_same_gradient_in_fp32() -> None:
    module, batch = build(SMALL, 1), some_tokens(4)
    exact, loss = gradient(module)(parameters(module), batch)
    rounded, rounded_loss = gradient(module, precision="bf16")(parameters(module), batch)
    assert rounded_loss == pytest.approx(loss, rel=1e-2)
    assert rounded_loss != loss
    for name in exact:
        assert rounded[name].dtype == torch.float32
        assert functional.cosine_similarity(exact[name].flatten(), rounded[name].flatten(), dim=0) > 0.99


def test_the_gradient_leaves_parameters_and_module_as_they_were() -> None:
    module, batch = build(SMALL, 1), some_tokens(2)
    values = parameters(module)
    gradient(module)(values, batch)
    assert all(not value.requires_grad for value in values.values())
    assert all(value.grad is None for value in module.parameters())
    assert all(torch.equal(value, values[name]) for name, value in module.named_parameters())


def test_one_batch_can_be_learnt_by_heart() -> None:
    module, batch = build(SMALL, 1), some_tokens(4)
    values, compute = parameters(module), gradient(module)
    _, first = compute(values, batch)
    assert first == pytest.approx(math.log(64), rel=0.02)
    for _ in range(150):
        found, loss = compute(values, batch)
        values = {name: value - 0.01 * found[name].sign() for name, value in values.items()}
        if loss < 0.5:
            break
    assert loss < 0.5


def test_evaluation_weighs_every_token_alike() -> None:
    module = build(SMALL, 1)
    values, batches = parameters(module), [some_tokens(3, 9), some_tokens(1, 30, seed=1)]
    losses = [gradient(module)(values, batch)[1] for batch in batches]
    expected = (losses[0] * 24 + losses[1] * 29) / 53
    assert evaluate(module, values, batches) == pytest.approx(expected, rel=1e-6)
    assert evaluate(module, values, batches, micro_batch=2) == pytest.approx(expected, rel=1e-6)


def test_parameters_of_another_model_and_no_data_are_refused() -> None:
    module = build(SMALL, 1)
    values = parameters(module)
    del values["model.norm.weight"]
    with pytest.raises(ValueError, match=r"only one of the two has model\.norm\.weight"):
        gradient(module)(values, some_tokens(1))
    with pytest.raises(ValueError, match=r"model\.norm\.weight"):
        evaluate(module, values, [some_tokens(1)])
    with pytest.raises(ValueError, match="no batches"):
        evaluate(module, parameters(module), [])
