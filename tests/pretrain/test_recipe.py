"""What users write, and what they are told when it does not fit together."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from quiltwork.errors import UserError
from quiltwork.pretrain.architectures.sizes import parameter_count
from quiltwork.pretrain.config import Coordinator
from quiltwork.pretrain.recipe import load, recipe_of
from tests.pretrain import tiny


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "run.toml"
    path.write_text(text)
    return path


def line(text: str, begin: str) -> int:
    return next(number for number, each in enumerate(text.splitlines(), 1) if each.startswith(begin))


@pytest.mark.parametrize(
    ("old", "new", "field", "says"),
    [
        ("total_steps = 6", "total_steps = -6", "config.total_steps", "greater than or equal to 1"),
        ("total_steps = 6", "total_stepz = 6", "config.total_stepz", "docs/pretrain.md"),
        ("sequence_length = 16", "sequence_length = 0", "data.sequence_length", "greater than or equal to 1"),
        ('dtype = "uint8"', 'dtype = "int9"', "data.sources.0.dtype", "int9"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_field(tmp_path: Path, old: str, new: str, field: str, says: str) -> None:
    text = tiny.TOML.replace(f"\n{old}\n", f"\n{new}\n", 1)
    path = written(tmp_path, text)
    with pytest.raises(UserError) as error:
        load(path)
    said = str(error.value)
    assert says in said
    assert field in said
    assert said.startswith(f"{path}:{line(text, new)}:")


def test_a_mistake_in_a_table_of_several_kinds_is_told_with_the_table_and_the_field(tmp_path: Path) -> None:
    text = tiny.TOML.replace("hidden = 32", "hidden = 0")
    with pytest.raises(UserError, match=r"run.toml:\d+: field model\..*hidden: .*\(given: 0\)") as error:
        load(written(tmp_path, text))
    told = int(str(error.value).split(":")[1])
    assert line(text, "[model]") <= told <= line(text, "hidden = 0")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("context = 16", "context = 8", r"model.context \(8\) is less than data.sequence_length \(16\)"),
        ('kind = "demo_exact"', 'kind = "distro"', "config.overlap = 1"),
        ("seed = 1\n\n[config]", "seed = 1\n\n[config]\nsequence_length = 8", "leave the first out"),
        ("min_clients = 1", "min_clients = 9", "more than init_min_clients"),
    ],
)
def test_what_contradicts_itself_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    text = tiny.TOML.replace(old, new, 1) if old != "min_clients = 1" else tiny.TOML.replace("\n" + old, "\n" + new)
    with pytest.raises(UserError, match=says):
        load(written(tmp_path, text))


def test_a_file_that_is_not_there_and_one_that_is_no_toml_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no file .*nor a preset.* demo"):
        load(tmp_path / "none.toml")
    with pytest.raises(UserError, match="not valid TOML"):
        load(written(tmp_path, "run_id = "))


def test_the_demo_is_a_model_of_about_a_million_parameters() -> None:
    demo = load("demo")
    assert 0.9e6 < parameter_count(demo.model) < 1.1e6


def test_what_created_says_is_what_was_written() -> None:
    config = tiny.config()
    created = config.created(seed=bytes(range(32)), version="1.2.3", model=bytes(32))
    recipe = recipe_of(created)
    for name in type(recipe).model_fields:
        assert getattr(recipe, name) == getattr(config, name)
    rules = Coordinator.model_validate_json(created.coordinator)
    assert rules.total_steps == 6
    assert rules.sequence_length == 16, "data.sequence_length is the run's"


def test_a_recipe_of_another_version_says_which_version_can_read_it() -> None:
    created = tiny.config().created(seed=bytes(32), version="9.9")
    strange = replace(created, work=created.work.replace('{"seed"', '{"sead"', 1))
    with pytest.raises(UserError, match=r"version 9\.9.*field sead.*Use the version"):
        recipe_of(strange)
    with pytest.raises(UserError, match="cannot read its recipe"):
        recipe_of(replace(created, work="{"))


def test_a_folder_that_has_the_name_of_a_preset_is_not_in_its_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "demo").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load("demo").run_id == "demo"
