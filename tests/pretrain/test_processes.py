"""Members and servers as users start them: they train to the end, die, come back, and are told what is wrong."""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.routing import Mount

from quiltwork.blobs.http import BlobRefused, HttpBlobs
from quiltwork.cli.main import main
from quiltwork.keys import Identity
from quiltwork.log import LogUnavailable, Speaker, SqliteLog, log_id
from quiltwork.log.http import HttpLog, Right, Tokens
from quiltwork.log.http.server import log_routes
from quiltwork.pretrain import serve
from quiltwork.pretrain.entries import Left
from quiltwork.pretrain.facts import Commit, Health
from quiltwork.pretrain.invitation import parse_invitation
from quiltwork.pretrain.serve import Coordinator
from quiltwork.run import Run
from tests.log.serving import TOKEN, running
from tests.pretrain import tiny
from tests.pretrain.town import Town, free_port

pytestmark = pytest.mark.timeout(1_200)

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


def complaint(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """What a command says of a mistake, in a line or two."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["pretrain", *map(str, words)])
    said = capsys.readouterr().err.strip()
    assert ended.value.code == 2, said
    assert len(said.splitlines()) <= 2, said
    return said


@contextmanager
def going_on(coordinator: Coordinator) -> Iterator[None]:
    """Serve meanwhile."""
    serving = threading.Thread(target=lambda: asyncio.run(coordinator.serve()))
    serving.start()
    try:
        yield
    finally:
        coordinator.stop()
        serving.join()
        coordinator.close()


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


@pytest.mark.slow
def test_who_has_a_wrong_token_is_told_so_at_once(tmp_path: Path) -> None:
    with Town(tmp_path) as town:
        town.serve()
        address = town.invitation.partition("#")[0]
        town.start("a", "join", f"{address}#{'wrong' * 6}", "--folder", str(tmp_path / "a"))
        assert town.status("a") == 2
        assert "This log answers to those who have a token of it; this is none." in town.output("a")
        assert not (tmp_path / "a").exists()


@pytest.mark.slow
def test_what_is_wrong_is_said_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quiltwork.pretrain.join.FIRST_ANSWER_S", 0.2)
    town, other = Town(tmp_path), tmp_path / "other"
    serve.create(town.run, tiny.config())
    with Run.create(other, "pretrain", {}) as run:
        run.writer.append(replace(tiny.config().created(seed=bytes(32), version="9.9"), protocol=99))
    driven = Coordinator(town.run, host="127.0.0.1", port=0)
    invitation, port = driven.invitation, driven.port
    log = SqliteLog(other / "log.db", readonly=True)
    app = Starlette(routes=[Mount("/log", routes=log_routes(log, Tokens({TOKEN: {Right.READ}})))])
    with going_on(driven), closing(log), running(app) as served:
        for said, *words in (
            ("follows protocol 99 (made by version 9.9)", "join", f"{served.url}#{TOKEN}"),
            ("cannot be reached", "join", f"http://127.0.0.1:{free_port()}#{TOKEN}"),
            ("The invitation has no token", "join", invitation.partition("#")[0]),
            ("Cannot use the key file", "join", invitation, "--folder", town.config / "below"),
            ("Address already in use", "serve", town.config, "--out", tmp_path / "b", "--port", port),
            ("Not a directory", "serve", town.config, "--out", town.config / "below", "--port", 0),
            ("is being driven by process", "serve", town.run, "--port", 0),
            ("The run 'tiny' follows protocol 99", "serve", other, "--port", 0),
        ):
            assert said in complaint(capsys, *words)


@pytest.mark.slow
def test_a_member_whose_disk_is_full_goes_and_two_that_flood_the_server_stop_nobody(tmp_path: Path) -> None:
    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # less than an optimizer state has

    with Town(tmp_path, total_steps=MANY) as town:
        town.serve()
        for name in "ab":
            town.join(name)
        town.join("c", limits=small_disk)
        town.until_round(1)
        with flooded(town.invitation.strip()) as flood:
            begun = town.look().last
            assert town.status("c") == 2
            assert "Left the run, since this member cannot do its part: Cannot write" in town.output("c")
            town.until_round(begun + 10)
            town.until(lambda: flood.refused > 3)
        assert "One author says too much at once" in flood.said
        assert town.is_healthy("a")
        assert town.is_healthy("b")
        assert not town.unaccounted_units()
        for name in "ab":
            assert town.end(name, signal.SIGINT) == 0
            assert "trouble" not in town.output(name)

        url, _, token = town.invitation.strip().partition("#")
        relay = HttpBlobs(f"{url}/blobs", token)
        with pytest.raises(BlobRefused, match="At most 67,108,864 bytes for a blob"):
            relay.put(bytes((64 << 20) + 1))


@pytest.mark.slow
def test_a_server_whose_disk_is_full_says_so_and_goes_on_when_it_is_not(tmp_path: Path) -> None:
    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    with Town(tmp_path, init_min_clients=2, total_steps=20, max_misses=50) as town:
        town.serve(limits=small_disk)
        for name in "ab":
            town.join(name)
        assert town.status("server") == 2
        assert "Cannot" in town.output("server")
        assert "Traceback" not in town.output("server")
        before = town.look().last
        assert before < 20
        town.serve()
        for name in "ab":
            assert town.status(name) == 0
        assert town.look().step == 20
        assert not town.unaccounted_units()


class Flood:
    """Says more than anybody may, from two threads, each an author of its own."""

    def __init__(self, invitation: str) -> None:
        url, self._token = parse_invitation(invitation)
        self._url = f"{url}/log"
        self.refused, self.said = 0, ""
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._pour) for _ in range(2)]

    def _pour(self) -> None:
        with closing(HttpLog(self._url, self._token, patience_s=0.1)) as log:
            speaker = Speaker(Identity.generate(), log_id(log))
            while not self.over.is_set():
                try:
                    log.submit(speaker.say(*(Left("x" * 100) for _ in range(200))))
                except LogUnavailable as error:
                    self.refused, self.said = self.refused + 1, str(error)


@contextmanager
def flooded(invitation: str) -> Iterator[Flood]:
    flood = Flood(invitation)
    for thread in flood.threads:
        thread.start()
    try:
        yield flood
    finally:
        flood.over.set()
        for thread in flood.threads:
            thread.join()
