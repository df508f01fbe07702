"""Audits in the fold: which commitments are computed again, by whom, and what is decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from quiltwork.audit import Outcome, Sanction, sanction
from quiltwork.audit.draw import MOST_ASKED
from quiltwork.pretrain import audits
from quiltwork.pretrain.entries import Challenged, Judged, Left, Responded
from quiltwork.pretrain.facts import Commit, Health
from tests.pretrain.hearings import ALL, audited, case_of, disclosure, judge, respond, ruling, unanswering
from tests.pretrain.telling import SECOND, A, B, C, D, E, Told, key, told

# --- who is drawn ---------------------------------------------------------------------------------------------------------


def test_with_everything_verified_every_accepted_commitment_is_audited() -> None:
    run = audited()
    assert set(run.state.cases) == {(1, author) for author in ALL}
    assert all(case.waits_for_author for case in run.state.cases.values())


def test_with_nothing_verified_nobody_is_audited() -> None:
    run = told(*ALL)
    run.play(5)
    assert run.state.cases == {}


def test_newcomers_are_drawn_more_often_than_the_share_says() -> None:
    run = told(*ALL, verification_percent=5, audit={"newcomer_factor": 20})
    run.play()
    assert len(run.state.cases) == 4


def test_a_commitment_that_was_not_accepted_is_not_audited() -> None:
    run = told(*ALL, verification_percent=100)
    run.commit(A, B, C, D)
    run.attest(*ALL, held=[0, 1, 2])
    assert set(run.state.cases) == {(1, A), (1, B), (1, C)}


def test_nobody_verifies_its_own_work() -> None:
    run = audited()
    assert all(author not in case.panel for (_, author), case in run.state.cases.items())


def test_only_who_had_the_model_before_verifies() -> None:
    run = told(*ALL, verification_percent=100)
    run.join(E)
    run.ready(E)
    run.play(2)
    assert run.member(E).synced == 0
    assert any(E in case.panel for (round, _), case in run.state.cases.items() if round == 2)
    newcomer = key(6)
    run.join(newcomer)
    run.ready(newcomer)
    run.play()
    assert all(newcomer not in case.panel for (round, _), case in run.state.cases.items() if round == 3)


def test_who_is_too_slow_to_verify_in_time_is_asked_last() -> None:
    run = told(*ALL, E, verification_percent=100, global_batch_size_start=40, global_batch_size_end=40)
    late = run.commitment(E)
    run.wait(2)
    run.commit(*ALL)
    run.wait(58)
    assert "tells how fast" in run.say(E, late)
    run.attest(*ALL, E)
    run.hash(*ALL, E)
    run.wait(2)
    run.commit(*ALL)
    run.wait(8)
    run.attest(A, B, C)
    assert run.closed.closed - run.closed.since == 10 * SECOND
    panels = [case.panel for (round, author), case in run.state.cases.items() if round == 2]
    assert len(panels) == 4
    assert all(panel[-1] == E for panel in panels)


@pytest.mark.parametrize(("authors", "cases"), [((A,), 0), ((A, B), 0), ((A, B, C), 3)])
def test_where_nobody_could_decide_it_no_audit_is_drawn(authors: tuple[bytes, ...], cases: int) -> None:
    run = audited(*authors)
    assert (len(run.state.cases), run.state.outcomes) == (cases, {})


def test_who_demands_an_audit_that_nobody_could_decide_is_told_so_and_may_demand_another() -> None:
    run = told(A, B, C)
    run.play()
    why = "1 others have the model of round 0, and 2 would have to agree"
    assert run.say(A, Challenged(1, B)) == why
    assert run.state.challengers == {}


@pytest.mark.parametrize("rounds_late", [0, 2, 5, 8])
def test_of_two_verifiers_a_slow_one_still_decides(rounds_late: int) -> None:
    run = audited(A, B, C, verification_percent=100)
    run.fits(A, Responded(1, disclosure(A), 10_000))
    run.fits(B, Judged(1, A, True, 1.0))
    run.play(rounds_late)
    assert run.state.cases[1, A].waiting_for == (C,)
    run.fits(C, Judged(1, A, True, 1.0))
    assert run.state.outcomes[Outcome.PASSED] == 1
    assert run.member(C).standing.silent == 0


def test_in_a_crowd_everybody_has_the_same_chance_to_verify() -> None:
    crowd = tuple(key(place) for place in range(80))
    run = told(*crowd, verification_percent=100, global_batch_size_start=160, global_batch_size_end=160)
    run.commit(*crowd)
    run.attest(*(author for author in run.round.witnesses))
    panels = [case.panel for case in run.state.cases.values()]
    assert len(panels) == 80
    assert {len(panel) for panel in panels} == {MOST_ASKED}
    first = Counter(author for panel in panels for author in panel[:2])
    assert max(first.values()) <= 10, "160 places among 80"
    assert len({author for panel in panels for author in panel}) == 80


# --- the answer -----------------------------------------------------------------------------------------------------------


def test_an_audited_member_discloses_its_states_and_verifiers_are_asked() -> None:
    run = audited()
    assert list(audits.owed_by(run.state, B)) == []
    assert respond(run, A) == ""
    assert run.state.disclosures == {(1, A): (disclosure(A), 10_000)}
    asked = case_of(run, A).waiting_for
    assert len(asked) == 2
    assert all(len(list(audits.owed_by(run.state, verifier))) == 1 for verifier in asked)
    (owed,) = audits.owed_by(run.state, asked[0])
    assert (owed.commit.author, owed.closed.number, owed.disclosure, owed.size) == (A, 1, disclosure(A), 10_000)


def test_an_audited_member_knows_what_it_is_asked_for() -> None:
    run = audited()
    asked: list[Commit] = list(audits.asked_of(run.state, A))
    assert [(commit.author, commit.body.round) for commit in asked] == [(A, 1)]
    respond(run, A)
    assert list(audits.asked_of(run.state, A)) == []


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (Responded(2, disclosure(A), 1), "its commitment of round 2 is not being audited"),
        (Responded(1, b"short", 1), "its disclosure is not named by 32 bytes and a size"),
        (Responded(1, disclosure(A), 0), "its disclosure is not named by 32 bytes and a size"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(body: Responded, why: str) -> None:
    run = audited()
    assert run.say(A, body) == why
    assert run.state.disclosures == {}


def test_who_has_answered_does_not_answer_again() -> None:
    run = audited()
    respond(run, A)
    assert respond(run, A) == "the author has answered already"


def test_who_does_not_answer_in_time_is_audited_next_time_for_certain_and_keeps_its_work() -> None:
    run = audited()
    run.play(run.state.config.audit.response_rounds)
    assert case_of(run, A).waits_for_author
    run.play()
    assert (1, A) not in run.state.cases
    assert run.state.outcomes == {Outcome.UNANSWERED: 4}
    assert run.member(A).standing.debt == 1
    assert run.closed.accepted == (0, 1, 2, 3)


def test_the_work_of_who_never_answers_does_not_count_until_it_passes_an_audit() -> None:
    run = audited()
    unanswering(run, A, 8)
    assert run.member(A).standing.has_refused
    assert sanction(run.member(A).standing, run.state.config.audit_rules) is Sanction.SUSPENDED
    assert run.member(A).health is Health.HEALTHY, "silence ejects nobody"
    assert A not in [update.author for update in run.closed.updates]
    number = max(number for number, author in run.state.cases if author == A)
    assert number == run.state.last, "what it commits to is audited all the same"
    respond(run, A, number)
    judge(run, A, honest=True, count=3, round=number)
    assert not run.member(A).standing.has_refused
    unanswering(run, A, 1)
    assert A in [update.author for update in run.closed.updates]


# --- verdicts -------------------------------------------------------------------------------------------------------------


def test_two_verdicts_that_agree_decide() -> None:
    run = audited()
    respond(run, A)
    verifiers = judge(run, A, honest=True)
    assert ruling(run) == (1, A, Outcome.PASSED)
    assert run.member(A).standing.passed == 1
    assert all(run.member(verifier).standing.agreed == 1 for verifier in verifiers)
    assert ((1, A) in run.state.cases, (1, A) in run.state.disclosures) == (False, False)


def test_of_two_who_differ_a_third_decides() -> None:
    run = audited()
    respond(run, A)
    one, other = case_of(run, A).waiting_for
    run.fits(one, Judged(1, A, False, 0.1))
    run.fits(other, Judged(1, A, True, 1.0))
    (third,) = case_of(run, A).waiting_for
    run.fits(third, Judged(1, A, True, 1.0))
    assert ruling(run) == (1, A, Outcome.PASSED)
    assert run.member(one).standing.dissented == 1


def wrong_verdicts() -> list[tuple[str, Callable[[Told], tuple[bytes, Judged]], str]]:
    return [
        ("of a commitment that is not audited", lambda run: (B, Judged(7, A, True, 1)), "is not being audited"),
        (
            "before the author has answered",
            lambda run: (case_of(run, B).panel[0], Judged(1, B, True, 1)),
            "the author has not answered yet",
        ),
        (
            "of who was not asked",
            lambda run: (
                next(v for v in case_of(run, A).panel if v not in case_of(run, A).waiting_for),
                Judged(1, A, False, 0),
            ),
            "the verifier is not one who is asked now",
        ),
        ("of the author", lambda run: (A, Judged(1, A, True, 1)), "the verifier is not one who is asked now"),
    ]


@pytest.mark.parametrize(
    ("said", "why"), [each[1:] for each in wrong_verdicts()], ids=[each[0] for each in wrong_verdicts()]
)
def test_a_verdict_that_does_not_fit_is_refused(said: Callable[[Told], tuple[bytes, Judged]], why: str) -> None:
    run = audited()
    respond(run, A)
    author, body = said(run)
    assert why in run.say(author, body)
    assert case_of(run, A).verdicts == ()


def test_a_verifier_that_is_not_healthy_any_more_does_not_judge() -> None:
    run = audited()
    respond(run, A)
    verifier = case_of(run, A).waiting_for[0]
    run.join(verifier)
    assert run.say(verifier, Judged(1, A, True, 1)) == "the verifier is not healthy"


def test_a_verifier_that_has_gone_is_replaced_when_the_round_is_over() -> None:
    run = audited()
    respond(run, A)
    gone = case_of(run, A).waiting_for[0]
    run.fits(gone, Left())
    others = [author for author in ALL if author != gone]
    run.train(*others)
    run.attest(*others)
    assert gone in case_of(run, A).excused
    assert len(case_of(run, A).waiting_for) == 2
    assert run.member(gone).standing.silent == 0


def test_a_verifier_that_is_silent_too_long_is_replaced_and_blamed() -> None:
    run = audited(*(key(place) for place in range(7)), global_batch_size_start=14, global_batch_size_end=14)
    respond(run, A)
    silent = case_of(run, A).waiting_for
    run.play(run.state.config.audit.verdict_rounds + 1)
    assert not set(silent) & set(judge(run, A, honest=True))
    assert {run.member(verifier).standing.silent for verifier in silent} == {1}
