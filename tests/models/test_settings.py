from pathlib import Path

import pytest
from pydantic import ValidationError

from quiltwork.errors import UserError
from quiltwork.models import ModelConfig
from quiltwork.models.settings import resolve_models

MINE = """
[[models]]
name = "big"
url = "https://example.org/v1"
id = "gpt-5-mini"
key_env = "BIG_KEY"

[[models]]
name = "small"
local = "smollm2-135m"
threads = 2
"""


def test_a_name_is_first_one_of_the_users_own(home: Path) -> None:
    (home / "models.toml").write_text(MINE.replace('"small"', '"smollm2-135m"'))
    big, small = resolve_models(["big", "smollm2-135m"])
    assert (big.url, big.id, big.key_env) == ("https://example.org/v1", "gpt-5-mini", "BIG_KEY")
    assert small.threads == 2


def test_a_name_of_the_catalogue_is_a_local_model(home: Path) -> None:
    (model,) = resolve_models(["smollm2-135m"])
    assert model.local == "smollm2-135m"
    assert (model.in_flight, model.context_tokens, model.max_tokens) == (4, 8192, 1024)


def test_a_file_of_weights_is_a_local_model(home: Path, tmp_path: Path) -> None:
    (tmp_path / "my model.gguf").write_bytes(b"GGUF")
    (model,) = resolve_models([str(tmp_path / "my model.gguf")])
    assert (model.name, model.local) == ("my-model", str(tmp_path / "my model.gguf"))
    with pytest.raises(UserError, match=r"no file .*other\.gguf"):
        resolve_models([str(tmp_path / "other.gguf")])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("http://127.0.0.1:8000/v1#qwen", "qwen"),
        ("https://example.org/v1#deep/seek:free", "deep-seek-free"),
        ("https://example.org/v1#@x#y", "x-y"),
    ],
)
def test_a_server_and_an_id_are_a_model(home: Path, text: str, name: str) -> None:
    (model,) = resolve_models([text])
    assert (model.name, model.url, model.id) == (name, *text.split("#", 1))


def test_a_key_that_is_set_goes_to_a_server_only_over_a_line_that_nobody_reads(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("QUILTWORK_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert resolve_models(["https://example.org/v1#a"])[0].key_env == ""
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    assert resolve_models(["https://example.org/v1#a"])[0].key_env == "OPENAI_API_KEY"
    monkeypatch.setenv("QUILTWORK_API_KEY", "y")
    assert resolve_models(["https://example.org/v1#a"])[0].key_env == "QUILTWORK_API_KEY"
    assert resolve_models(["http://localhost:1/v1#a"])[0].key_env == "QUILTWORK_API_KEY"
    assert resolve_models(["http://example.org/v1#a"])[0].key_env == ""


def test_the_same_model_twice_is_one_and_two_of_one_name_are_refused(home: Path) -> None:
    assert len(resolve_models(["smollm2-135m", "smollm2-135m"])) == 1
    with pytest.raises(UserError, match="two models are called 'a'"):
        resolve_models(["https://one.example/v1#a", "https://two.example/v1#a"])


@pytest.mark.parametrize(
    "name", ["nope", "https://example.org/v1", "ftp://example.org#a", "https://me:secret@example.org#a"]
)
def test_what_means_nothing_is_answered_with_what_does(home: Path, name: str) -> None:
    (home / "models.toml").write_text(MINE)
    with pytest.raises(UserError) as caught:
        resolve_models([name])
    assert "URL#ID" in str(caught.value) or "key_env" in str(caught.value)
    assert "secret" not in str(caught.value)
    if name == "nope":
        assert "big, small" in str(caught.value)
        assert "qwen2.5-coder-1.5b" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("threads = 2", "threads = -2", r"models\.toml:11: field models\.1\.threads"),
        ("threads = 2", "treads = 2", r"models\.toml:11: field models\.1\.treads: unknown field; see docs/models\.md"),
        ('url = "https://example.org/v1"', 'url = "example.org"', r"models\.toml:2: field models\.0: url"),
        ('"small"', '"big"', "two models are called 'big'"),
        ('"small"', '"small', r"models\.toml: not valid TOML"),
    ],
)
def test_a_mistake_in_the_file_is_named(home: Path, old: str, new: str, said: str) -> None:
    (home / "models.toml").write_text(MINE.replace(old, new))
    with pytest.raises(UserError, match=said):
        resolve_models(["smollm2-135m"])


def test_another_file_can_be_named(home: Path, tmp_path: Path) -> None:
    (tmp_path / "team.toml").write_text(MINE)
    assert resolve_models(["big"], tmp_path / "team.toml")[0].name == "big"
    with pytest.raises(UserError, match=r"none\.toml: cannot be read"):
        resolve_models(["big"], tmp_path / "none.toml")


def test_a_local_model_keeps_what_the_user_says_of_it() -> None:
    assert ModelConfig(name="m", local="x.gguf", in_flight=32, context_tokens=512).in_flight == 32
    assert ModelConfig(name="m", url="https://example.org/v1").in_flight == 32


@pytest.mark.parametrize(
    "url", ["https://key@example.org/v1", "https://example.org/v1?key=1", "https://example.org/v1#x"]
)
def test_an_address_holds_no_key(url: str) -> None:
    with pytest.raises(ValidationError, match="key_env"):
        ModelConfig(name="m", url=url)
