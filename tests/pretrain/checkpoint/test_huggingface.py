from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from quiltwork.pretrain.architectures import GptConfig, MlaConfig, OwnConfig, shapes
from quiltwork.pretrain.architectures.model import build, parameters
from quiltwork.pretrain.checkpoint import CheckpointError
from quiltwork.pretrain.checkpoint.huggingface import (
    INDEX,
    config_json,
    read_config,
    read_safetensors,
    write_safetensors,
)

GPT = GptConfig(vocabulary=64, context=32, hidden=32, layers=2, heads=4, mlp_hidden=48)
GROUPED = GPT.model_copy(update={"tied_embeddings": False, "key_value_heads": 2, "rope_base": 500.0})
MLA = MlaConfig(vocabulary=64, context=32, hidden=32, layers=2, heads=4, mlp_hidden=48, query_rank=24, value_head=12)
FULL_RANK = MLA.model_copy(update={"query_rank": None, "tied_embeddings": False, "activation": "gelu"})
CONFIGS = [GPT, GROUPED, MLA, FULL_RANK]


def written(folder: Path, config: GptConfig | MlaConfig = GPT, **options: object) -> dict[str, torch.Tensor]:
    values = parameters(build(config, 3))
    write_safetensors(folder, config, values, **options)  # type: ignore[arg-type]
    return values


