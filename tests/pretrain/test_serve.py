from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from quiltwork.errors import UserError
from quiltwork.log import decode
from quiltwork.pretrain.entries import Created, Ticked
from quiltwork.pretrain.recipe import load
from quiltwork.pretrain.serve import Coordinator, create
from tests.pretrain import tiny


def test_a_run_is_served_by_its_owner(tmp_path: Path) -> None:
    create(tmp_path / "run", load("demo"))
    coordinator = Coordinator(tmp_path / "run", host="127.0.0.1", port=0)
    try:
        assert coordinator.invitation.startswith(f"http://127.0.0.1:{coordinator.port}#")
    finally:
        coordinator.close()


def test_who_is_not_the_owner_is_told_so_and_leaves_the_run_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "owner"
    monkeypatch.setenv("QUILTWORK_HOME", str(home))
    create(tmp_path / "run", load("demo"))
    monkeypatch.setenv("QUILTWORK_HOME", str(tmp_path / "another"))
    with pytest.raises(UserError, match=r"belongs to .*QUILTWORK_HOME"):
        Coordinator(tmp_path / "run", host="127.0.0.1", port=0)
    monkeypatch.setenv("QUILTWORK_HOME", str(home))
    Coordinator(tmp_path / "run", host="127.0.0.1", port=0).close()


@pytest.mark.parametrize(("clock", "tells"), [("owner", True), ("members", False)])
def test_a_server_tells_the_time_only_where_it_is_believed(tmp_path: Path, clock: str, tells: bool) -> None:
    create(tmp_path / "run", tiny.config(clock=clock))
    coordinator = Coordinator(tmp_path / "run", host="127.0.0.1", port=0)

    async def for_a_second() -> None:
        serving = asyncio.create_task(coordinator.serve())
        await asyncio.sleep(1.0)
        coordinator.stop()
        await serving

    try:
        asyncio.run(for_a_second())
        said = [type(decode(entry)) for entry in coordinator.run.log.read()]
    finally:
        coordinator.close()
    assert said[0] is Created
    assert (Ticked in said) == tells
