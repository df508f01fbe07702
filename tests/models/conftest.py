"""The real local model that tests ask."""

from pathlib import Path

import pytest

from quiltwork.models.catalogue import fetch


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """SmolLM2's file in the user's own cache: fetched at the first use, and a failure where that cannot be done."""
    return fetch("smollm2-135m")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for the user's settings."""
    monkeypatch.setenv("QUILTWORK_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"
