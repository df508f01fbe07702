from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from quiltwork.pretrain.architectures import GptConfig
from quiltwork.pretrain.architectures.model import build, parameters

SMALL = GptConfig(vocabulary=64, context=32, hidden=32, layers=2, heads=4, mlp_hidden=48)


def as_llama(config: GptConfig) -> torch.nn.Module:
    """The same sizes as Hugging Face has them, with their own initial weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=config.vocabulary,
            hidden_size=config.hidden,
            intermediate_size=config.mlp_hidden,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.groups,
            hidden_act=config.activation,
            max_position_embeddings=config.context,
            rms_norm_eps=config.norm_epsilon,
            rope_parameters={"rope_type": "default", "rope_theta": config.rope_base},
            tie_word_embeddings=config.tied_embeddings,
        )
    ).eval()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tied_embeddings": False},
        {"key_value_heads": 2},
        {"key_value_heads": 1, "activation": "gelu"},
        {"rope_base": 500.0, "norm_epsilon": 0.01},
    ],
    ids=str,
)
@pytest.mark.slow
def test_logits_are_those_of_a_llama_with_the_same_weights(changes: dict[str, object]) -> None:
    config = SMALL.model_copy(update=changes)
    ours, theirs = build(config, seed=3), as_llama(config)
    theirs.load_state_dict(ours.state_dict(), strict=not config.tied_embeddings)
    tokens = torch.randint(0, config.vocabulary, (3, 32), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours(tokens), theirs(tokens).logits, rtol=1e-5, atol=1e-6)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 100), place=st.integers(0, 30), token=st.integers(0, 63))
def test_a_token_changes_no_prediction_before_it(seed: int, place: int, token: int) -> None:
    module = build(SMALL, seed)
    tokens = torch.randint(0, 64, (1, 31), generator=torch.Generator().manual_seed(seed))
    changed = tokens.clone()
    changed[0, place] = token
    with torch.no_grad():
        before, after = module(tokens), module(changed)
    assert torch.allclose(before[:, :place], after[:, :place], rtol=1e-5, atol=1e-6)
    if tokens[0, place] != token:
        assert not torch.allclose(before[:, place:], after[:, place:])


def test_a_sequence_longer_than_the_context_is_refused() -> None:
    with pytest.raises(ValueError, match="33 tokens do not fit into a context of 32"):
        build(SMALL, 0)(torch.zeros(1, 33, dtype=torch.int64))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heads": 5}, r"hidden \(128\) is not a multiple of heads \(5\)"),
        ({"heads": 128}, "a head is 1 wide"),
        ({"key_value_heads": 3}, r"not a multiple of key_value_heads \(3\)"),
        ({"hiden": 64}, "Extra inputs are not permitted"),
        ({"hidden": 2**21}, "less than or equal to"),
    ],
)
def test_sizes_that_cannot_work_are_refused(changes: dict[str, int], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        GptConfig.model_validate(changes)


def test_the_default_has_a_million_parameters() -> None:
    assert sum(value.numel() for value in parameters(build(GptConfig(), 0)).values()) == 1_082_496
