"""A run without a server from the command line, each member a process: opened, joined, looked at, laid down, taken home."""

import json
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import tomli_w
from typer.testing import CliRunner, Result

from quiltwork.errors import UserError
from quiltwork.log.open import open_log
from quiltwork.pretrain.commands import app
from quiltwork.pretrain.facts import RunState
from quiltwork.pretrain.state import apply
from tests.pretrain import tiny

PATIENCE_S = 600
JOIN = (sys.executable, "-m", "quiltwork.cli.main", "pretrain", "join", "run.db", "--threads", "1", "--name")


def call(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def refused(*words: str) -> str:
    result = call(*words)
    assert isinstance(result.exception, UserError), result
    return str(result.exception)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the file of a run."""
    tiny.data(tmp_path)
    table = tomllib.loads(tiny.TOML)
    table["config"] |= {"total_steps": 8, "max_round_train_time": 10.0, "round_witness_time": 10.0}
    (tmp_path / "run.toml").write_text(tomli_w.dumps(table))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_orders_are_the_owners_and_what_is_wrong_is_told(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = call("open", "run.toml", "--log", "run.db")
    assert "quiltwork pretrain join 'run.db'" in opened.stdout
    assert "not empty" in refused("open", "run.toml", "--log", "run.db")
    assert json.loads(call("status", "run.db", "--json").stdout)["phase"] == "WaitingForMembers"
    assert call("pause", "run.db").exit_code == 0
    assert json.loads(call("status", "run.db", "--json").stdout)["phase"] == "Paused"
    assert "name one with --home" in refused("export", "run.db", "--out", "model")
    assert "checkpoints (of the rounds: none yet) are not here" in refused(
        "export", "run.db", "--out", "model", "--home", "members/a"
    )
    monkeypatch.setenv("QUILTWORK_HOME", str(place / "stranger"))
    assert "nobody would heed you" in refused("resume", "run.db")


@pytest.mark.slow
@pytest.mark.timeout(900)  # four processes that load torch
def test_members_that_are_processes_go_on_without_one_that_is_killed_and_all_take_the_model_home(place: Path) -> None:
    call("open", "run.toml", "--log", "run.db")
    state = RunState()

    def until(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        with closing(open_log("run.db")) as log:
            while not condition():
                assert time.monotonic() < deadline, state.phase
                for entry in log.read(state.entries):
                    apply(state, entry)
                time.sleep(0.02)

    def found_at(name: str) -> tuple[str, ...]:
        return next(member.said.addresses for member in state.members.values() if member.said.name == name)

    with ExitStack() as stack:

        def member(name: str) -> subprocess.Popen[str]:
            made = subprocess.Popen([*JOIN, name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            stack.callback(made.wait)
            stack.callback(made.kill)
            return made

        members = {name: member(name) for name in "abc"}
        until(lambda: state.last >= 2)
        members["c"].kill()
        assert call("pause", "run.db").exit_code == 0
        until(lambda: state.phase == "Paused")
        before = found_at("c")
        members["c"] = member("c")
        until(lambda: found_at("c") != before)
        assert call("resume", "run.db").exit_code == 0
        said = {name: process.communicate(timeout=PATIENCE_S)[0] for name, process in members.items()}
    assert all("The run is over." in each for each in said.values()), said

    told = json.loads(call("status", "run.db", "--json").stdout)
    assert told["phase"] == "Finished"
    assert told["step"] == 8
    for name in "abc":  # every member has the model, whoever kept the checkpoint
        out = call("export", "run.db", "--home", f"members/{name}", "--out", f"model_{name}")
        assert out.exit_code == 0, out
    assert len({(place / f"model_{name}" / "model.safetensors").read_bytes() for name in "abc"}) == 1
