"""What `--model` on the command line means: a name of the user's own, of the catalogue, a file, or a server's address."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from quiltwork.errors import UserError
from quiltwork.keys import home
from quiltwork.models.catalogue import CATALOGUE
from quiltwork.models.config import ModelConfig
from quiltwork.models.places import on_this_machine
from quiltwork.toml import read_toml

GUIDE = "docs/models.md"


class SettingsError(UserError):
    """A model that the user named cannot be found, or not be told from another."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    models: tuple[ModelConfig, ...] = ()

    @model_validator(mode="after")
    def _names_are_different(self) -> _File:
        names = [model.name for model in self.models]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two models are called {twice[0]!r}")
        return self


def own_models(file: Path | None = None) -> tuple[ModelConfig, ...]:
    """The models in the user's `models.toml`, or in another file. Raises `TomlError` with file, line and field."""
    path = file or home() / "models.toml"
    return read_toml(path, _File, guide=GUIDE).models if file or path.is_file() else ()


def resolve_models(names: Sequence[str], file: Path | None = None) -> tuple[ModelConfig, ...]:
    """Find what each name means, in this order; raises `SettingsError`, or `TomlError` for the file.

    A name in the user's `models.toml`; a name of the catalogue; a path that ends in .gguf; `URL#ID`, the base of an
    OpenAI-compatible server and what it calls the model.
    """
    own = {model.name: model for model in own_models(file)}
    found: list[ModelConfig] = []
    for name in names:
        model = _resolve(name, own, file or home() / "models.toml")
        if model in found:
            continue
        if any(model.name == other.name for other in found):
            raise SettingsError(
                f"two models are called {model.name!r}; give one of them a name of its own in models.toml"
            )
        found.append(model)
    return tuple(found)


def _resolve(name: str, own: dict[str, ModelConfig], file: Path) -> ModelConfig:
    if name in own:
        return own[name]
    if name in CATALOGUE:
        return ModelConfig(name=name, local=name)
    if name.startswith(("http://", "https://")):
        return _at_a_server(name)
    if name.endswith(".gguf"):
        if not Path(name).is_file():
            raise SettingsError(f"there is no file {name}")
        return ModelConfig(name=_as_name(Path(name).stem), local=str(Path(name).resolve()))
    mine = f"in {file}: {', '.join(own)}" if own else f"{file} names none"
    raise SettingsError(
        f"there is no model {name!r}. Local models: {', '.join(CATALOGUE)}; your own models: {mine}; "
        "or write a GGUF file's path, or URL#ID such as http://127.0.0.1:8000/v1#my-model"
    )


def _at_a_server(text: str) -> ModelConfig:
    url, _, model = text.partition("#")
    if not model:
        raise SettingsError(f"{text}: write URL#ID, where ID is what the server calls the model")
    try:
        return ModelConfig(name=_as_name(model), url=url, id=model, key_env=_key_env(url))
    except ValidationError as error:
        raise SettingsError("; ".join(e["msg"].removeprefix("Value error, ") for e in error.errors())) from error


def _key_env(url: str) -> str:
    """The variable that holds a key for a server that was only named; an unencrypted line to elsewhere gets none."""
    if not url.startswith("https://") and not on_this_machine(url):
        return ""
    return next((name for name in ("QUILTWORK_API_KEY", "OPENAI_API_KEY") if os.environ.get(name, "").strip()), "")


def _as_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).lstrip("._-")[:64] or "model"
