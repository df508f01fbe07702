"""What people see of a run agrees with its log, and stays small."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from statistics import median

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.audit import Outcome
from quiltwork.log import Relayed, decode
from quiltwork.pretrain.config import Coordinator
from quiltwork.pretrain.entries import Committed, Created, Hashed, Joined, Judged, Ready, Ticked
from quiltwork.pretrain.facts import Closed, Health, Phase, RunState
from quiltwork.pretrain.recipe import load
from quiltwork.pretrain.state import apply_body
from quiltwork.pretrain.views import Watch, snapshot, summary
from quiltwork.pretrain.views.about import about
from quiltwork.pretrain.views.series import Series, Span, weighted_median
from quiltwork.pretrain.views.snapshot import MEMBERS_SHOWN, plain
from quiltwork.pretrain.views.story import COMMITS_KEPT, ROUNDS_KEPT
from quiltwork.pretrain.views.wording import Names, listed
from quiltwork.run import Run
from tests.pretrain.simulated import Simulated, eventful, watched


@pytest.fixture(scope="module")
def run() -> Simulated:
    """A run with crashes, in which a liar was ejected, somebody was dropped, and units were lost."""
    return eventful()


def closed_rounds(run: Simulated) -> list[Closed]:
    """Every closed round, by a fold of its own."""
    state, found = RunState(), {}
    for seq, (author, body) in enumerate(run.said):
        apply_body(state, author, body, seq)
        if state.last in state.closed:
            found[state.last] = state.closed[state.last]
    return list(found.values())


def test_totals_are_those_of_the_rounds_that_the_fold_has_forgotten_too(run: Simulated) -> None:
    watch, rounds = watched(run), closed_rounds(run)
    view = snapshot(watch.state, watch.story)
    assert len(rounds) == watch.state.last > len(watch.state.closed)
    assert view.sent == sum(commit.body.size for closed in rounds for commit in closed.commits)
    assert sum(member.sent for member in view.members) == view.sent
    assert sum(member.payloads for member in view.members) == sum(len(closed.commits) for closed in rounds)
    assert sum(span.units for span in watch.story.series.spans) == watch.state.accepted_units
    assert view.lost_units == sum(len(closed.returned) for closed in rounds)
    assert sum(member.lost_units for member in view.members) == view.lost_units
    assert view.barren_rounds == watch.state.last - watch.state.step
    assert [note.size for note in watch.story.rounds] == [sum(c.body.size for c in each.commits) for each in rounds]
    assert [note.loss for note in watch.story.rounds if note.accepted] == pytest.approx(
        [
            median(
                loss
                for commit in closed.updates
                if run.state.members[commit.author].health is not Health.EJECTED
                for loss in [commit.body.loss] * len(commit.body.units)
            )
            for closed in rounds
            if closed.accepted
        ]
    )


def test_every_entry_number_leads_to_the_entry_that_is_meant(run: Simulated) -> None:
    watch = watched(run)
    for note in watch.story.rounds:
        for commit in note.commits:
            author, body = run.said[commit.seq]
            assert author == commit.author
            assert isinstance(body, Committed)
            assert (body.round, body.size, len(body.units)) == (note.number, commit.size, commit.units)
        if note.model:
            author, body = run.said[note.model_seq]
            assert isinstance(body, Hashed | Ready | Committed | Ticked)
            if isinstance(body, Hashed):
                assert (body.round, body.model) == (note.number, note.model)
    verdicts = [verdict for audit in watch.story.audits for verdict in audit.verdicts]
    assert verdicts
    for verdict in verdicts:
        author, body = run.said[verdict.seq]
        assert author == verdict.verifier
        assert isinstance(body, Judged)
        assert (body.honest, body.score, body.why) == (verdict.honest, verdict.score, verdict.why)


def test_the_curve_leaves_out_what_the_ejected_said(run: Simulated) -> None:
    """Simulated machines all say 1, and the liar 0.5."""
    assert any(isinstance(body, Committed) and body.loss == 0.5 for _, body in run.said)
    watch, known, mine = Watch(), 0, {}
    for seq, (author, body) in enumerate(run.said):
        watch.told(author, body, seq)
        if seq % 50 == 0:
            mine |= {span.first: span.loss for span in watch.story.series.since(known)}
            known = watch.entries
    mine |= {span.first: span.loss for span in watch.story.series.since(known)}
    assert set(mine.values()) <= {1.0, None}
    assert watch.story.first_loss == 1.0
    assert {note.loss for note in watch.story.rounds} <= {1.0, None}


def test_models_of_rounds_are_those_that_were_agreed_on(run: Simulated) -> None:
    state, story = watched(run).state, watched(run).story
    hashes = {note.number: note.model for note in story.rounds if note.model}
    assert len(hashes) >= state.last - 1
    for number, model in state.agreed.items():
        assert hashes.get(number, model) == model


def test_an_ejection_is_told_with_its_reason_and_what_it_forfeits(run: Simulated) -> None:
    watch = watched(run)
    view = snapshot(watch.state, watch.story)
    (out,) = [member for member in view.members if member.health == "ejected"]
    (told,) = [event.words for event in watch.story.events if event.kind == "ejected"]
    assert told.startswith(f"{out.label} was ejected: it failed {out.failed} audits")
    if out.forfeited:
        assert f"forfeits {out.forfeited} unit" in told
    failed = [event.words for event in watch.story.events if event.kind == "audit-failed"]
    assert len(failed) == view.outcomes[str(Outcome.FAILED)]
    assert all(out.label in words and "found another update" in words for words in failed)


def test_lives_tell_when_members_came_were_dropped_and_came_back(run: Simulated) -> None:
    watch = watched(run)
    kinds = Counter(event.kind for event in watch.story.events)
    assert kinds["dropped"] == sum(life.dropped for life in watch.story.lives.values()) > 0
    for author, life in watch.story.lives.items():
        times = [at for at, _ in life.stretches]
        assert times == sorted(times)
        healths = [health for _, health in life.stretches]
        assert all(one is not other for one, other in pairwise(healths))
        assert healths[0] is Health.JOINING
        assert healths[-1] is watch.state.members[author].health


def test_a_folder_tells_the_same_as_what_was_said(run: Simulated, tmp_path: Path) -> None:
    run.write(tmp_path / "run", names=["amber", "amber", "blue"])
    from_log = Watch()
    with Run.open(tmp_path / "run", drive=False) as opened:
        relayed = 0
        for entry in opened.log.read():
            relayed += isinstance(decode(entry), Relayed)
            from_log.feed(entry)
        head = opened.log.head()
    assert relayed == sum(author in run.state.members for author, _ in run.said)
    assert (from_log.entries, from_log.head) == head
    heard = watched(run)
    assert [note.model for note in from_log.story.rounds] == [note.model for note in heard.story.rounds]
    mine, theirs = snapshot(from_log.state, from_log.story), snapshot(heard.state, heard.story)
    assert (mine.sent, mine.units, mine.outcomes, mine.agreed_model) == (
        theirs.sent,
        theirs.units,
        theirs.outcomes,
        theirs.agreed_model,
    )
    labels = [member.label for member in mine.members]
    assert len(set(labels)) == len(labels)
    assert sum(label.startswith("amber (") for label in labels) == 2
    assert "blue" in labels


def test_a_summary_of_the_state_alone_is_json_and_says_what_the_state_knows(run: Simulated) -> None:
    told = json.loads(json.dumps(summary(run.state)))
    state = run.state
    assert told["phase"] == "Finished"
    assert told["words"] == "finished"
    assert (told["last"], told["step"], told["units"]) == (state.last, state.step, state.accepted_units)
    assert {member["key"] for member in told["members"]} == {author.hex() for author in state.members}
    assert told["agreed_model"] == state.agreed[max(state.agreed)].hex()
    assert told["events"] == []
    assert told["sent"] == sum(commit.body.size for closed in state.closed.values() for commit in closed.commits)


def test_a_run_that_has_not_begun_has_a_summary() -> None:
    told = summary(RunState())
    assert (told["phase"], told["words"], told["loss"]) == ("Uninitialized", "has not begun", None)


def test_what_a_demo_trains_is_known_without_torch() -> None:
    config = load("demo")
    found = about(config.created(seed=bytes(32), version="1"))
    assert (found.model, found.optimizer) == ("gpt", "demo_exact")
    assert found.parameters > 900_000
    assert found.dense_bytes == 4 * found.parameters
    assert about(Created("x", "{}", "not json", bytes(32))).parameters == 0


def test_the_phases_that_wait_say_for_whom() -> None:
    watch = Watch()
    owner = bytes(32)
    config = Coordinator(init_min_clients=3, min_clients=1)
    watch.told(owner, Created("r", config.model_dump_json(), "{}", bytes(32)), 0)
    watch.told(owner, Ticked(10**9), 1)
    watch.told(b"a" * 32, Joined(beacon=bytes(32), name="amber"), 2)
    assert snapshot(watch.state, watch.story).words == (
        "waits for members: 1 of 3 are here; it begins when 2 more have joined (init_min_clients)"
    )
    assert [event.words for event in watch.story.events] == ["the run began", "amber joined"]
    assert watch.state.phase is Phase.WAITING_FOR_MEMBERS


# --- rounds by the thousand ---------------------------------------------------------------------------------------------


def span(number: int) -> Span:
    return Span(
        first=number,
        last=number,
        ended=10 * number,
        nanoseconds=3,
        units=number % 5,
        returned=number % 2,
        members=4 + number % 3,
        sent=100 * number,
        tokens=7 * number,
        weighted_loss=1.0 * number * (number % 5),
        weight=number % 5,
        seen=2 * number,
    )


@given(st.integers(0, 400), st.integers(2, 16))
def test_a_curve_is_bounded_and_loses_nothing_but_detail(count: int, most: int) -> None:
    series = Series(most)
    for number in range(1, count + 1):
        series.add(span(number))
    spans = series.spans
    assert len(spans) <= most
    assert [one.last + 1 for one in spans[:-1]] == [one.first for one in spans[1:]]
    if count:
        assert (spans[0].first, spans[-1].last, spans[-1].sent, spans[-1].ended) == (1, count, 100 * count, 10 * count)
    assert all(each.last - each.first + 1 == series.stride for each in spans[:-1])
    for name in ("units", "returned", "nanoseconds", "weight", "weighted_loss"):
        assert sum(getattr(each, name) for each in spans) == sum(getattr(span(n), name) for n in range(1, count + 1))


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(2, 16))
def test_whoever_asks_now_and_then_ends_with_the_whole_curve(steps: list[int], most: int) -> None:
    series, known, number, mine, stride = Series(most), 0, 0, {}, 1
    for step in steps:
        for _ in range(step):
            number += 1
            series.add(span(number))
        if series.stride != stride:
            mine, stride = {}, series.stride
        mine |= {each.first: each for each in series.since(known)}
        known = 2 * number
    assert list(mine.values()) == series.spans


@given(st.lists(st.tuples(st.floats(-10, 10), st.integers(0, 5)), max_size=8))
def test_the_loss_of_a_round_is_that_of_its_middle_unit(values: list[tuple[float, int]]) -> None:
    each = [value for value, weight in values for _ in range(weight)]
    assert weighted_median(values) == (pytest.approx(median(each)) if each else None)


def test_thinned_spans_keep_both_ends() -> None:
    series = Series()
    for number in range(1, 1_001):
        series.add(span(number))
    thin = series.thinned(10)
    assert [thin[0].first, thin[-1].last, len(thin)] == [1, 1_000, 10]


# --- what others wrote, and how much ------------------------------------------------------------------------------------


@given(
    st.lists(st.text(max_size=40) | st.sampled_from(["a", "a (00000000)", "01010101", "a\n"]), min_size=1, max_size=6)
)
def test_names_are_lines_and_no_two_members_are_called_the_same(said: list[str]) -> None:
    names = Names()
    authors = [bytes([number]) * 32 for number in range(len(said))]
    for author, name in zip(authors, said, strict=True):
        names.hear(author, name)
    labels = [names(author) for author in authors]
    assert all(label and label.isprintable() for label in labels)
    assert len(set(labels)) == len(labels)


def test_a_member_that_takes_another_name_frees_the_one_that_it_had() -> None:
    names = Names()
    for author, name in ((b"a" * 32, "amber"), (b"b" * 32, "amber"), (b"b" * 32, "blue")):
        names.hear(author, name)
    assert [names(b"a" * 32), names(b"b" * 32)] == ["amber", "blue"]


def test_a_loss_that_is_no_number_does_not_reach_json(run: Simulated) -> None:
    watch = Watch()
    for seq, (author, body) in enumerate(run.said):
        if isinstance(body, Committed):
            body = msgspec.structs.replace(body, loss=float("nan") if seq % 2 else float("inf"))
        watch.told(author, body, seq)
    told = plain(snapshot(watch.state, watch.story))
    assert told["loss"] is None
    json.dumps(told, allow_nan=False)


def test_a_long_run_of_many_members_stays_small(run: Simulated) -> None:
    watch = watched(run)
    story, state = watch.story, watch.state
    for number in range(state.last + 1, state.last + 3 * ROUNDS_KEPT):
        old = state.closed[max(state.closed)]
        state.closed = {number: Closed(**{**{f: getattr(old, f) for f in old.__dataclass_fields__}, "number": number})}
        state.last = number
        story.look(state, number)
    assert len(story.rounds) == ROUNDS_KEPT
    assert sum(bool(note.commits) for note in story.rounds) == COMMITS_KEPT
    for number in range(2 * MEMBERS_SHOWN):
        author = number.to_bytes(32, "big")
        watch.told(author, Joined(beacon=bytes(32), name=f"m{number}"), 10**6 + number)
    view = snapshot(state, story)
    assert len(view.members) == MEMBERS_SHOWN
    assert view.left_out == len(state.members) - MEMBERS_SHOWN > 0
    assert len(json.dumps(plain(view))) < 300_000


def test_many_names_in_a_row_are_cut_short() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(list("abcdefg")) == "a, b, c, d and 3 more"
