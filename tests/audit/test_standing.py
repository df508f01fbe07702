"""Standings: every transition, every sanction, and what can never happen to the honest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.audit.case import Case, Outcome, Verdict
from quiltwork.audit.config import AuditConfig
from quiltwork.audit.standing import (
    Sanction,
    Standing,
    audit_rate,
    contributed,
    eligible,
    sanction,
    settle,
    was_audited,
)

CONFIG = AuditConfig(rate=0.1, failure_weight=32, ejection_at=90)
PASSED, FAILED, UNANSWERED, REFUSED, UNDECIDED = (
    Outcome.PASSED,
    Outcome.FAILED,
    Outcome.UNANSWERED,
    Outcome.REFUSED,
    Outcome.UNDECIDED,
)


def audited(*outcomes: Outcome, standing: Standing | None = None) -> Standing:
    held = standing or Standing()
    for outcome in outcomes:
        held = was_audited(held, outcome, CONFIG)
    return held


@pytest.mark.parametrize(
    ("outcomes", "standing"),
    [
        ([PASSED], Standing(passed=1, streak=1)),
        ([FAILED], Standing(failed=1, suspicion=32)),
        ([PASSED, FAILED, PASSED], Standing(passed=2, failed=1, streak=1, suspicion=31)),
        ([FAILED, *[PASSED] * 40], Standing(passed=40, failed=1, streak=40)),
        ([UNANSWERED], Standing(debt=1)),
        ([UNANSWERED, UNANSWERED], Standing(debt=1)),  # both were asked before either was overdue: one crash
        ([UNANSWERED, REFUSED], Standing(debt=2, refused=1)),
        ([UNANSWERED, REFUSED, REFUSED], Standing(debt=3, refused=2)),
        ([UNANSWERED, REFUSED, PASSED], Standing(passed=1, streak=1, refused=1)),
        ([UNANSWERED, FAILED], Standing(failed=1, suspicion=32)),
        ([PASSED, UNANSWERED], Standing(passed=1, debt=1)),
        ([UNDECIDED], Standing()),
        ([FAILED, FAILED], Standing(failed=2, suspicion=64)),
        ([FAILED, FAILED, FAILED], Standing(failed=3, suspicion=96, ejected=True)),
        ([FAILED, FAILED, FAILED, PASSED, PASSED], Standing(failed=3, suspicion=96, ejected=True)),
        (
            [FAILED, *[PASSED] * 3, FAILED, *[PASSED] * 3, FAILED],
            Standing(passed=6, failed=3, suspicion=90, ejected=True),
        ),
        ([FAILED, *[PASSED] * 3, FAILED, *[PASSED] * 4, FAILED], Standing(passed=7, failed=3, suspicion=89)),
    ],
)
def test_what_audits_leave_behind(outcomes: list[Outcome], standing: Standing) -> None:
    assert audited(*outcomes) == standing


@pytest.mark.parametrize(
    ("standing", "means"),
    [
        (Standing(), Sanction.NONE),
        (Standing(passed=9, failed=2), Sanction.NONE),  # forgiven
        (Standing(suspicion=1), Sanction.WATCHED),
        (Standing(debt=1), Sanction.WATCHED),
        (Standing(debt=2), Sanction.SUSPENDED),
        (Standing(dissented=3), Sanction.NONE),  # three may be forgiven
        (Standing(dissented=4), Sanction.SUSPENDED),
        (Standing(dissented=2, silent=2), Sanction.SUSPENDED),
        (Standing(dissented=4, agreed=11), Sanction.SUSPENDED),
        (Standing(dissented=4, agreed=12), Sanction.NONE),  # exactly a quarter
        (Standing(ejected=True, debt=3), Sanction.EJECTED),
    ],
)
def test_what_a_record_means(standing: Standing, means: Sanction) -> None:
    assert sanction(standing, CONFIG) is means


@pytest.mark.parametrize(
    ("standing", "rate"),
    [
        (Standing(), 0.4),  # newcomers
        (Standing(passed=3), 0.4),
        (Standing(passed=4, streak=4), 0.1),
        (Standing(passed=99, streak=39), 0.1),
        (Standing(passed=40, streak=40), 0.05),  # long-proven
        (Standing(passed=99, streak=99, suspicion=1), 1.0),
        (Standing(passed=99, debt=1), 1.0),
    ],
)
def test_how_often_who_is_audited(standing: Standing, rate: float) -> None:
    assert audit_rate(standing, CONFIG) == pytest.approx(rate)


STANDINGS = st.builds(
    Standing,
    accepted=st.integers(0, 100),
    passed=st.integers(0, 100),
    streak=st.integers(0, 100),
    suspicion=st.integers(0, 89),
    debt=st.integers(0, 3),
)
RATES = st.floats(0.001, 1)


@given(STANDINGS, RATES, st.floats(1, 1_000), st.floats(0.001, 1))
def test_nobody_is_never_audited(standing: Standing, rate: float, newcomer: float, proven: float) -> None:
    config = AuditConfig(rate=rate, newcomer_factor=newcomer, proven_factor=proven)
    drawn = audit_rate(standing, config)
    assert 0 < drawn <= 1
    assert audit_rate(audited(FAILED, standing=standing), config) >= drawn
    assert audit_rate(audited(UNANSWERED, standing=standing), config) == 1


def test_contributions_are_counted() -> None:
    assert contributed(contributed(Standing())) == Standing(accepted=2)


A, B, C, AUTHOR = b"a", b"b", b"c", b"author"


def closed(outcome: Outcome | None, verdicts: dict[bytes, bool], silent: tuple[bytes, ...] = ()) -> Case:
    spoken = tuple(Verdict(verifier, honest) for verifier, honest in verdicts.items())
    return Case(AUTHOR, (A, B, C), 2, False, 1, 3, True, 3, spoken, silent, (), outcome)


@pytest.mark.parametrize(
    ("case", "changed"),
    [
        (
            closed(PASSED, {A: True, B: True}),
            {AUTHOR: Standing(passed=1, streak=1), A: Standing(agreed=1), B: Standing(agreed=1)},
        ),
        (
            closed(FAILED, {A: False, B: True, C: False}),
            {AUTHOR: Standing(failed=1, suspicion=32)}
            | {A: Standing(agreed=1), B: Standing(dissented=1), C: Standing(agreed=1)},
        ),
        (
            closed(PASSED, {A: True, C: True}, silent=(B,)),
            {AUTHOR: Standing(passed=1, streak=1)}
            | {A: Standing(agreed=1), B: Standing(silent=1), C: Standing(agreed=1)},
        ),
        (
            closed(UNDECIDED, {A: True}, silent=(B, C)),
            {AUTHOR: Standing(), B: Standing(silent=1), C: Standing(silent=1)},
        ),
        (closed(UNANSWERED, {}), {AUTHOR: Standing(debt=1)}),
        (closed(None, {A: True}), {}),
    ],
)
def test_a_case_is_written_into_all_records(case: Case, changed: dict[bytes, Standing]) -> None:
    assert settle(case, {}, CONFIG) == changed


def test_what_was_known_before_is_kept() -> None:
    before = {AUTHOR: Standing(accepted=7, passed=3), A: Standing(accepted=9, agreed=4), B: Standing(dissented=1)}
    after = settle(closed(PASSED, {A: True, B: True}), before, CONFIG)
    assert after[AUTHOR] == Standing(accepted=7, passed=4, streak=1)
    assert after[A] == Standing(accepted=9, agreed=5)
    assert after[B] == Standing(agreed=1, dissented=1)


def test_verifiers_are_ranked_by_what_speaks_against_them() -> None:
    standings = {
        b"ejected": Standing(accepted=99, ejected=True),
        b"suspect": Standing(accepted=99, suspicion=2, debt=1),
        b"outvoted": Standing(accepted=99, dissented=4),
        A: Standing(accepted=16),
        b"in debt": Standing(accepted=99, debt=1),
        b"new": Standing(accepted=15),
        B: Standing(accepted=99, dissented=1, agreed=9),
    }
    assert eligible(standings, CONFIG) == ((A, B), (b"new",), (b"outvoted", b"in debt"), (b"suspect",))
    assert eligible({}, CONFIG) == ((), (), (), ())


@given(st.lists(st.sampled_from([PASSED, UNANSWERED, REFUSED, UNDECIDED]), max_size=200))
def test_silence_and_passed_audits_never_eject(outcomes: list[Outcome]) -> None:
    held = audited(*outcomes)
    assert not held.ejected
    assert held.suspicion == 0
    assert sanction(audited(PASSED, standing=held), CONFIG) is Sanction.NONE, "one passed audit clears all silence"


@given(st.lists(st.sampled_from(list(Outcome)), max_size=200))
def test_a_record_is_always_sound(outcomes: list[Outcome]) -> None:
    held = audited(*outcomes)
    assert 0 <= held.suspicion < CONFIG.ejection_at + CONFIG.failure_weight
    assert held.ejected == (held.suspicion >= CONFIG.ejection_at)
    assert held.streak <= held.passed
    assert held.has_refused <= (held.refused > 0)


def test_who_fails_more_than_one_audit_in_33_is_ejected_however_it_is_spread() -> None:
    held = Standing()
    for number in range(33 * 200):
        held = was_audited(held, FAILED if number % 31 == 0 else PASSED, CONFIG)
    assert held.ejected
    held = Standing()
    for number in range(33 * 200):
        held = was_audited(held, FAILED if number % 34 == 0 else PASSED, CONFIG)
    assert not held.ejected
