"""Which model is the right one: what more than half say, and what becomes of who says otherwise."""

from __future__ import annotations

import pytest

from quiltwork.pretrain.entries import Hashed, Left, Ready
from quiltwork.pretrain.facts import Health
from tests.pretrain.telling import A, B, C, D, E, Told, hash_of, model, told

WRONG = hash_of("a wrong model")


def after_a_round(*authors: bytes, **changes: int) -> Told:
    """A round is over, and nobody has said yet what its model is."""
    run = told(*authors, **changes)
    run.train()
    run.attest(*authors)
    assert run.state.last == 1
    return run


def test_more_than_half_of_those_who_were_healthy_agree_on_a_model() -> None:
    run = after_a_round(A, B, C, D)
    assert run.state.model(1) is None
    run.hash(A, B)
    assert run.state.model(1) is None
    run.hash(C)
    assert run.state.model(1) == model(1)


def test_who_joined_since_has_no_vote() -> None:
    run = after_a_round(A, B, C)
    run.join(D, E)
    run.fits(D, Ready(1, WRONG))
    run.fits(E, Ready(1, WRONG))
    run.hash(A)
    assert run.state.model(1) is None
    run.hash(B)
    assert run.state.model(1) == model(1)


def test_who_has_gone_does_not_count() -> None:
    run = after_a_round(A, B, C, D)
    run.fits(C, Left())
    run.fits(D, Left())
    run.hash(A)
    assert run.state.model(1) is None
    run.hash(B)
    assert run.state.model(1) == model(1)


def test_a_vote_may_be_changed_as_long_as_nothing_is_agreed_on() -> None:
    run = after_a_round(A, B, C)
    run.fits(A, Hashed(1, WRONG))
    run.hash(A, B)
    assert run.state.model(1) == model(1)
    assert run.member(A).diverged == 0


def test_a_commitment_is_a_vote_for_the_model_that_it_begins_with() -> None:
    run = after_a_round(A, B, C)
    run.commit(A)
    assert run.state.model(1) is None
    run.commit(B)
    assert run.state.model(1) == model(1)


@pytest.mark.parametrize("said_before", [True, False], ids=["before the others", "after the others"])
def test_who_says_otherwise_has_to_load_the_model_again(said_before: bool) -> None:
    run = after_a_round(A, B, C)
    if said_before:
        run.fits(C, Hashed(1, WRONG))
        run.hash(A, B)
    else:
        run.hash(A, B)
        assert run.say(C, Hashed(1, WRONG)).startswith("its model 1 is ")
    assert (run.member(C).health, run.member(C).diverged) == (Health.JOINING, 1)
    run.ready(C)
    assert run.member(C).health is Health.HEALTHY
    assert run.member(C).own, "its optimizer's state is still its own"


def test_who_has_lost_its_way_is_not_waited_for() -> None:
    run = after_a_round(A, B, C)
    run.hash(A, B)
    run.commit(A, B)
    assert run.say(C, run.commitment(C, model=WRONG)).startswith("its model 1 is ")
    assert run.state.phase == "RoundWitness"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (Hashed(1, b"short"), "the hash of its model has 5 bytes, not 32"),
        (Hashed(7, WRONG), "nobody is asked for model 7 now"),
        (Hashed(-1, WRONG), "nobody is asked for model -1 now"),
    ],
)
def test_a_hash_that_nobody_asked_for_does_not_count(body: Hashed, why: str) -> None:
    run = after_a_round(A, B, C)
    assert run.say(A, body) == why
    assert run.member(A).health is Health.HEALTHY


def test_who_is_not_healthy_has_no_vote() -> None:
    run = after_a_round(A, B, C)
    run.join(A)
    assert run.say(A, Hashed(1, model(1))) == "the member is joining"


def test_the_log_remembers_who_has_said_what_its_model_is() -> None:
    run = after_a_round(A, B, C)
    assert run.member(A).hashed == 0, "it was ready with model 0"
    run.hash(A, B)
    assert run.member(A).hashed == 1
    run.fits(C, Hashed(1, model(1)))
    assert run.member(C).hashed == 1, "it is late, and its word is kept all the same"


def divided(**changes: int) -> Told:
    """Two say one thing, two another."""
    run = after_a_round(A, B, C, D, **changes)
    for author in (A, B):
        run.fits(author, Hashed(1, WRONG))
    run.hash(C, D)
    return run


def test_where_no_more_than_half_agree_nothing_is_accepted() -> None:
    run = divided(max_misses=3)
    run.wait(60)
    assert (run.state.last, run.closed.accepted) == (2, ())
    assert run.state.model(1) is None


def test_what_a_minority_says_in_time_is_not_taken_for_what_all_say() -> None:
    """A liar that is the only one to speak must not lead the run astray while the others are busy."""
    run = after_a_round(A, B, C, D, max_misses=3)
    run.fits(A, Hashed(1, WRONG))
    run.wait(60)
    assert run.state.last == 2
    assert run.state.model(1) is None
    run.fits(B, Hashed(1, model(1)))
    run.fits(C, Hashed(1, model(1)))
    assert run.state.model(1) is None
    run.fits(D, Hashed(1, model(1)))
    assert run.state.model(1) == model(1)
    assert run.member(A).health is Health.JOINING


def test_a_run_that_cannot_go_on_otherwise_takes_what_most_say_the_earliest_of_equals() -> None:
    run = divided(max_misses=2)
    for barren in (1, 2, 0):
        for author in run.round.assigned:
            run.commit(author, model=WRONG if author in (A, B) else model(run.round.base))
        run.attest(A, B, C, D)
        assert run.state.barren == barren
        for author in (A, B, C, D):
            run.say(author, Hashed(run.state.last, WRONG if author in (A, B) else model(run.state.last)))
    assert (run.state.model(1), run.state.model(2), run.state.model(3)) == (None, None, WRONG)
    assert {run.member(author).health for author in (C, D)} == {Health.JOINING}


def test_a_majority_is_found_when_those_who_are_silent_are_dropped() -> None:
    run = after_a_round(A, B, C, D, max_misses=1, max_round_train_time=60, round_witness_time=10)
    run.hash(A, B)
    run.commit(A)
    run.commit(B)
    run.wait(60)
    run.attest(A, B)
    run.wait(10)
    assert {run.member(author).health for author in (C, D)} == {Health.DROPPED}
    assert run.state.model(1) is None, "when the round was closed they were still asked"
    run.hash(A)
    run.hash(B)
    assert run.state.model(2) == model(2)


def test_votes_are_kept_when_the_run_waits_for_members() -> None:
    run = told(A, B, C, D, total_steps=9, epoch_time=61)
    run.wait(58)
    run.play()
    run.wait(2)
    run.train()
    run.attest(A, B, C, D)
    assert run.phase == "Cooldown"
    run.hash(A, B)
    run.wait(30)
    assert run.phase == "RoundTrain"
    run.hash(C)
    assert run.state.model(2) == model(2)
