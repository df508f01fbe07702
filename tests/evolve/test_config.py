"""No field of the settings is dead: each one is read somewhere in the room."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from quiltwork.evolve import config

SOURCES = "\n".join(path.read_text() for path in Path(config.__file__).parent.rglob("*.py") if path.name != "config.py")


def fields() -> list[tuple[str, str]]:
    models = [m for m in vars(config).values() if isinstance(m, type) and issubclass(m, BaseModel)]
    return [(m.__name__, name) for m in models if m.__module__ == config.__name__ for name in m.model_fields]


@pytest.mark.parametrize(("model", "name"), [pair for pair in fields() if pair[0] != "CandidateLimits"])
def test_every_setting_is_read(model: str, name: str) -> None:
    assert re.search(rf"\.{name}\b", SOURCES), f"{model}.{name} is parsed and never read"


def test_every_limit_is_one_that_the_jail_knows() -> None:
    from quiltwork.sandbox import Limits

    assert set(config.CandidateLimits.model_fields) == set(Limits.__struct_fields__)
