"""A case: every transition by table, and what holds whatever verifiers do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.audit.case import Case, Outcome, Verdict, advance, answer, excuse, judge, open_case
from quiltwork.audit.config import AuditConfig

CONFIG = AuditConfig(response_rounds=2, verdict_rounds=2, case_rounds=12)
AUTHOR, A, B, C, D, E, F = (name.encode() for name in ("author", *"abcdef"))
PANEL = (A, B, C, D, E, F)


def opened(**settings: object) -> Case:
    return open_case(AUTHOR, settings.pop("panel", PANEL), round=10, config=CONFIG, **settings)


def play(case: Case, *events: object) -> Case:
    """Events: a round (number), "answer", (verifier, honest), or a verifier that leaves."""
    now = case.opened
    for event in events:
        match event:
            case int():
                now = event
                case = advance(case, round=now, config=CONFIG)
            case "answer":
                case, why = answer(case, round=now, config=CONFIG)
                assert not why
            case (bytes() as verifier, bool() as honest):
                case, why = judge(case, Verdict(verifier, honest), round=now, config=CONFIG)
                assert not why
            case bytes():
                case = excuse(case, event, round=now, config=CONFIG)
    return case


OK, BAD = True, False
TABLE = [
    # what happens, whom the case waits for then, how it ended
    ("nothing yet", [], (), None),
    ("the author answers", ["answer"], (A, B), None),
    ("one verdict", ["answer", (B, OK)], (A,), None),
    ("two agree on honest", ["answer", (B, OK), (A, OK)], (), Outcome.PASSED),
    ("two agree on guilty", ["answer", (A, BAD), (B, BAD)], (), Outcome.FAILED),
    ("two differ", ["answer", (A, OK), (B, BAD)], (C,), None),
    ("the third says honest", ["answer", (A, OK), (B, BAD), (C, OK)], (), Outcome.PASSED),
    ("the third says guilty", ["answer", (A, OK), (B, BAD), (C, BAD)], (), Outcome.FAILED),
    ("the author has time until round 12", [12], (), None),
    ("the author is silent", [13], (), Outcome.UNANSWERED),
    ("the author answers at the last moment", [12, "answer"], (A, B), None),
    ("verifiers have time from the answer on", [12, "answer", 14], (A, B), None),
    ("one verifier is silent and is replaced", ["answer", (A, OK), 13], (C,), None),
    ("both are silent and are replaced", ["answer", 13], (C, D), None),
    ("a replacement decides", ["answer", (A, OK), 13, (C, OK)], (), Outcome.PASSED),
    ("a tie-breaker is silent", ["answer", (A, OK), (B, BAD), 13, (D, BAD)], (), Outcome.FAILED),
    ("a tie-breaker has time of its own", ["answer", (A, OK), 12, (B, BAD), 14], (C,), None),
    ("a verifier leaves and is replaced at once", ["answer", A], (B, C), None),
    ("who is not asked may leave", ["answer", F], (A, B), None),
    ("who has spoken may leave", ["answer", (A, OK), A, (B, OK)], (), Outcome.PASSED),
    ("everybody is silent and asked again", ["answer", 13, 16, 19], PANEL, None),
    ("everybody is silent until the end", ["answer", 13, 16, 19, 22], (), Outcome.UNDECIDED),
    ("one spoke, all others are silent", ["answer", (A, BAD), 13, 16, 19, 22], (), Outcome.UNDECIDED),
    ("the last is asked before the silent are", ["answer", 13, C, (D, BAD), E], (F,), None),
    ("the last has left, the silent are asked again", ["answer", 13, C, (D, BAD), E, F], (A, B), None),
    ("who was silent decides after all", ["answer", 13, 16, 19, (A, OK), (F, OK)], (), Outcome.PASSED),
]


@pytest.mark.parametrize(("story", "events", "waiting", "outcome"), TABLE, ids=[row[0] for row in TABLE])
def test_how_a_case_goes(story: str, events: list[object], waiting: tuple[bytes, ...], outcome: Outcome | None) -> None:
    case = play(opened(), *events)
    assert case.outcome is outcome
    assert case.waiting_for == waiting
    assert case.waits_for_author == (outcome is None and "answer" not in events)


def test_silence_at_the_second_chance_is_a_refusal() -> None:
    assert play(opened(last_chance=True), 13).outcome is Outcome.REFUSED
    assert play(opened(last_chance=True), "answer", (A, OK), (B, OK)).outcome is Outcome.PASSED


def test_a_suspects_case_needs_three_that_agree() -> None:
    case = play(opened(suspect=True), "answer")
    assert case.waiting_for == (A, B, C)
    assert play(case, (A, BAD), (B, BAD)).outcome is None
    assert play(case, (A, BAD), (B, BAD), (C, BAD)).outcome is Outcome.FAILED
    assert play(case, (A, BAD), (B, OK)).waiting_for == (C, D), "three must still be able to agree"
    assert play(case, (A, BAD), (B, OK), (C, BAD), (D, OK)).waiting_for == (E,)
    assert play(case, (A, BAD), (B, OK), (C, BAD), (D, OK), (E, BAD)).outcome is Outcome.FAILED


@pytest.mark.parametrize(("size", "needed"), [(2, 2), (3, 2), (4, 2), (5, 3), (6, 3)])
def test_in_a_small_society_suspects_are_judged_by_two(size: int, needed: int) -> None:
    """Three that agree are a majority of five; of four, one liar would keep a case open for ever."""
    assert opened(panel=PANEL[:size], suspect=True).needed == needed


def test_a_panel_of_too_few_decides_nothing() -> None:
    for panel in ((), (A,)):
        assert opened(panel=panel).outcome is Outcome.UNDECIDED
    assert play(opened(panel=(A, B)), "answer", (A, OK), (B, BAD)).outcome is Outcome.UNDECIDED


def test_of_two_verifiers_a_slow_one_is_waited_for_until_the_end_and_blamed_only_then() -> None:
    case = play(opened(panel=(A, B)), "answer", (A, OK), 13)
    assert (case.waiting_for, case.silent, case.due) == ((B,), (), 15)
    assert play(case, 16, (B, OK)).outcome is Outcome.PASSED
    assert play(case, 16, (B, OK)).silent == ()
    late = play(case, 16, 19, 22)
    assert (late.outcome, late.silent) == (Outcome.UNDECIDED, (B,))


def test_a_case_ends_after_its_rounds_even_if_there_is_somebody_left_to_ask() -> None:
    many = tuple(bytes([number]) for number in range(12))
    case = play(opened(panel=many), 12, "answer", 15, 18, 21)
    assert case.waiting_for
    assert case.due == case.opened + CONFIG.case_rounds, "nobody is given time beyond the end"
    assert play(case, 23).outcome is Outcome.UNDECIDED


def test_what_does_not_count_changes_nothing_and_says_why() -> None:
    fresh, judging = opened(), play(opened(), "answer")
    closed = play(judging, (A, OK), (B, OK))
    refused = [
        (fresh, judge(fresh, Verdict(A, True), round=10, config=CONFIG), "not answered"),
        (fresh, answer(fresh, round=13, config=CONFIG), "until round 12"),
        (judging, answer(judging, round=10, config=CONFIG), "already"),
        (judging, judge(judging, Verdict(C, True), round=10, config=CONFIG), "not one who is asked"),
        (judging, judge(judging, Verdict(AUTHOR, True), round=10, config=CONFIG), "not one who is asked"),
        (judging, judge(judging, Verdict(A, True), round=13, config=CONFIG), "until round 12"),
        (closed, judge(closed, Verdict(C, False), round=10, config=CONFIG), "closed"),
        (closed, answer(closed, round=10, config=CONFIG), "closed"),
    ]
    for before, (after, why), word in refused:
        assert after is before
        assert word in why
    spoken = play(judging, (A, OK))
    assert judge(spoken, Verdict(A, False), round=10, config=CONFIG) == (
        spoken,
        "the verifier is not one who is asked now",
    )
    replaced = play(judging, 13)
    assert judge(replaced, Verdict(A, True), round=13, config=CONFIG)[0] is replaced, (
        "who was replaced has lost its say"
    )


EVENTS = st.lists(
    st.one_of(
        st.just("answer"),
        st.integers(1, 4),  # rounds that pass
        st.tuples(st.sampled_from((*PANEL, AUTHOR, b"stranger")), st.booleans()),
        st.sampled_from(PANEL),
    ),
    max_size=40,
)


@given(EVENTS, st.booleans(), st.booleans(), st.integers(0, 6))
def test_whatever_happens_a_case_stays_whole(events: list[object], suspect: bool, last: bool, size: int) -> None:
    case = opened(suspect=suspect, last_chance=last, panel=PANEL[:size])
    now = case.opened
    for event in events:
        before = case
        match event:
            case int():
                now += event
                case = advance(case, round=now, config=CONFIG)
            case "answer":
                case, _ = answer(case, round=now, config=CONFIG)
            case (bytes() as verifier, bool() as honest):
                case, _ = judge(case, Verdict(verifier, honest), round=now, config=CONFIG)
            case bytes():
                case = excuse(case, event, round=now, config=CONFIG)
        if before.outcome is not None:
            assert case is before, "what is closed stays closed"
        speakers = [verdict.verifier for verdict in case.verdicts]
        groups = [*speakers, *case.silent, *case.excused, *case.waiting_for]
        assert len(set(groups)) == len(groups), "everybody has one place"
        assert set(groups) <= set(case.panel), "and only the panel has any"
        if case.outcome in (Outcome.PASSED, Outcome.FAILED):
            assert (
                case.votes(case.outcome is Outcome.PASSED) == case.needed > case.votes(case.outcome is Outcome.FAILED)
            )
        elif case.outcome is None and case.answered:
            assert max(case.votes(True), case.votes(False)) + len(case.waiting_for) >= case.needed, (
                "it can still be decided"
            )
    assert advance(case, round=now + 99, config=CONFIG).outcome is not None or case.waiting_for


@given(EVENTS)
def test_a_case_never_lasts_longer_than_its_rounds(events: list[object]) -> None:
    case = opened()
    for now in range(case.opened, case.opened + CONFIG.case_rounds + 2):
        case = advance(case, round=now, config=CONFIG)
        for event in events[now % 7 :: 7]:
            if event == "answer":
                case, _ = answer(case, round=now, config=CONFIG)
            elif isinstance(event, tuple):
                case, _ = judge(case, Verdict(*event), round=now, config=CONFIG)
    assert case.outcome is not None


@given(st.permutations([(A, OK), (B, BAD), (C, OK), (D, BAD), (E, OK), (F, OK)]), st.booleans())
def test_the_order_in_which_the_asked_speak_decides_nothing(order: list[tuple[bytes, bool]], suspect: bool) -> None:
    """Verdicts of those who are not asked are refused, so whoever speaks first, the same panel decides."""
    case = play(opened(suspect=suspect), "answer")
    waiting = list(order)
    while case.outcome is None:
        speaker = next(one for one in waiting if one[0] in case.waiting_for)
        waiting.remove(speaker)
        case = play(case, speaker)
    assert case.outcome is Outcome.PASSED
