"""What docs/pretrain-models.md says holds: settings, defaults, listings, and Consilience's sizes."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel, TypeAdapter

from quiltwork.pretrain.architectures import (
    Architecture,
    GptConfig,
    MlaConfig,
    OwnConfig,
    flops_per_token,
    parameter_count,
)
from quiltwork.pretrain.data import DataConfig, SourceConfig, TokenWriter
from quiltwork.pretrain.data.opening import open_dataset

PAGE = (Path(__file__).parents[3] / "docs" / "pretrain-models.md").read_text()


def listings(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def consilience() -> tuple[MlaConfig, DataConfig]:
    table = tomllib.loads(listings("toml")[-1])
    model = TypeAdapter(Architecture).validate_python(table["model"])
    assert isinstance(model, MlaConfig)
    return model, DataConfig.model_validate(table["data"])


def test_every_listing_of_settings_is_valid() -> None:
    kinds = []
    for listing in listings("toml"):
        table = tomllib.loads(listing)
        if "model" in table:
            kinds.append(TypeAdapter(Architecture).validate_python(table["model"]).kind)
        if "data" in table:
            DataConfig.model_validate(table["data"])
    assert kinds == ["gpt", "own", "mla"]


def told(text: str) -> dict[str, str]:
    """The settings of a part of the page, and what it says of their defaults."""
    said: dict[str, str] = {}
    for row in re.findall(r"^\| `.*$", text, re.MULTILINE):
        names, default, *_ = (cell.strip() for cell in row.strip("|").split("|"))
        each = re.findall(r"`(\w+)`", names)
        said |= dict(
            zip(each, default.split(", ") if len(each) > 1 and default else [default] * len(each), strict=True)
        )
    return said


@pytest.mark.parametrize("cls", [GptConfig, MlaConfig, SourceConfig])
def test_every_setting_is_told_with_its_default(cls: type[BaseModel]) -> None:
    models, data = PAGE.split("\n## Data\n")
    said = told(data if cls is SourceConfig else models)
    if cls is not SourceConfig:
        said["norm_epsilon"] = said["norm_epsilon"].split(", ")[cls is MlaConfig].split()[0]
    words = {None: "full rank", (): "", "": "", 0: ""}
    for name, field in cls.model_fields.items():
        if name in ("kind", "key_value_heads"):
            continue
        default = "" if field.is_required() else words.get(field.default, json.dumps(field.default))
        assert said[name] == default or float(said[name]) == field.default, name


def test_every_setting_of_a_users_own_model_is_told() -> None:
    part = PAGE.split("### Your own")[1]
    assert all(f"`{name}`" in part or f"{name} =" in part for name in OwnConfig.model_fields)


def test_the_listings_of_code_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"one": 0, "<|endoftext|>": 1}, unk_token="one"))
    words.save(str(tmp_path / "tokenizer.json"))
    monkeypatch.chdir(tmp_path)
    for listing in listings("python"):
        exec(compile(listing, "docs/pretrain-models.md", "exec"), {})
    assert {"code.bin", "web.bin", "my-model"} <= {path.name for path in tmp_path.iterdir()}


def test_consilience_has_forty_billion_parameters_to_two_percent() -> None:
    model, _ = consilience()
    assert parameter_count(model) == 39_779_785_728
    assert abs(parameter_count(model) / 40e9 - 1) < 0.02
    assert 5 * 40e9 < flops_per_token(model) < 8 * 40e9


def test_consiliences_mixture_takes_the_stack_five_times_while_it_takes_the_others_once(tmp_path: Path) -> None:
    _, config = consilience()
    short = config.model_copy(update={"sequence_length": 4})
    for name, sequences in (("fineweb", 140), ("fineweb-2", 40), ("the-stack-v2", 2)):
        (tmp_path / name).mkdir()
        with TokenWriter(tmp_path / name / "0.bin", 129_280) as writer:
            writer.write(range(4 * sequences + 1))
    data = open_dataset(short, root=tmp_path)
    assert data.shares() == {"fineweb": 14 / 19, "fineweb-2": 4 / 19, "the-stack-v2": 1 / 19}
    assert data.epochs(190) == {"fineweb": 1.0, "fineweb-2": 1.0, "the-stack-v2": 5.0}
