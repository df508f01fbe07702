"""What a page learns, and that nothing is lost on the way: the stream, from the log to the reader and back after a break."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.evolve.pages import RunPage
from quiltwork.evolve.views.steps import PAGE
from quiltwork.log import Entry
from quiltwork.run import Run
from tests.evolve.helpers import sine
from tests.web.conftest import Server
from tests.web.made import hostile_run, long_run

STEPS = 120


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("stream")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUILTWORK_HOME", str(root / "home"))
        long_run(sine(root / "sine"), root / "run", STEPS)
    return root / "run"


def entries(path: Path) -> list[Entry]:
    with Run.open(path, drive=False) as opened:
        return list(opened.log.read())


def fed(path: Path, count: int) -> RunPage:
    opened = Run.open(path, drive=False)
    watch = RunPage(opened)
    for entry in entries(path)[:count]:
        watch.feed(entry)
    return watch


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(1, 3 * STEPS), max_size=8))
def test_whoever_comes_back_anywhere_ends_with_the_same_page(run: Path, cuts: list[int]) -> None:
    every = entries(run)
    stops = sorted({min(cut, len(every)) for cut in cuts} | {len(every)})
    with Run.open(run, drive=False) as opened:
        watch, known = RunPage(opened), 0
        curve: list[Any] = []
        steps = 0
        for stop in stops:
            for entry in every[watch.entries : stop]:
                watch.feed(entry)
            news = watch.since(known)
            assert news["from"] == known
            curve += news["curve"]
            steps += news["new_steps"]
            rows = [row["step"] for row in news["rows"]]
            newest = watch.state.committed
            assert rows == list(range(newest - 1, newest - 1 - min(PAGE, news["new_steps"]), -1))
            known = news["entries"]
        whole = watch.since(0)
        assert curve == whole["curve"]
        assert steps == whole["new_steps"] == STEPS
        assert watch.since(known)["new_steps"] == 0


def test_a_reader_of_another_log_begins_anew(run: Path) -> None:
    with Run.open(run, drive=False) as opened:
        watch = RunPage(opened)
        for entry in entries(run):
            watch.feed(entry)
        assert watch.since(10**9)["from"] == 0


def test_pages_of_steps_cover_the_run_once_whatever_is_filtered(run: Path) -> None:
    watch = fed(run, 10**9)
    try:
        for verdict, wanted in (("", STEPS), ("refused", STEPS // 10), ("ok", STEPS - STEPS // 10), ("better", 2)):
            seen: list[int] = []
            before: int | None = None
            while True:
                words = {"verdict": verdict, **({} if before is None else {"before": str(before)})}
                page = watch.view("steps", words)
                assert len(page["rows"]) <= PAGE
                seen += [row["step"] for row in page["rows"]]
                before = page["next"]
                if before is None:
                    break
            assert seen == sorted(set(seen), reverse=True)
            assert len(seen) == wanted
    finally:
        watch.run.close()


def test_an_empty_run_says_that_it_is_new(run: Path) -> None:
    with Run.open(run, drive=False) as opened:
        watch = RunPage(opened)
        assert watch.since(0)["standing"] == "new"
        assert watch.card() == {"standing": "new"}


def test_the_whole_of_a_request_and_its_reply_is_shown(tmp_path: Path) -> None:
    hostile_run(sine(tmp_path / "sine"), tmp_path / "run")
    watch = fed(tmp_path / "run", 10**9)
    shown = watch.view("step", {"step": "1"})
    watch.run.close()
    (talk,) = shown["replies"]
    assert talk["asked"][0][0] == "user"
    assert talk["asked"][0][1].startswith("asked <script>")
    assert talk["answers"][0][1].startswith("answered <script>")
    assert shown["tokens"] == 15
    assert shown["usd"] == 0.01


def first_event(server: Server, path: str, last: str | None = None) -> tuple[str, dict[str, Any]]:
    headers = server.headers | ({} if last is None else {"last-event-id": last})
    found: dict[str, str] = {}
    with httpx.stream("GET", server.base + path, headers=headers, timeout=60) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if name in ("id", "data"):
                found[name] = value
            if not line and "id" in found:
                return found["id"], json.loads(found["data"])
            if not line:
                found.clear()  # how far the reading of a long log is
    raise AssertionError("the stream ended")


def test_a_reconnected_reader_gets_what_it_missed_and_only_that(server: Server) -> None:
    problem = server.runs.parent / "problems" / "sine"
    long_run(problem, server.runs / "stream", 30)
    mark, whole = first_event(server, "/api/runs/stream/events")
    assert whole["new_steps"] == 30
    middle = whole["entries"] // 2
    again, missed = first_event(server, "/api/runs/stream/events", f"{middle}.0")
    assert again == mark
    assert missed["from"] == middle
    assert 0 < missed["new_steps"] < 30
    assert missed["rows"][0]["step"] == 29


def test_a_mark_that_makes_no_sense_is_a_new_reader(server: Server) -> None:
    long_run(server.runs.parent / "problems" / "sine", server.runs / "senseless", 5)
    for mark in ("nonsense", "-1.2", "9" * 40, "1.2.3"):
        _, whole = first_event(server, "/api/runs/senseless/events", mark)
        assert whole["from"] == 0
        assert whole["new_steps"] == 5


def test_a_run_that_is_not_there_is_said_to_be_missing(server: Server) -> None:
    for path in ("/api/runs/none", "/api/runs/none/events", "/api/runs/..%2f..%2fetc", "/api/runs/.hidden"):
        answer = httpx.get(server.base + path, headers=server.headers, timeout=60)
        assert answer.status_code == 404


def test_a_problem_outside_the_servers_folder_is_refused(server: Server) -> None:
    for problem in ("/etc", "..", "sine/../../runs"):
        answer = httpx.post(server.base + "/api/runs", json={"problem": problem}, headers=server.headers, timeout=60)
        assert answer.status_code == 400
        assert "problem: " in answer.json()["error"]


def test_a_driver_that_fails_is_shown_with_its_last_words(server: Server) -> None:
    folder = server.runs.parent / "problems" / "broken"
    sine(folder)
    (folder / "evaluate.py").write_text("def evaluate(candidate):\n    raise RuntimeError('no such luck')\n")
    begun = httpx.post(
        server.base + "/api/runs", json={"problem": "broken", "name": "broken"}, headers=server.headers, timeout=60
    )
    assert begun.status_code == 202
    mark = None
    for _ in range(200):
        mark, news = first_event(server, "/api/runs/broken/events", mark)
        if news["condition"] == "failed":
            break
    assert news["exit"] == 2
    assert "no such luck" in "\n".join(news["last_words"])


def test_what_cannot_be_paused_says_so(server: Server) -> None:
    long_run(server.runs.parent / "problems" / "sine", server.runs / "resting", 3)
    answer = httpx.post(server.base + "/api/runs/resting/pause", json={}, headers=server.headers, timeout=60)
    assert answer.status_code == 400
    assert answer.json()["error"] == "resting is not being driven"
