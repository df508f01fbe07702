"""The guide says what is so."""

import re
import tomllib
from pathlib import Path

import pytest

from quiltwork.models import ModelConfig
from quiltwork.models.catalogue import CATALOGUE
from quiltwork.models.config import LOCAL_DEFAULTS

GUIDE = (Path(__file__).parents[2] / "docs" / "models.md").read_text("utf-8")
TABLE = "\n".join(line for line in GUIDE.splitlines() if line.startswith("| `"))


@pytest.mark.parametrize("field", ModelConfig.model_fields)
def test_the_guide_names_every_field(field: str) -> None:
    assert f"`{field}`" in TABLE


@pytest.mark.parametrize("field", LOCAL_DEFAULTS)
def test_the_guide_gives_the_defaults_that_there_are(field: str) -> None:
    row = next(line for line in TABLE.splitlines() if f"`{field}`" in line).replace(",", "")
    assert f"| {ModelConfig.model_fields[field].default:g}; local {LOCAL_DEFAULTS[field]:g} |" in row


def test_the_guide_names_every_model_of_the_catalogue() -> None:
    for name in CATALOGUE:
        assert f"`{name}`" in TABLE


def test_the_guides_example_is_a_model() -> None:
    (listing,) = re.findall(r"```toml\n(\[\[models\]\].*?)```", GUIDE, re.DOTALL)
    (model,) = tomllib.loads(listing)["models"]
    assert ModelConfig.model_validate(model).key_env == "MY_KEY"
