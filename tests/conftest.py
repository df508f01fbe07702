"""Shared by all rooms: no test touches the user's own keys, and none is judged by how busy the machine is."""

import pytest
from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUILTWORK_HOME", str(tmp_path_factory.mktemp("home")))
    # Parallel test workers set it; what is tested is a pipe, which has none.
    monkeypatch.delenv("COLUMNS", raising=False)
