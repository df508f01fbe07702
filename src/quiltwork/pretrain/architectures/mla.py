"""Multi-head latent attention: DeepSeek-V2, arXiv 2405.04434, section 2.1. The decoder round it is that of `gpt`.

Keys and values of all heads come from one latent vector per token; a second, small key carries the position and is shared by
all heads ("decoupled" rotary positions). Names and shapes are those of Hugging Face's `DeepseekV3ForCausalLM` with dense
layers only.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from quiltwork.pretrain.architectures.config import MlaConfig
from quiltwork.pretrain.architectures.gpt import Decoder, Linear, Norm, Rotary, turn

LATENT_EPSILON = 1e-6
"""Of the norms of latents; DeepSeek's code does not let it be chosen, so neither can we."""


class LatentAttention(nn.Module):
    """Equations 9 to 19 of the paper (37 to 47 of its appendix), in which a `proj` is a W and an `a` goes down, a `b` up."""

    def __init__(self, config: MlaConfig) -> None:
        super().__init__()
        self.config = config
        wide = config.heads * (config.nope_head + config.rope_head)
        if config.query_rank is None:
            self.q_proj = Linear(config.hidden, wide)
        else:
            self.q_a_proj = Linear(config.hidden, config.query_rank)
            self.q_a_layernorm = Norm(config.query_rank, LATENT_EPSILON)
            self.q_b_proj = Linear(config.query_rank, wide)
        self.kv_a_proj_with_mqa = Linear(config.hidden, config.key_value_rank + config.rope_head)
        self.kv_a_layernorm = Norm(config.key_value_rank, LATENT_EPSILON)
        self.kv_b_proj = Linear(config.key_value_rank, config.heads * (config.nope_head + config.value_head))
        self.o_proj = Linear(config.heads * config.value_head, config.hidden)

    def forward(self, x: torch.Tensor, table: Rotary) -> torch.Tensor:
        """[n, t, hidden] -> the same."""
        c = self.config
        q_nope, q_rope = torch.split(self._queries(x), [c.nope_head, c.rope_head], dim=-1)
        latent, k_rope = torch.split(self.kv_a_proj_with_mqa(x), [c.key_value_rank, c.rope_head], dim=-1)
        keys_values = self._heads(self.kv_b_proj(self.kv_a_layernorm(latent)))
        k_nope, v = torch.split(keys_values, [c.nope_head, c.value_head], dim=-1)
        k_rope = turn(_halves(k_rope.unsqueeze(1)), table).expand(-1, c.heads, -1, -1)
        q = torch.cat((q_nope, turn(_halves(q_rope), table)), dim=-1)
        k = torch.cat((k_nope, k_rope), dim=-1)
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        out: torch.Tensor = self.o_proj(y.transpose(1, 2).flatten(2))
        return out

    def _queries(self, x: torch.Tensor) -> torch.Tensor:
        if self.config.query_rank is None:
            return self._heads(self.q_proj(x))
        return self._heads(self.q_b_proj(self.q_a_layernorm(self.q_a_proj(x))))

    def _heads(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(*x.shape[:2], self.config.heads, -1).transpose(1, 2)  # [n, t, h d] -> [n, h, t, d]


def _halves(x: torch.Tensor) -> torch.Tensor:
    """Sort pairs that lie side by side, as in DeepSeek's weights, into the two halves that `turn` turns."""
    return torch.cat((x[..., 0::2], x[..., 1::2]), dim=-1)


def mla(config: MlaConfig) -> Decoder:
    """Make the module. Its matrices are not initialised: `build` does that."""
    return Decoder(config, LatentAttention, config.rope_head)
