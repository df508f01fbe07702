"""Members and servers as users start them: they train to the end, die, come back, and are told what is wrong."""

from __future__ import annotations

import json
import signal
from itertools import pairwise
from pathlib import Path

import pytest

from quiltwork.cli.main import main
from quiltwork.pretrain.facts import Commit, Health
from tests.pretrain.town import Town

MANY = 1_000_000
"""Steps of a run that is not to end before it was looked at."""


def answer(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """What a command says that ends well."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["pretrain", *map(str, words)])
    said = capsys.readouterr()
    assert ended.value.code == 0, said.err
    return said.out


def commits_by(town: Town, name: str) -> list[Commit]:
    found = town.member(name)
    assert found is not None
    return [each for closed in town.closed.values() for each in closed.commits if each.author == found.author]


@pytest.mark.slow
def test_two_members_in_two_terminals_train_to_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Town(tmp_path, init_min_clients=2, total_steps=10) as town:
        town.serve()
        for name in "ab":
            town.join(name)
        for name in "ab":
            assert town.status(name) == 0
            assert "The run is over." in town.output(name)
            assert "trouble" not in town.output(name)
        status = json.loads(answer(capsys, "status", town.run, "--json"))
        assert (status["phase"], status["step"]) == ("Finished", 10)
        assert [member["health"] for member in status["members"]] == ["healthy", "healthy"]
        assert town.end("server", signal.SIGINT) == 0
        assert "The run tiny is over: 10 of 10 steps" in town.output("server")
        assert not town.unaccounted_units()
    replayed = json.loads(answer(capsys, "replay", town.run, "--data", tmp_path, "--json"))
    assert replayed["rounds"] == town.state.last
    assert replayed["wrong"] == []
    assert replayed["model"] == town.state.agreed[town.state.last].hex()
    told = answer(capsys, "export", town.run, "--out", tmp_path / "model", "--data", tmp_path)
    assert replayed["model"][:16] in told
    assert {"config.json", "model.safetensors"} <= {path.name for path in (tmp_path / "model").iterdir()}


@pytest.mark.slow
def test_a_worker_that_is_killed_comes_back_as_the_same_and_one_that_is_interrupted_says_goodbye(
    tmp_path: Path,
) -> None:
    with Town(tmp_path, total_steps=MANY) as town:
        town.serve()
        for name in "abc":
            town.join(name)
        town.until(lambda: town.look().last >= 4 and town.units_by("c"))
        assert town.end("c", signal.SIGKILL) == -signal.SIGKILL
        killed = town.look().last
        town.until_round(killed + 4)
        town.join("c")
        town.until(lambda: town.units_by("c", since=killed + 4))
        assert len(town.state.members) == 3, "it is nobody new"
        commits = commits_by(town, "c")
        last, first = next((one, two) for one, two in pairwise(commits) if two.body.round > killed + 4)
        assert first.before == last.body.own, "its optimizer goes on from where it was"
        assert not town.unaccounted_units()

        assert town.end("c", signal.SIGINT) == 0
        assert "Left the run; the same command comes back." in town.output("c")
        left = town.member("c")
        assert left is not None
        assert left.health is Health.WITHDRAWN
        gone = town.state.last
        town.join("c")
        town.until(lambda: town.units_by("c", since=gone))
        assert not town.unaccounted_units()
        for name in "ab":
            assert town.end(name, signal.SIGTERM) == 0
            assert "trouble" not in town.output(name)


@pytest.mark.slow
def test_a_server_that_dies_or_is_laid_down_is_waited_for(tmp_path: Path) -> None:
    with Town(tmp_path, init_min_clients=2, total_steps=40, max_misses=50) as town:
        town.serve()
        for name in "ab":
            town.join(name)
        town.until_round(3)
        town.end("server", signal.SIGKILL)
        before = town.look().last
        town.serve()
        town.until_round(before + 3)
        assert town.end("server", signal.SIGINT) == 0
        before = town.look().last
        town.pause(15)
        town.serve()
        town.until_round(before + 1)
        for name in "ab":
            assert town.status(name) == 0
            assert "The run is over." in town.output(name)
        assert town.look().step == 40
        assert not town.unaccounted_units()
        assert {member.since for member in town.state.members.values()} == {1}, "nobody had to join again"
