"""`quiltwork pretrain status`: of a folder, of a served run, and of what is neither."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from quiltwork.errors import UserError
from quiltwork.pretrain.display.status import look
from quiltwork.pretrain.serve import Coordinator
from quiltwork.run import Run
from tests.evolve.helpers import quiltwork, quiltwork_json
from tests.pretrain.simulated import OWNER, OWNER_SEED, Simulated


@pytest.fixture(scope="module")
def folder(eventful: Simulated, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return eventful.write(tmp_path_factory.mktemp("status") / "run", names=["amber", "blue"])


@pytest.fixture
def invitation(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("QUILTWORK_HOME", str(tmp_path))
    key = tmp_path / "identity.key"  # only its owner serves a run
    key.touch(mode=0o600)
    key.write_text(f"{OWNER_SEED.hex()}\n")
    coordinator = Coordinator(folder, host="127.0.0.1", port=0)
    serving = threading.Thread(target=lambda: asyncio.run(coordinator.serve()))
    serving.start()
    yield coordinator.invitation
    coordinator.stop()
    serving.join()
    coordinator.close()


def test_a_folder_is_told_in_words(folder: Path, eventful: Simulated) -> None:
    text = quiltwork("pretrain", "status", folder).stdout
    assert text.startswith("simulated")
    assert "step 24 of 24" in text
    assert "amber" in text
    assert f"checkpoint {eventful.state.checkpoints[-1][1].round}" in text
    assert re.search(r"\w+ +ejected", text)


def test_a_folder_is_told_to_a_script(folder: Path, eventful: Simulated) -> None:
    told = quiltwork_json("pretrain", "status", folder)
    assert (told["run_id"], told["phase"], told["last"]) == ("simulated", "Finished", eventful.state.last)
    assert {member["key"] for member in told["members"]} == {author.hex() for author in eventful.state.members}


def test_a_served_run_tells_the_same_as_its_folder(folder: Path, invitation: str) -> None:
    assert look(invitation) == look(str(folder))


def test_a_wrong_token_is_said_to_be_wrong(invitation: str) -> None:
    with pytest.raises(UserError, match="token"):
        look(f"{invitation.partition('#')[0]}#wrong")


def test_an_invitation_without_its_token_is_recognised() -> None:
    with pytest.raises(UserError, match="the part after #"):
        look("http://127.0.0.1:1")


def test_what_is_no_run_of_pretrain_is_refused(tmp_path: Path) -> None:
    Run.create(tmp_path / "other", "evolve", {}, OWNER).close()
    with pytest.raises(UserError, match="is a run of evolve, not of pretrain"):
        look(str(tmp_path / "other"))
    with pytest.raises(UserError, match="There is no run"):
        look(str(tmp_path / "none"))


def test_a_run_that_has_not_begun_has_a_status(tmp_path: Path) -> None:
    Run.create(tmp_path / "new", "pretrain", {}, OWNER).close()
    view = look(str(tmp_path / "new"))
    assert view.words == "has not begun"
    assert json.loads(quiltwork("pretrain", "status", tmp_path / "new", "--json").stdout)["entries"] == 0
