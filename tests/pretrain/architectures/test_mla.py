from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from quiltwork.pretrain.architectures import MlaConfig
from quiltwork.pretrain.architectures.model import build, evaluate, gradient, parameters

SMALL = MlaConfig(
    vocabulary=64,
    context=32,
    hidden=32,
    layers=2,
    heads=4,
    mlp_hidden=48,
    query_rank=24,
    key_value_rank=16,
    nope_head=8,
    rope_head=4,
    value_head=12,
)


def as_deepseek(config: MlaConfig) -> torch.nn.Module:
    """The same sizes as Hugging Face has them, every layer dense, with their own initial weights."""
    from transformers import DeepseekV3Config, DeepseekV3ForCausalLM

    return DeepseekV3ForCausalLM(
        DeepseekV3Config(
            vocab_size=config.vocabulary,
            hidden_size=config.hidden,
            intermediate_size=config.mlp_hidden,
            num_hidden_layers=config.layers,
            first_k_dense_replace=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.heads,
            q_lora_rank=config.query_rank,
            kv_lora_rank=config.key_value_rank,
            qk_nope_head_dim=config.nope_head,
            qk_rope_head_dim=config.rope_head,
            v_head_dim=config.value_head,
            hidden_act=config.activation,
            max_position_embeddings=config.context,
            rms_norm_eps=config.norm_epsilon,
            rope_parameters={"rope_type": "default", "rope_theta": config.rope_base},
            tie_word_embeddings=config.tied_embeddings,
            num_mtp_layers=0,
        )
    ).eval()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"query_rank": None},
        {"tied_embeddings": False, "activation": "gelu"},
        {"rope_base": 500.0, "norm_epsilon": 0.01},
    ],
    ids=str,
)
@pytest.mark.slow
def test_logits_are_those_of_a_dense_deepseek_v3_with_the_same_weights(changes: dict[str, object]) -> None:
    config = SMALL.model_copy(update=changes)
    ours, theirs = build(config, seed=3), as_deepseek(config)
    theirs.load_state_dict(ours.state_dict(), strict=not config.tied_embeddings)
    tokens = torch.randint(0, config.vocabulary, (3, 32), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours(tokens), theirs(tokens).logits, rtol=1e-5, atol=1e-6)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 100), place=st.integers(0, 30))
def test_a_token_changes_no_prediction_before_it(seed: int, place: int) -> None:
    module = build(SMALL, seed)
    tokens = torch.randint(0, 64, (1, 31), generator=torch.Generator().manual_seed(seed))
    changed = tokens.clone()
    changed[0, place] = (tokens[0, place] + 1) % 64
    with torch.no_grad():
        before, after = module(tokens), module(changed)
    assert torch.allclose(before[:, :place], after[:, :place], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(before[:, place:], after[:, place:])


def test_in_bf16_the_loss_is_nearly_the_same() -> None:
    module = build(SMALL, 1)
    values, batch = parameters(module), torch.randint(0, 64, (4, 17), generator=torch.Generator().manual_seed(0))
    exact, rounded = (evaluate(module, values, [batch], precision=precision) for precision in ("fp32", "bf16"))
    assert rounded != exact
    assert rounded == pytest.approx(exact, rel=1e-2)


def test_one_batch_can_be_learnt_by_heart() -> None:
    module = build(SMALL, 1)
    batch = torch.randint(0, 64, (4, 17), generator=torch.Generator().manual_seed(0))
    values, compute, loss = parameters(module), gradient(module), float("inf")
    for _ in range(150):
        found, loss = compute(values, batch)
        values = {name: value - 0.01 * found[name].sign() for name, value in values.items()}
        if loss < 0.5:
            break
    assert loss < 0.5


def test_a_rotary_part_of_odd_width_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"rope_head \(5\) must be even"):
        MlaConfig(rope_head=5)
