"""What a page of a run learns: nothing is lost between two looks, nothing grows without end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.errors import UserError
from quiltwork.log import Entry
from quiltwork.pretrain import pages
from quiltwork.pretrain.pages import RunPage
from quiltwork.pretrain.views.page import ROUNDS_SHOWN, NotThere, sparks
from quiltwork.run import Run
from tests.pretrain.simulated import OWNER, Simulated, eventful


@pytest.fixture(scope="module")
def simulated() -> Simulated:
    return eventful()


@pytest.fixture(scope="module")
def folder(simulated: Simulated, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulated.write(tmp_path_factory.mktemp("pages") / "run", names=["amber", "blue"])


@pytest.fixture(scope="module")
def entries(folder: Path) -> list[Entry]:
    with Run.open(folder, drive=False) as run:
        return list(run.log.read())


def fed(folder: Path, entries: list[Entry]) -> RunPage:
    with Run.open(folder, drive=False) as run:
        page = pages.watch(run)
        for entry in entries:
            page.feed(entry)
        return page


class Reader:
    """What a browser keeps of what it is told."""

    def __init__(self) -> None:
        self.known = 0
        self.spans: dict[int, list[Any]] = {}
        self.stride = 0
        self.lives: dict[str, Any] = {}
        self.rounds: dict[int, Any] = {}
        self.kept: dict[str, Any] = {}

    def look(self, page: RunPage) -> None:
        news = json.loads(json.dumps(page.since(self.known)))
        assert news["from"] == self.known
        if news["stride"] != self.stride:
            self.spans, self.stride = {}, news["stride"]
        self.spans |= {span[0]: span for span in news["spans"]}
        self.lives |= news["lives"]
        self.rounds |= {row["number"]: row for row in news["rounds"]}
        self.kept |= {name: news[name] for name in ("audits", "events", "marks", "members", "summary") if name in news}
        self.known = news["entries"]


@settings(max_examples=15)
@given(cuts=st.lists(st.integers(1, 1_500), max_size=8))
def test_whoever_looks_now_and_then_ends_with_the_same_page(
    folder: Path, entries: list[Entry], cuts: list[int]
) -> None:
    stops = sorted({min(cut, len(entries)) for cut in cuts} | {len(entries)})
    with Run.open(folder, drive=False) as run:
        page, often, once = pages.watch(run), Reader(), Reader()
        for stop in stops:
            for entry in entries[page.entries : stop]:
                page.feed(entry)
            often.look(page)
        once.look(page)
        assert often.spans == once.spans
        assert often.lives == once.lives
        assert often.kept == once.kept
        assert {number: often.rounds[number] for number in once.rounds if number in often.rounds} == {
            number: row for number, row in once.rounds.items() if number in often.rounds
        }


def test_a_look_without_anything_new_is_small(folder: Path, entries: list[Entry]) -> None:
    page = fed(folder, entries)
    news = page.since(page.entries)
    assert (news["spans"], news["rounds"], news["lives"], news["new_rounds"]) == ([], [], {}, 0)
    assert "events" not in news
    assert "audits" not in news


def test_a_reader_of_another_log_begins_anew(folder: Path, entries: list[Entry]) -> None:
    assert fed(folder, entries).since(10**9)["from"] == 0


def test_the_head_that_is_shown_is_that_of_the_log(folder: Path, entries: list[Entry]) -> None:
    news = fed(folder, entries).since(0)
    with Run.open(folder, drive=False) as run:
        assert f"{news['entries']}:{news['summary']['head']}" == str(run.log.head())
    assert news["path"] == str(folder)


def test_pages_of_rounds_cover_the_run_once(folder: Path, entries: list[Entry], simulated: Simulated) -> None:
    page, seen, before = fed(folder, entries), [], None
    while True:
        found = page.view("rounds", {} if before is None else {"before": str(before)})
        assert len(found["rows"]) <= ROUNDS_SHOWN
        seen += [row["number"] for row in found["rows"]]
        before = found["next"]
        if before is None:
            break
    assert seen == list(range(simulated.state.last, 0, -1))


def test_a_round_is_told_with_its_commitments_and_their_entries(folder: Path, entries: list[Entry]) -> None:
    page = fed(folder, entries)
    for number in (1, page.state.last):
        told = page.view("round", {"round": str(number)})
        assert told["number"] == number
        assert sum(commit["units"] for commit in told["commits"] if commit["accepted"]) == told["units"]
        assert all(commit["entry"] < told["entry"] + 1 for commit in told["commits"])
        assert len(told["hash"]) in (0, 64)


@pytest.mark.parametrize(
    ("view", "words"), [("round", {"round": "999"}), ("round", {"round": "x"}), ("rounds", {"before": "x"}), ("no", {})]
)
def test_what_is_not_there_is_said_not_to_be_there(
    folder: Path, entries: list[Entry], view: str, words: dict[str, str]
) -> None:
    with pytest.raises(NotThere):
        fed(folder, entries).view(view, words)


def test_a_card_says_where_the_run_is(folder: Path, entries: list[Entry]) -> None:
    card = fed(folder, entries).card()
    assert (card["problem"], card["standing"], card["best"]) == ("simulated", "budget", 1.0)
    assert card["budgets"] == [{"unit": "steps", "total": 24, "spent": 24}]
    half = fed(folder, entries[: len(entries) // 2])
    assert half.standing == "interrupted"
    json.dumps(half.card(), allow_nan=False)


def test_a_run_that_has_not_begun_is_new(tmp_path: Path) -> None:
    Run.create(tmp_path / "new", "pretrain", {}, OWNER).close()
    page = fed(tmp_path / "new", [])
    assert page.standing == "new"
    assert page.card() == {"standing": "new"}
    assert page.since(0)["standing"] == "new"


def test_a_falling_curve_falls_in_small_too() -> None:
    assert sparks([]) == []
    assert sparks([5.0, 5.0]) == [0.5, 0.5]
    assert sparks([4.0, 3.0, 2.0]) == [1.0, 0.5, 0.0]
    assert len(sparks([float(number) for number in range(1_000)])) == 48


def test_runs_are_begun_and_taken_up_where_they_are_served(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="quiltwork pretrain serve"):
        pages.resume_words(tmp_path, {})
    with pytest.raises(UserError, match="quiltwork pretrain serve"):
        pages.begin_words(tmp_path, {}, tmp_path)
    assert (pages.problems(tmp_path), pages.models(), pages.name_for({})) == ([], [], "pretrain")
