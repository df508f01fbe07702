"""Folders that Hugging Face's `transformers` write and open: `config.json`, and tensors in the safetensors format.

A GPT is a Llama there, latent attention a DeepSeek-V3 whose layers are all dense. A model of the user's own has only weights.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from quiltwork.pretrain.architectures.config import Architecture, GptConfig, MlaConfig, OwnConfig
from quiltwork.pretrain.checkpoint.manifest import CheckpointError, difference
from quiltwork.pretrain.checkpoint.pieces import Storage
from quiltwork.pretrain.optimizers.base import Tensors

SHARD_BYTES = 5 << 30
"""Files are no larger than that, as theirs are: a broken download costs one of them."""

INDEX = "model.safetensors.index.json"
_RECOMPUTED = (".rotary_emb.inv_freq",)
"""Ends of names of tensors that old checkpoints have though they are no weights."""


def write_safetensors(
    folder: Path,
    config: Architecture,
    parameters: Tensors,
    *,
    storage: Storage = "fp32",
    shard_bytes: int = SHARD_BYTES,
) -> list[Path]:
    """Write a model as a folder for `AutoModelForCausalLM.from_pretrained`, and give its files.

    Raises CheckpointError if there is a model in the folder already, or it cannot be written.
    """
    dtype = torch.float32 if storage == "fp32" else torch.bfloat16
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if there := sorted([*folder.glob("*.safetensors"), *folder.glob("config.json")]):
            raise CheckpointError(f"{folder} holds a model already ({there[0].name}); name a new folder")
        files = _write_shards(folder, parameters, dtype, shard_bytes)
        if not isinstance(config, OwnConfig):
            described = config_json(config) | {"dtype": str(dtype).removeprefix("torch.")}
            files.append(folder / "config.json")  # last: a folder without it is not taken for a model
            files[-1].write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{folder} cannot be written: {error}") from error
    return files


def _write_shards(folder: Path, parameters: Tensors, dtype: torch.dtype, shard_bytes: int) -> list[Path]:
    shards = list(_shards(parameters, dtype.itemsize, shard_bytes))
    files: list[Path] = []
    places: dict[str, str] = {}
    for number, names in enumerate(shards, start=1):
        name = "model.safetensors" if len(shards) == 1 else f"model-{number:05}-of-{len(shards):05}.safetensors"
        tensors = {each: parameters[each].detach().cpu().to(dtype).contiguous() for each in names}
        save_file(tensors, folder / name, metadata={"format": "pt"})
        files.append(folder / name)
        places |= dict.fromkeys(names, name)
    if len(shards) > 1:
        total = sum(tensor.numel() for tensor in parameters.values()) * dtype.itemsize
        files.append(folder / INDEX)
        files[-1].write_text(json.dumps({"metadata": {"total_size": total}, "weight_map": places}, indent=2) + "\n")
    return files


def _shards(parameters: Tensors, width: int, shard_bytes: int) -> Iterator[list[str]]:
    names: list[str] = []
    size = 0
    for name, tensor in sorted(parameters.items()):
        if names and size + tensor.numel() * width > shard_bytes:
            yield names
            names, size = [], 0
        names.append(name)
        size += tensor.numel() * width
    yield names


def config_json(config: GptConfig | MlaConfig) -> dict[str, Any]:
    """Describe a model as its `config.json` does."""
    common = {
        "vocab_size": config.vocabulary,
        "max_position_embeddings": config.context,
        "hidden_size": config.hidden,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "intermediate_size": config.mlp_hidden,
        "hidden_act": config.activation,
        "tie_word_embeddings": config.tied_embeddings,
        "rms_norm_eps": config.norm_epsilon,
        "initializer_range": config.initial_std,
        "rope_theta": config.rope_base,  # where transformers below 5 look for it
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_base},
        "attention_bias": False,
        "bos_token_id": None,
        "eos_token_id": None,
    }
    if isinstance(config, GptConfig):
        return common | {
            "model_type": "llama",
            "architectures": ["LlamaForCausalLM"],
            "num_key_value_heads": config.groups,
            "mlp_bias": False,
        }
    return common | {
        "model_type": "deepseek_v3",
        "architectures": ["DeepseekV3ForCausalLM"],
        "num_key_value_heads": config.heads,
        "first_k_dense_replace": config.layers,
        "num_nextn_predict_layers": 0,
        "q_lora_rank": config.query_rank,
        "kv_lora_rank": config.key_value_rank,
        "qk_nope_head_dim": config.nope_head,
        "qk_rope_head_dim": config.rope_head,
        "v_head_dim": config.value_head,
        "rope_interleave": True,
    }


def read_config(folder: Path) -> GptConfig | MlaConfig:
    """Read which architecture a folder's `config.json` describes. Raises CheckpointError for one that is none of ours."""
    place = folder / "config.json"
    found = _read_json(place)
    _refuse_the_unlike(place, found)
    kinds: dict[str, type[GptConfig | MlaConfig]] = {"llama": GptConfig, "deepseek_v3": MlaConfig}
    kind = kinds.get(str(found.get("model_type")))
    if kind is None:
        raise CheckpointError(f"{place}: model_type is {found.get('model_type')!r}; {' and '.join(kinds)} can be read")
    fields = _COMMON | (_LLAMA if kind is GptConfig else _DEEPSEEK)
    given = {ours: found[theirs] for ours, theirs in fields.items() if theirs in found}
    given["rope_base"] = (found.get("rope_parameters") or found).get("rope_theta", 10_000.0)
    given["tied_embeddings"] = found.get("tie_word_embeddings", False)
    given.setdefault("norm_epsilon", 1e-6)
    try:
        for ours in ("vocabulary", "context", "hidden", "layers", "heads", "mlp_hidden"):
            if ours not in given:
                raise CheckpointError(f"{place}: {fields[ours]} is missing")
        return kind.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = fields.get(str(first["loc"][0]), first["loc"][0]) if first["loc"] else "its sizes"
        raise CheckpointError(f"{place}: {where}: {first['msg'].removeprefix('Value error, ')}") from error


