"""A node that is audited discloses; a node that is asked verifies, in time, and only what it can."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from quiltwork.pretrain.duties import FETCH_TRIES
from quiltwork.pretrain.effects import Audit, Disclose, Fetch, Finding, Forget, Say, Train
from quiltwork.pretrain.entries import Committed, Judged, Responded, Undisclosed
from tests.pretrain.seat import OTHERS, Seat, others_attest, others_train, seated
from tests.pretrain.telling import SECOND, D, Told, hash_of


def audited(rounds: int = 1, **changes: Any) -> tuple[Told, Seat]:
    """Rounds of which every commitment is audited, and nobody has disclosed anything yet."""
    run, seat = seated(**{"verification_percent": 100, "audit": {"verifier_after": 0}, **changes})
    for _ in range(rounds):
        others_train(run)
        seat.lives(Disclose)
        others_attest(run)
        seat.lives(Disclose)
        run.hash(*OTHERS)
    seat.look()
    return run, seat


def said(seat: Seat, sort: type) -> list[Any]:
    return [body for body in seat.said() if isinstance(body, sort)]


# --- the audited ----------------------------------------------------------------------------------------------------------


def test_who_is_audited_discloses_the_states_before_and_after_once() -> None:
    run, seat = audited(2)
    disclose = {effect.round: effect for effect in seat.begun if isinstance(effect, Disclose)}
    assert disclose[1] == Disclose(1, b"", hash_of("state, round 1 of 04"))
    assert disclose[2] == Disclose(2, hash_of("state, round 1 of 04"), hash_of("state, round 2 of 04"))
    seat.does(disclose[1])
    (say,) = seat.wants(Say)
    assert say.body == Responded(1, hash_of(f"disclosure of {D.hex()} in 1"), 10_000)
    seat.does(say)
    run.wait(30)
    seat.lives(Train)
    assert sum(isinstance(body, Responded) and body.round == 1 for body in seat.said()) == 1


def test_what_was_disclosed_is_held_for_the_verifiers_whatever_else_is_forgotten() -> None:
    run, seat = audited(2, checkpoint_rounds=2)
    for effect in [effect for effect in seat.begun if isinstance(effect, Disclose)]:
        seat.does(effect)
    disclosed = {hash_of(f"disclosure of {D.hex()} in {number}") for number in (1, 2)}
    forget = Forget(rounds=0, models=0, states=frozenset({run.member(D).own}), manifests=())
    seat.node.done(forget)
    assert disclosed <= seat.node.mine.blobs, "though the log has not heard of them yet"
    seat.node.done(replace(forget, models=2))
    assert seat.node.mine.blobs & disclosed == {hash_of(f"disclosure of {D.hex()} in 2")}


def test_who_is_not_audited_discloses_nothing() -> None:
    _, seat = audited(2, verification_percent=0)
    assert not any(isinstance(effect, Disclose) for effect in seat.begun)


# --- the verifier ---------------------------------------------------------------------------------------------------------


def asked(**changes: Any) -> tuple[Told, Seat, bytes]:
    """D is asked to verify what another did in round 1, who has disclosed it."""
    run, seat = audited(**changes)
    suspect = next(author for (_, author), case in run.state.cases.items() if author != D and D in case.panel[:2])
    run.fits(suspect, Responded(1, hash_of("its states"), 5_000))
    return run, seat, suspect


def verdicts(seat: Seat) -> list[object]:
    return [body for body in seat.said() if isinstance(body, Judged | Undisclosed)]


def test_a_verifier_fetches_what_was_disclosed_computes_again_and_judges_once() -> None:
    run, seat, suspect = asked()
    (fetch,) = seat.wants(Fetch)
    assert fetch == Fetch(hash_of("its states"), 5_000, (suspect,), "disclosure")
    seat.does(fetch)
    (audit,) = seat.wants(Audit)
    commit = next(commit for commit in run.state.closed[1].commits if commit.author == suspect)
    assert audit == Audit(suspect, 1, 0, commit.body, b"", hash_of("its states"))
    seat.does(audit, Finding(True, 0.99, "the same"))
    (say,) = seat.wants(Say)
    assert say.body == Judged(1, suspect, True, 0.99, "the same")
    seat.does(say)
    run.wait(30)
    seat.lives(Train)
    assert len(verdicts(seat)) == 1


def test_what_was_disclosed_malformed_is_not_computed_again() -> None:
    _, seat, suspect = asked()
    (fetch,) = seat.wants(Fetch)
    seat.does(fetch, "these are no states")
    (say,) = seat.wants(Say)
    assert say.body == Judged(1, suspect, False, 0.0, "what was disclosed is malformed: these are no states")


def test_what_cannot_be_had_is_waited_for_until_the_verdict_is_due() -> None:
    run, seat, suspect = asked(max_misses=99)
    (fetch,) = seat.wants(Fetch)
    for _ in range(FETCH_TRIES + 2):
        seat.node.failed(fetch, "nobody has it")
        run.wait(9)
        (fetch,) = seat.wants(Fetch)
    assert verdicts(seat) == []
    due = run.state.cases[1, suspect].due
    while run.state.last < due:
        run.wait(run.round.longest / SECOND)
    seat.lives(Train, Fetch)
    assert verdicts(seat) == [Undisclosed(1, suspect)]
    assert D in run.state.cases[1, suspect].excused


def test_what_comes_late_is_judged_all_the_same() -> None:
    run, seat, suspect = asked(max_misses=99)
    (fetch,) = seat.wants(Fetch)
    for _ in range(FETCH_TRIES):
        seat.node.failed(fetch, "nobody has it")
        run.wait(9)
        (fetch,) = seat.wants(Fetch)
    seat.does(fetch)
    while run.state.last < run.state.cases[1, suspect].due:
        run.wait(run.round.longest / SECOND)
    seat.lives(Train)
    assert verdicts(seat) == [Judged(1, suspect, True, 1.0, "alike")]


def test_who_has_not_the_model_any_more_does_not_guess() -> None:
    run, seat, _ = asked()
    (fetch,) = seat.wants(Fetch)
    del seat.node.mine.models[0]
    seat.does(fetch)
    seat.lives(Train)
    run.wait(9)
    seat.lives(Train)
    assert not any(isinstance(effect, Audit) for effect in seat.begun)
    assert verdicts(seat) == []


def test_who_is_not_asked_verifies_nothing() -> None:
    run, seat = audited()
    suspect = next((a for (_, a), case in run.state.cases.items() if a != D and D not in case.panel[:2]), None)
    assert suspect is not None
    run.fits(suspect, Responded(1, hash_of("its states"), 5_000))
    assert seat.wants(Fetch) == []


def test_the_work_of_who_is_audited_goes_on() -> None:
    run, seat = audited(3)
    assert len(said(seat, Committed)) >= 3
    assert run.state.step == 3