@pytest.mark.slow
@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("shard_bytes", [1 << 30, 10_000])
def test_transformers_opens_what_was_written_and_gives_the_same_logits(
    tmp_path: Path, config: GptConfig | MlaConfig, shard_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from transformers import AutoModelForCausalLM

    written(tmp_path / "model", config, shard_bytes=shard_bytes)
    theirs, report = AutoModelForCausalLM.from_pretrained(tmp_path / "model", output_loading_info=True)
    assert not any(report[part] for part in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    tokens = torch.randint(0, 64, (3, 32), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(build(config, 3)(tokens), theirs(tokens).logits, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("config", CONFIGS)
def test_what_transformers_writes_is_read_with_its_config(tmp_path: Path, config: GptConfig | MlaConfig) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    described = config_json(config)
    theirs = AutoModelForCausalLM.from_config(AutoConfig.for_model(described.pop("model_type"), **described)).eval()
    theirs.save_pretrained(tmp_path, max_shard_size="20KB")
    assert (tmp_path / INDEX).exists()
    read = read_config(tmp_path)
    assert read == config.model_copy(update={"key_value_heads": 4} if config is GPT else {})
    values, tokens = read_safetensors(tmp_path, shapes(read)), torch.arange(32)[None]
    with torch.no_grad():
        ours = torch.func.functional_call(build(read, 0), values, (tokens,))
        torch.testing.assert_close(ours, theirs(tokens).logits, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("shard_bytes", [1 << 30, 10_000])
def test_a_folder_comes_back_as_it_was_written(tmp_path: Path, config: GptConfig | MlaConfig, shard_bytes: int) -> None:
    values = written(tmp_path / "model", config, shard_bytes=shard_bytes)
    read = read_safetensors(tmp_path / "model", shapes(config))
    assert list(read) == list(values)
    assert all(torch.equal(read[name], values[name]) for name in values)
    expected = config if config is not GPT else config.model_copy(update={"key_value_heads": 4})
    assert read_config(tmp_path / "model") == expected


def test_shards_are_no_larger_than_asked_but_for_single_tensors(tmp_path: Path) -> None:
    written(tmp_path / "model", shard_bytes=20_000)
    files = sorted((tmp_path / "model").glob("*.safetensors"))
    assert [file.name for file in files] == [
        f"model-{n:05}-of-{len(files):05}.safetensors" for n in range(1, len(files) + 1)
    ]
    assert all(sum(4 * value.numel() for value in load_file(file).values()) <= 20_000 for file in files)


def test_in_bf16_values_are_rounded_and_files_half_as_large(tmp_path: Path) -> None:
    values = written(tmp_path / "model", storage="bf16")
    read = read_safetensors(tmp_path / "model", shapes(GPT))
    assert all(torch.equal(read[name], values[name].bfloat16().float()) for name in values)
    assert all(value.dtype == torch.float32 for value in read.values())
    assert json.loads((tmp_path / "model/config.json").read_text())["dtype"] == "bfloat16"


def test_a_model_of_the_users_own_has_weights_alone(tmp_path: Path) -> None:
    config = OwnConfig(model="torch.nn:Embedding", options={"num_embeddings": 16, "embedding_dim": 16})
    files = write_safetensors(tmp_path / "model", config, parameters(build(config, 0)))
    assert [file.name for file in files] == ["model.safetensors"]
    assert list(read_safetensors(tmp_path / "model", shapes(config))) == ["weight"]


def test_nothing_is_written_over_another_model_or_where_it_cannot_be(tmp_path: Path) -> None:
    written(tmp_path / "model")
    with pytest.raises(CheckpointError, match=r"holds a model already \(config\.json\); name a new folder"):
        written(tmp_path / "model")
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="file/model cannot be written"):
        written(tmp_path / "file" / "model")


def test_missing_extra_and_misshaped_tensors_are_named(tmp_path: Path) -> None:
    written(tmp_path)
    values = load_file(tmp_path / "model.safetensors")

    def read_with(changes: dict[str, torch.Tensor | None]) -> None:
        changed = {name: value for name, value in (values | changes).items() if value is not None}
        save_file(changed, tmp_path / "model.safetensors")
        read_safetensors(tmp_path, shapes(GPT))

    norm = "model.norm.weight"
    read_with({})
    with pytest.raises(CheckpointError, match=r"does not fit the model: model\.norm\.weight is missing$"):
        read_with({norm: None})
    with pytest.raises(CheckpointError, match=r"model\.norm\.bias was not expected"):
        read_with({"model.norm.bias": torch.zeros(32)})
    with pytest.raises(CheckpointError, match=r"model\.norm\.weight has the shape \[31\] and should have \[32\]"):
        read_with({norm: torch.zeros(31)})
    with pytest.raises(CheckpointError, match=r"the model needs tied_embeddings = false"):
        read_with({"lm_head.weight": torch.zeros(64, 32)})
    read_with({"lm_head.weight": values["model.embed_tokens.weight"].clone()})
    read_with({"model.layers.0.self_attn.rotary_emb.inv_freq": torch.zeros(4)})


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"model\.safetensors cannot be read: No such file"):
        read_safetensors(tmp_path, shapes(GPT))
    written(tmp_path, shard_bytes=10_000)
    first = sorted(tmp_path.glob("*.safetensors"))[0]
    index = json.loads((tmp_path / INDEX).read_text())

    def read_with(places: object) -> None:
        (tmp_path / INDEX).write_text(json.dumps({"weight_map": places}))
        read_safetensors(tmp_path, shapes(GPT))

    with pytest.raises(CheckpointError, match="weight_map is missing or not a map"):
        read_with(None)
    with pytest.raises(CheckpointError, match=r"'\.\./x\.safetensors', which is no safetensors file of the folder"):
        read_with({"model.norm.weight": "../x.safetensors"})
    with pytest.raises(CheckpointError, match=rf"{first.name} lacks nothing\.weight, which {INDEX} says it has"):
        read_with(index["weight_map"] | {"nothing.weight": first.name})
    os.truncate(first, 100)
    with pytest.raises(CheckpointError, match=f"{first.name} cannot be read"):
        read_with(index["weight_map"])


@pytest.mark.parametrize(
    ("config", "changes", "reason"),
    [
        (GPT, {"model_type": "gpt2"}, "model_type is 'gpt2'; llama and deepseek_v3 can be read"),
        (GPT, {"attention_bias": True}, "attention_bias is on"),
        (GPT, {"mlp_bias": True}, "mlp_bias is on"),
        (GPT, {"rope_parameters": {"rope_type": "yarn", "factor": 4.0}}, "positions are scaled"),
        (GPT, {"rope_parameters": None, "rope_scaling": {"type": "linear", "factor": 2.0}}, "positions are scaled"),
        (GPT, {"head_dim": 16}, "head_dim is not"),
        (MLA, {"first_k_dense_replace": 1}, "mixtures of experts"),
        (MLA, {"rope_interleave": False}, "rope_interleave is off"),
        (GPT, {"hidden_act": "relu"}, "hidden_act: Input should be 'silu' or 'gelu'"),
        (GPT, {"hidden_size": 33}, r"hidden \(33\) is not a multiple of heads"),
        (GPT, {"vocab_size": None}, "vocab_size: Input should be a valid integer"),
    ],
    ids=str,
)
def test_configs_of_models_that_ours_are_not_are_refused(
    tmp_path: Path, config: GptConfig | MlaConfig, changes: dict[str, object], reason: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config_json(config) | changes))
    with pytest.raises(CheckpointError, match=reason):
        read_config(tmp_path)


def test_an_old_config_is_read_and_one_that_lacks_sizes_is_not(tmp_path: Path) -> None:
    described = config_json(GROUPED)
    del described["rope_parameters"]
    (tmp_path / "config.json").write_text(json.dumps(described))
    assert read_config(tmp_path) == GROUPED
    del described["hidden_size"]
    (tmp_path / "config.json").write_text(json.dumps(described))
    with pytest.raises(CheckpointError, match=r"config\.json: hidden_size is missing"):
        read_config(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(CheckpointError, match="not a JSON object"):
        read_config(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"config\.json cannot be read"):
        read_config(tmp_path)
