"""The two decoders once more, as the papers' equations have them: one token, one head and one key at a time, in fp64.

Rotations are products of complex numbers here, and nothing is shared with the code under test.
"""

from __future__ import annotations

import math

import torch

from quiltwork.pretrain.architectures import GptConfig, MlaConfig

Tensors = dict[str, torch.Tensor]


def loss(config: GptConfig | MlaConfig, values: Tensors, batch: torch.Tensor) -> torch.Tensor:
    """Mean over all predictions, one sequence and one prediction at a time."""
    losses = []
    for sequence in batch:
        for position, row in enumerate(logits(config, values, sequence[:-1])):
            losses.append(torch.logsumexp(row, 0) - row[sequence[position + 1]])
    return torch.stack(losses).mean()


def logits(config: GptConfig | MlaConfig, values: Tensors, tokens: torch.Tensor) -> torch.Tensor:
    embedding = values["model.embed_tokens.weight"]
    stream = [embedding[token] for token in tokens]
    for layer in range(config.layers):
        part = {
            name.removeprefix(f"model.layers.{layer}.").removesuffix(".weight"): value
            for name, value in values.items()
            if name.startswith(f"model.layers.{layer}.")
        }
        read = [norm(x, part["input_layernorm"], config.norm_epsilon) for x in stream]
        mixed = grouped(config, part, read) if isinstance(config, GptConfig) else latent(config, part, read)
        stream = [x + part["self_attn.o_proj"] @ y for x, y in zip(stream, mixed, strict=True)]
        stream = [x + mlp(config, part, norm(x, part["post_attention_layernorm"], config.norm_epsilon)) for x in stream]
    head = embedding if config.tied_embeddings else values["lm_head.weight"]
    return torch.stack([head @ norm(x, values["model.norm.weight"], config.norm_epsilon) for x in stream])


def norm(x: torch.Tensor, scale: torch.Tensor, epsilon: float) -> torch.Tensor:
    return scale * x / torch.sqrt((x**2).sum() / len(x) + epsilon)


def mlp(config: GptConfig | MlaConfig, part: Tensors, x: torch.Tensor) -> torch.Tensor:
    gate = part["mlp.gate_proj"] @ x
    phi = 1 / (1 + torch.exp(-gate)) if config.activation == "silu" else (1 + torch.erf(gate / math.sqrt(2))) / 2
    return part["mlp.down_proj"] @ (gate * phi * (part["mlp.up_proj"] @ x))


def rotated(real: torch.Tensor, imaginary: torch.Tensor, position: int, base: float) -> torch.Tensor:
    count = len(real)
    angles = torch.tensor([position * base ** (-pair / count) for pair in range(count)], dtype=torch.float64)
    return torch.view_as_real(torch.complex(real, imaginary) * torch.polar(torch.ones_like(angles), angles)).flatten()


def attend(queries: list[torch.Tensor], keys: list[torch.Tensor], values: list[torch.Tensor]) -> list[torch.Tensor]:
    out = []
    for position, query in enumerate(queries):
        scores = torch.stack([query @ key / math.sqrt(len(query)) for key in keys[: position + 1]])
        weights = torch.softmax(scores, 0)
        out.append(sum(weight * value for weight, value in zip(weights, values, strict=False)))
    return out


def grouped(config: GptConfig, part: Tensors, xs: list[torch.Tensor]) -> list[torch.Tensor]:
    width, half = config.head, config.head // 2
    heads = []
    for head in range(config.heads):
        group = head * config.groups // config.heads

        def project(name: str, index: int) -> list[torch.Tensor]:
            return [part[f"self_attn.{name}"][index * width : (index + 1) * width] @ x for x in xs]

        def turned(vectors: list[torch.Tensor]) -> list[torch.Tensor]:
            return [rotated(x[:half], x[half:], position, config.rope_base) for position, x in enumerate(vectors)]

        heads.append(
            attend(turned(project("q_proj", head)), turned(project("k_proj", group)), project("v_proj", group))
        )
    return [torch.cat(list(row)) for row in zip(*heads, strict=True)]


def latent(config: MlaConfig, part: Tensors, xs: list[torch.Tensor]) -> list[torch.Tensor]:
    nope, rope = config.nope_head, config.rope_head
    down = part["self_attn.kv_a_proj_with_mqa"]
    latents = [norm(down[: config.key_value_rank] @ x, part["self_attn.kv_a_layernorm"], 1e-6) for x in xs]
    shared = [down[config.key_value_rank :] @ x for x in xs]
    if config.query_rank is None:
        queries = [part["self_attn.q_proj"] @ x for x in xs]
    else:
        low = [norm(part["self_attn.q_a_proj"] @ x, part["self_attn.q_a_layernorm"], 1e-6) for x in xs]
        queries = [part["self_attn.q_b_proj"] @ x for x in low]

    def turned(x: torch.Tensor, position: int) -> torch.Tensor:
        return rotated(x[0::2], x[1::2], position, config.rope_base)

    heads = []
    for head in range(config.heads):
        up = part["self_attn.kv_b_proj"].unflatten(0, (config.heads, -1))[head]
        mine = [query.unflatten(0, (config.heads, -1))[head] for query in queries]
        q = [torch.cat((x[:nope], turned(x[nope:], position))) for position, x in enumerate(mine)]
        k = [torch.cat((up[:nope] @ c, turned(s, p))) for p, (c, s) in enumerate(zip(latents, shared, strict=True))]
        heads.append(attend(q, k, [up[nope:] @ c for c in latents]))
        assert len(q[0]) == nope + rope
    return [torch.cat(list(row)) for row in zip(*heads, strict=True)]
