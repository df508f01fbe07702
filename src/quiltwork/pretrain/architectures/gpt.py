"""A small decoder-only transformer, readable from top to bottom, and the one that the Llama models have.

Names and shapes of its tensors are those of Hugging Face's `LlamaForCausalLM`, so that its checkpoints open there. Sources:
RMSNorm (arXiv 1910.07467), rotary positions (2104.09864), gated MLP (2002.05202), grouped queries (2305.13245).

In the shapes, n is sequences, t tokens of a sequence, h heads, d the width of a head.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn
from torch.nn import functional

from quiltwork.pretrain.architectures.config import DecoderConfig, GptConfig

Rotary = tuple[torch.Tensor, torch.Tensor]
"""Cosines and sines of the angles by position: two tensors [t, d/2]."""

C = TypeVar("C", bound=DecoderConfig)


class Linear(nn.Module):
    """A matrix without a bias. Its storage is not initialised: `build` fills it."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[..., inputs] -> [..., outputs]."""
        return functional.linear(x, self.weight)


class Norm(nn.Module):
    """RMSNorm: a vector divided by its root mean square, then scaled. Computed in fp32 whatever comes in."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[..., width] -> the same."""
        wide = x.float()
        return (self.weight * wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.epsilon)).to(x.dtype)


def rotary(context: int, width: int, base: float) -> Rotary:
    """Give the table for heads of this width: at position p, pair i is turned by p / base^(2i/width)."""
    frequencies = 1.0 / base ** (torch.arange(0, width, 2, dtype=torch.float32) / width)
    angles = torch.outer(torch.arange(context, dtype=torch.float32), frequencies)
    return angles.cos(), angles.sin()


def turn(x: torch.Tensor, table: Rotary) -> torch.Tensor:
    """Turn the pairs (x_i, x_{i + d/2}) of every head by their position's angle: [n, h, t, d] -> the same."""
    cos, sin = table
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1).to(x.dtype)


class Attention(nn.Module):
    """Causal self-attention, in which groups of queries may share keys and values."""

    def __init__(self, config: GptConfig) -> None:
        super().__init__()
        self.head = config.head
        self.grouped = config.groups != config.heads
        self.q_proj = Linear(config.hidden, config.heads * config.head)
        self.k_proj = Linear(config.hidden, config.groups * config.head)
        self.v_proj = Linear(config.hidden, config.groups * config.head)
        self.o_proj = Linear(config.heads * config.head, config.hidden)

    def forward(self, x: torch.Tensor, table: Rotary) -> torch.Tensor:
        """[n, t, hidden] -> the same."""
        q = turn(self._heads(self.q_proj(x)), table)
        k = turn(self._heads(self.k_proj(x)), table)
        v = self._heads(self.v_proj(x))
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=self.grouped)
        out: torch.Tensor = self.o_proj(y.transpose(1, 2).flatten(2))
        return out

    def _heads(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(*x.shape[:2], -1, self.head).transpose(1, 2)  # [n, t, h d] -> [n, h, t, d]


class Mlp(nn.Module):
    """Gated: every unit inside is switched by another one."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.activation: Callable[[torch.Tensor], torch.Tensor] = (
            functional.silu if config.activation == "silu" else functional.gelu
        )
        self.gate_proj = Linear(config.hidden, config.mlp_hidden)
        self.up_proj = Linear(config.hidden, config.mlp_hidden)
        self.down_proj = Linear(config.mlp_hidden, config.hidden)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[n, t, hidden] -> the same."""
        out: torch.Tensor = self.down_proj(self.activation(self.gate_proj(x)) * self.up_proj(x))
        return out


class Block(nn.Module):
    """Attention and MLP, each reading a normalised residual stream and adding to it."""

    def __init__(self, config: DecoderConfig, attention: nn.Module) -> None:
        super().__init__()
        self.input_layernorm = Norm(config.hidden, config.norm_epsilon)
        self.self_attn = attention
        self.post_attention_layernorm = Norm(config.hidden, config.norm_epsilon)
        self.mlp = Mlp(config)

    def forward(self, x: torch.Tensor, table: Rotary) -> torch.Tensor:
        """[n, t, hidden] -> the same."""
        x = x + self.self_attn(self.input_layernorm(x), table)
        out: torch.Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return out


class Decoder(nn.Module):
    """Embedding, blocks, norm, prediction. `attention` makes a block's attention, `rotated` is the width that it turns."""

    def __init__(self, config: C, attention: Callable[[C], nn.Module], rotated: int) -> None:
        super().__init__()
        self.context = config.context
        self.model = nn.ModuleDict(
            {
                "embed_tokens": Linear(config.hidden, config.vocabulary),
                "layers": nn.ModuleList(Block(config, attention(config)) for _ in range(config.layers)),
                "norm": Norm(config.hidden, config.norm_epsilon),
            }
        )
        self.lm_head = None if config.tied_embeddings else Linear(config.hidden, config.vocabulary)
        cos, sin = rotary(config.context, rotated, config.rope_base)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens, int64 [n, t] with t at most `context` -> logits [n, t, vocabulary]. Raises ValueError for more tokens."""
        length = tokens.shape[1]
        if length > self.context:
            raise ValueError(f"sequences of {length} tokens do not fit into a context of {self.context}")
        table = (self.get_buffer("cos")[:length], self.get_buffer("sin")[:length])
        embedding = self.model["embed_tokens"]
        x = functional.embedding(tokens, embedding.weight)  # type: ignore[arg-type]  # a ModuleDict's types are wide
        for block in self.model["layers"]:  # type: ignore[attr-defined]
            x = block(x, table)
        head = embedding if self.lm_head is None else self.lm_head
        logits: torch.Tensor = head(self.model["norm"](x))
        return logits


def gpt(config: GptConfig) -> Decoder:
    """Make the module. Its matrices are not initialised: `build` does that."""
    return Decoder(config, Attention, config.head)