_COMMON = {
    "vocabulary": "vocab_size",
    "context": "max_position_embeddings",
    "hidden": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "mlp_hidden": "intermediate_size",
    "activation": "hidden_act",
    "norm_epsilon": "rms_norm_eps",
    "initial_std": "initializer_range",
}
_LLAMA = {"key_value_heads": "num_key_value_heads"}
_DEEPSEEK = {
    "query_rank": "q_lora_rank",
    "key_value_rank": "kv_lora_rank",
    "nope_head": "qk_nope_head_dim",
    "rope_head": "qk_rope_head_dim",
    "value_head": "v_head_dim",
}


def _refuse_the_unlike(place: Path, found: Mapping[str, Any]) -> None:
    """What would compute something else than our decoders with the same weights."""
    rope = found.get("rope_parameters") or found.get("rope_scaling") or {}
    layers, heads = found.get("num_hidden_layers"), found.get("num_attention_heads")
    deepseek = found.get("model_type") == "deepseek_v3"
    unlike = {
        "attention_bias is on": found.get("attention_bias"),
        "mlp_bias is on": found.get("mlp_bias"),
        "positions are scaled": rope.get("rope_type", rope.get("type", "default")) != "default",
        "head_dim is not hidden_size / num_attention_heads": not deepseek
        and found.get("head_dim") not in (None, found.get("hidden_size", 0) / (heads or 1)),
        "some layers are mixtures of experts": deepseek and (found.get("first_k_dense_replace", 0) < (layers or 0)),
        "rope_interleave is off": not found.get("rope_interleave", True),
    }
    if reasons := [reason for reason, holds in unlike.items() if holds]:
        raise CheckpointError(f"{place} describes a model that ours is not: {'; '.join(reasons)}")


def read_safetensors(folder: Path, expected: Mapping[str, tuple[int, ...]]) -> Tensors:
    """Read the weights of a folder, in one file or several, as parameters: fp32, sorted by name.

    `expected` has the shapes by name (`architectures.shapes`). Raises CheckpointError for tensors that are missing, too many
    or of another shape, and for files that cannot be read.
    """
    found: Tensors = {}
    for file, names in _files(folder).items():
        try:
            with safetensors.safe_open(file, framework="pt") as opened:
                there = set(opened.keys())
                if names is not None and (missing := sorted(names - there)):
                    raise CheckpointError(f"{file} lacks {missing[0]}, which {INDEX} says it has")
                for name in there if names is None else names:
                    found[name] = opened.get_tensor(name).to(torch.float32).contiguous()
        except (OSError, safetensors.SafetensorError) as error:
            raise CheckpointError(f"{file} cannot be read: {error}") from error
    _drop_what_is_no_parameter(found, expected)
    if fault := difference({name: tuple(value.shape) for name, value in found.items()}, expected):
        raise CheckpointError(f"{folder} does not fit the model: {fault}")
    return dict(sorted(found.items()))


def _files(folder: Path) -> dict[Path, set[str] | None]:
    """The files with weights, and which tensors to take from each (None: all)."""
    if not (folder / INDEX).exists():
        return {folder / "model.safetensors": None}
    places = _read_json(folder / INDEX).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(name, str) for name in places.values()):
        raise CheckpointError(f"{folder / INDEX}: weight_map is missing or not a map of names")
    files: dict[Path, set[str] | None] = {}
    for tensor, name in places.items():
        if "/" in name or not name.endswith(".safetensors"):
            raise CheckpointError(
                f"{folder / INDEX}: {tensor} lies in {name!r}, which is no safetensors file of the folder"
            )
        known = files.setdefault(folder / name, set())
        assert known is not None
        known.add(tensor)
    return files


def _drop_what_is_no_parameter(found: Tensors, expected: Mapping[str, tuple[int, ...]]) -> None:
    for name in [name for name in found if name.endswith(_RECOMPUTED) and name not in expected]:
        del found[name]
    # Some write the tied matrix twice.
    head, embedding = found.get("lm_head.weight"), found.get("model.embed_tokens.weight")
    if "lm_head.weight" not in expected and head is not None and embedding is not None:
        if not torch.equal(head, embedding):
            raise CheckpointError(
                "lm_head.weight is not model.embed_tokens.weight: the model needs tied_embeddings = false"
            )
        del found["lm_head.weight"]


def _read_json(place: Path) -> dict[str, Any]:
    try:
        found = json.loads(place.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{place} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{place} is not a JSON object")
    return found
