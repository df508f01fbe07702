"""What audits lead to: disclosures that nobody can get, suspicion, ejection; and who may demand one."""

from __future__ import annotations

import pytest

from quiltwork.audit import Outcome
from quiltwork.pretrain.entries import Challenged, Left, Undisclosed
from quiltwork.pretrain.facts import Health
from tests.pretrain.hearings import ALL, audited, case_of, judge, respond, ruling, unanswering
from tests.pretrain.telling import A, B, C, D, E, Told, joined, key, told

# --- disclosures that nobody can get ----------------------------------------------------------------------------------------


def test_a_verifier_that_cannot_get_a_disclosure_is_replaced_and_not_blamed() -> None:
    run = audited()
    respond(run, A)
    deprived = case_of(run, A).waiting_for[0]
    run.fits(deprived, Undisclosed(1, A))
    assert deprived in case_of(run, A).excused
    judge(run, A, honest=True)
    assert ruling(run) == (1, A, Outcome.PASSED)
    assert run.member(deprived).standing.silent == 0


def test_what_enough_verifiers_cannot_get_was_not_disclosed() -> None:
    run = audited()
    respond(run, A)
    run.fits(case_of(run, A).waiting_for[0], Undisclosed(1, A))
    run.fits(case_of(run, A).waiting_for[0], Undisclosed(1, A))
    assert ruling(run) == (1, A, Outcome.UNANSWERED)
    assert run.member(A).standing.debt == 1
    assert run.state.undisclosed == {}


def test_who_discloses_nothing_again_and_again_has_refused() -> None:
    run = audited()
    for round in (1, 2, 3):
        respond(run, A, round)
        for _ in range(case_of(run, A, round).needed):
            run.fits(case_of(run, A, round).waiting_for[0], Undisclosed(round, A))
        unanswering(run, A, 1)
    assert run.member(A).standing.refused >= 1
    assert run.member(A).standing.has_refused


@pytest.mark.parametrize(
    ("author", "body", "why"),
    [
        (B, Undisclosed(7, A), "that commitment is not being audited"),
        (A, Undisclosed(1, A), "the verifier is not one who is asked now"),
        (B, Undisclosed(1, C), "the verifier is not one who is asked now"),
    ],
)
def test_only_who_is_asked_says_that_it_cannot_get_a_disclosure(author: bytes, body: Undisclosed, why: str) -> None:
    run = audited()
    respond(run, A)
    assert run.say(author, body) == why


# --- the guilty -----------------------------------------------------------------------------------------------------------


def convicted(run: Told, author: bytes, rounds: int) -> None:
    for round in range(1, rounds + 1):
        respond(run, author, round)
        judge(run, author, honest=False, count=3, round=round)
        if round < rounds:
            run.play()


def test_who_fails_once_is_under_suspicion_and_stays() -> None:
    run = audited()
    convicted(run, A, 1)
    assert ruling(run) == (1, A, Outcome.FAILED)
    assert run.member(A).health is Health.HEALTHY
    assert run.member(A).standing.suspicion == run.state.config.audit.failure_weight


def test_a_suspect_is_convicted_by_more_than_two() -> None:
    run = audited(*ALL, E, key(6))
    convicted(run, A, 1)
    run.play()
    assert case_of(run, A, 2).needed == run.state.config.audit.suspect_quorum == 3


def test_who_fails_again_and_again_is_ejected_and_loses_what_it_earned() -> None:
    run = audited(*ALL, audit={"verifier_after": 0})
    convicted(run, A, 3)
    member = run.member(A)
    assert member.health is Health.EJECTED
    assert member.accepted_units == 0
    assert member.forfeited_units > 0
    assert sum(each.accepted_units + each.forfeited_units for each in run.state.members.values()) == (
        run.state.accepted_units
    )


def ejected() -> Told:
    run = audited(*ALL, audit={"verifier_after": 0})
    convicted(run, A, 3)
    return run


def test_the_ejected_is_out_for_ever() -> None:
    run = ejected()
    assert run.say(A, joined(A)) == "it was ejected"
    assert run.say(A, run.commitment(A)) == "the member is ejected"
    assert run.say(A, Left()) == "the member is ejected"


def test_what_the_ejected_had_committed_to_is_left_out() -> None:
    run = audited(*ALL, audit={"verifier_after": 0})
    convicted(run, A, 2)
    run.play()
    respond(run, A, 3)
    run.commit(*run.round.assigned)
    judge(run, A, honest=False, count=3, round=3)
    assert run.member(A).health is Health.EJECTED
    run.attest(B, C, D)
    assert A not in [update.author for update in run.closed.updates]
    assert len(run.closed.updates) == 3


def test_a_round_goes_on_without_the_ejected() -> None:
    run = audited(*ALL, audit={"verifier_after": 0})
    convicted(run, A, 2)
    run.play()
    respond(run, A, 3)
    run.commit(*(author for author in run.round.assigned if author != A))
    judge(run, A, honest=False, count=3, round=3)
    assert run.phase == "RoundWitness", "nobody waits for its commitment"


# --- challenges -----------------------------------------------------------------------------------------------------------


def test_somebody_may_demand_an_audit_and_takes_no_part_in_it() -> None:
    run = told(*ALL)
    run.play()
    run.fits(B, Challenged(1, A))
    assert set(case_of(run, A).panel) == {C, D}
    assert run.state.challengers == {(1, A): B}


def test_one_challenge_at_a_time() -> None:
    run = told(*ALL)
    run.play()
    run.fits(B, Challenged(1, A))
    assert run.say(B, Challenged(1, C)) == "its last challenge is not decided yet"
    respond(run, A)
    judge(run, A, honest=True)
    run.fits(B, Challenged(1, C))


def test_a_commitment_is_challenged_once() -> None:
    run = told(*ALL)
    run.play()
    run.fits(B, Challenged(1, A))
    assert run.say(C, Challenged(1, A)) == "that commitment is audited already"
    respond(run, A)
    judge(run, A, honest=True)
    assert run.say(C, Challenged(1, A)) == "that commitment is audited already"


def test_who_is_not_in_good_standing_challenges_nobody() -> None:
    run = audited()
    convicted(run, A, 1)
    assert run.say(A, Challenged(1, B)) == "who challenges is not in good standing"


@pytest.mark.parametrize("body", [Challenged(9, A), Challenged(1, E), Challenged(1, b"")])
def test_only_what_was_committed_is_challenged(body: Challenged) -> None:
    run = told(*ALL)
    run.play()
    assert "was accepted and can still be audited" in run.say(B, body)


def test_what_was_not_accepted_is_not_challenged() -> None:
    run = told(*ALL)
    run.commit(*ALL)
    run.attest(*ALL, held=[0, 1, 2])
    assert "was accepted and can still be audited" in run.say(A, Challenged(1, D))


def test_what_is_long_ago_is_not_challenged() -> None:
    run = told(*ALL)
    run.play(4)
    assert "was accepted and can still be audited" in run.say(B, Challenged(1, A))
    run.fits(B, Challenged(2, A))
