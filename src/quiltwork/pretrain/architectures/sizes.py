"""How large a model is and what it costs, from its config alone: what a planner asks, also of models that fit nowhere here."""

from __future__ import annotations

import math

from quiltwork.pretrain.architectures.config import Architecture, DecoderConfig, GptConfig, MlaConfig, OwnConfig

Shapes = dict[str, tuple[int, ...]]


def shapes(config: Architecture) -> Shapes:
    """Give every parameter's shape by name, sorted; a test holds them to those of the built models.

    A model of the user's own is made without storage to see; that needs torch and raises what `own` raises.
    """
    match config:
        case OwnConfig():
            found = _own_shapes(config)
        case GptConfig():
            found = _decoder(config, _grouped_attention(config))
        case MlaConfig():
            found = _decoder(config, _latent_attention(config))
    return dict(sorted(found.items()))


def parameter_count(config: Architecture) -> int:
    """Count the parameters, tied ones once."""
    return sum(math.prod(shape) for shape in shapes(config).values())


def flops_per_token(config: Architecture, length: int | None = None) -> int:
    """Count floating-point operations to train on one token (forward and backward) in sequences of `length`, or `context`.

    Only products of matrices count, a multiplication and an addition each; backward costs twice forward; attention is
    counted whole, though half of it is masked (PaLM, arXiv 2204.02311, appendix B). For a model of the user's own it is six
    per parameter (arXiv 2001.08361), without attention.
    """
    if isinstance(config, OwnConfig):
        return 6 * parameter_count(config)
    length = config.context if length is None else length
    weights = sum(math.prod(shape) for shape in shapes(config).values() if len(shape) == 2)
    if not config.tied_embeddings:
        weights -= config.vocabulary * config.hidden  # reading a row is no product; a tied matrix also predicts
    match config:
        case GptConfig():
            key, value = config.head, config.head
        case MlaConfig():
            key, value = config.nope_head + config.rope_head, config.value_head
    attention = config.layers * config.heads * length * (key + value)
    return 3 * 2 * (weights + attention)


def _decoder(config: DecoderConfig, attention: Shapes) -> Shapes:
    hidden, inside = config.hidden, config.mlp_hidden
    block = {
        "input_layernorm.weight": (hidden,),
        "post_attention_layernorm.weight": (hidden,),
        **{f"self_attn.{name}.weight": shape for name, shape in attention.items()},
        "mlp.gate_proj.weight": (inside, hidden),
        "mlp.up_proj.weight": (inside, hidden),
        "mlp.down_proj.weight": (hidden, inside),
    }
    found: Shapes = {"model.embed_tokens.weight": (config.vocabulary, hidden), "model.norm.weight": (hidden,)}
    for layer in range(config.layers):
        found |= {f"model.layers.{layer}.{name}": shape for name, shape in block.items()}
    if not config.tied_embeddings:
        found["lm_head.weight"] = (config.vocabulary, hidden)
    return found


def _grouped_attention(config: GptConfig) -> Shapes:
    queries, groups = config.heads * config.head, config.groups * config.head
    return {
        "q_proj": (queries, config.hidden),
        "k_proj": (groups, config.hidden),
        "v_proj": (groups, config.hidden),
        "o_proj": (config.hidden, queries),
    }


def _latent_attention(config: MlaConfig) -> Shapes:
    queries = config.heads * (config.nope_head + config.rope_head)
    found: Shapes = {
        "kv_a_proj_with_mqa": (config.key_value_rank + config.rope_head, config.hidden),
        "kv_a_layernorm": (config.key_value_rank,),
        "kv_b_proj": (config.heads * (config.nope_head + config.value_head), config.key_value_rank),
        "o_proj": (config.hidden, config.heads * config.value_head),
    }
    if config.query_rank is None:
        return found | {"q_proj": (queries, config.hidden)}
    return found | {
        "q_a_proj": (config.query_rank, config.hidden),
        "q_a_layernorm": (config.query_rank,),
        "q_b_proj": (queries, config.query_rank),
    }


def _own_shapes(config: OwnConfig) -> Shapes:
    import torch

    from quiltwork.pretrain.architectures.own import own

    with torch.device("meta"):
        return {name: tuple(value.shape) for name, value in own(config, seed=0).named_parameters()}
