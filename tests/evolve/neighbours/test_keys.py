"""Every key of a neighbour's configuration is honoured or named, and the documentation says the same."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.evolve.neighbours import openevolve, openevolve_models, scoring, shinka, shinka_models
from quiltwork.evolve.neighbours.folder import Imported
from quiltwork.evolve.neighbours.openevolve_keys import KEYS as OPENEVOLVE
from quiltwork.evolve.neighbours.shinka_keys import KEYS as SHINKA
from quiltwork.evolve.neighbours.table import Keys, Reader, rows
from tests.evolve.neighbours import folders

MOVING = Path(__file__).parents[3] / "docs" / "moving.md"


def asked_of_openevolve(folder: Path) -> set[str]:
    reader = Reader(yaml.safe_load(folders.EVERY_KEY))
    openevolve._settings(reader, folders.CASCADE, folders.PARABOLA, Imported(""), folder, stages=False)
    openevolve._seed(reader)
    openevolve._readme(reader, folder)
    openevolve_models.models(reader)
    return reader.asked


def asked_of_shinka(folder: Path) -> set[str]:
    reader = Reader({"db_config": {"enable_dynamic_islands": True}})
    shinka.convert(folders.shinka(folder / "shinka"))
    shinka._settings(reader, folders.PARABOLA, Imported(""))
    shinka._program(folder / "shinka", reader)
    shinka_models.models(reader, Imported(""))
    return reader.asked | {"job_config.eval_program_path", "evo_config.task_sys_msg"}


@pytest.mark.parametrize(("keys", "asked"), [(OPENEVOLVE, asked_of_openevolve), (SHINKA, asked_of_shinka)])
def test_a_key_is_read_exactly_where_it_is_called_honoured(keys: Keys, asked: Any, tmp_path: Path) -> None:
    assert asked(tmp_path) == {key for key, known in keys.items() if known.honoured}


@pytest.mark.parametrize("keys", [OPENEVOLVE, SHINKA])
def test_the_documentation_has_a_row_for_every_key(keys: Keys) -> None:
    documented = MOVING.read_text("utf-8")
    for key, known in keys.items():
        said = known.how if known.honoured else f"not honoured: {known.how}"
        assert f"| `{key}` | {said} |" in documented, key


def test_a_configuration_with_every_key_has_a_row_for_each() -> None:
    found = {row.key: row for row in rows(yaml.safe_load(folders.EVERY_KEY), OPENEVOLVE)}
    assert found["max_iteratons"].how == "unknown key; is it max_iterations?"
    assert found["llm.models.api_key"].value == "(a key)"
    assert found["llm.api_key"].value == "${EXAMPLE_KEY}"
    assert found["llm.models.name"].value == "group/third, fourth"
    assert {key for key, row in found.items() if row.how.startswith("unknown")} == {"max_iteratons"}


@given(st.text(min_size=1).filter(lambda text: not text.startswith("${")), st.sampled_from(["api_key", "llm"]))
def test_no_key_is_ever_shown(secret: str, where: str) -> None:
    config = {"llm": {"api_key": secret}} if where == "api_key" else {"llm": {"models": [{"api_key": secret}]}}
    (row,) = rows(config, OPENEVOLVE)
    assert row.value == "(a key)"


@given(st.dictionaries(st.text(max_size=12), st.recursive(st.integers(), st.lists, max_leaves=4), max_size=5))
def test_any_other_key_is_named_as_unknown(config: dict[str, Any]) -> None:
    strange = {key: value for key, value in config.items() if key not in OPENEVOLVE}
    assert all(row.how.startswith("unknown key") and not row.honoured for row in rows(strange, OPENEVOLVE))


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_a_spread_number_keeps_its_order_and_stays_on_its_axis(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert -scoring.UNIT_BINS_TO <= scoring.spread(low) <= scoring.spread(high) <= scoring.UNIT_BINS_TO


@given(st.text())
def test_an_artifacts_name_is_a_plain_file(name: str) -> None:
    found = scoring.file_name(name)
    assert "/" not in found
    assert not found.startswith(".")
    assert found.endswith((".txt", ".md", ".json"))


@given(st.dictionaries(st.text(), st.one_of(st.floats(), st.integers(), st.booleans(), st.text())))
def test_metrics_are_finite_whatever_an_evaluator_says(values: dict[str, Any]) -> None:
    assert all(map(math.isfinite, scoring.numbers(values, {}).values()))
