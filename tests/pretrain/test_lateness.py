"""Who comes late, how long a round waits, and whom it does not wait for."""

from __future__ import annotations

from typing import Any

import pytest

from quiltwork.pretrain.entries import Committed
from quiltwork.pretrain.facts import Health, Phase
from quiltwork.pretrain.rounds import GIVEN_UP_AFTER, LATE_ROUNDS, MOST_HALVINGS
from tests.pretrain.telling import SECOND, A, B, C, D, E, Told, hash_of, joined, model, told

# --- lateness -------------------------------------------------------------------------------------------------------------


def test_a_late_commitment_is_not_accepted_but_tells_how_fast_its_author_is() -> None:
    run = told(A, B, C)
    late = run.commitment(A)
    run.wait(1)
    run.commit(B, C)
    run.wait(59)
    assert run.phase is Phase.ROUND_WITNESS
    assert run.member(A).speed.estimate == 0
    assert run.say(A, late) == "round 1 takes no more commitments; this one tells how fast the member is"
    assert run.member(A).speed.estimate == 2 * 10**6 // 60
    assert run.member(A).late == 1
    assert [commit.author for commit in run.round.commits] == [B, C]


def after_a_round_without_a(**changes: Any) -> tuple[Told, Committed]:
    run = told(A, B, C, **changes)
    late = run.commitment(A)
    run.wait(20)
    run.commit(B, C)
    run.wait(40)
    run.attest(A, B, C)
    assert run.state.last == 1
    return run, late


def test_a_commitment_may_be_late_by_rounds_and_the_next_share_is_smaller() -> None:
    run, late = after_a_round_without_a(global_batch_size_start=60, global_batch_size_end=60)
    assert "tells how fast" in run.say(A, late)
    run.play()
    assert len(run.round.assigned[A]) < len(run.round.assigned[B])


@pytest.mark.parametrize("units", [(), tuple(range(1_000_000)), (10**9,)], ids=["none", "many", "another"])
def test_who_is_late_with_what_it_was_not_given_tells_nothing(units: tuple[int, ...]) -> None:
    """Or a member would seem as fast as it likes, and be given all the work."""
    run, _ = after_a_round_without_a()
    offsets = list(run.state.train_offsets)
    late = Committed(1, units, hash_of("p"), 1, model(0), hash_of("s"))
    assert run.say(A, late) == "round 1 takes no more commitments"
    assert (run.member(A).speed.estimate, list(run.state.train_offsets)) == (0, offsets)


def test_a_round_is_come_late_for_once() -> None:
    """Or a member could fill the sample of arrivals, of which deadlines are made, by itself."""
    run, late = after_a_round_without_a()
    run.say(A, late)
    offsets = list(run.state.train_offsets)
    assert run.say(A, late) == "round 1 takes no more commitments of the member"
    assert list(run.state.train_offsets) == offsets


def test_who_has_committed_is_not_late_as_well() -> None:
    run = told(A, B, C)
    body = run.commitment(A)
    run.play()
    assert run.say(A, body) == "round 1 takes no more commitments of the member"


def test_after_many_rounds_lateness_says_nothing_any_more() -> None:
    run, late = after_a_round_without_a()
    for _ in range(LATE_ROUNDS + 1):
        run.commit(B, C)
        run.wait(60)
        run.attest(A, B, C)
    assert run.say(A, late) == "round 1 takes no more commitments of the member"


def test_a_member_that_is_always_late_is_not_dropped() -> None:
    run = told(A, B, C, D, witness_nodes=1, max_misses=2)
    for _ in range(6):
        late = run.commitment(A)
        run.commit(B, C, D)
        run.wait(60)
        assert "tells how fast" in run.say(A, late)
        run.attest(*(author for author in run.round.witnesses))
    assert run.member(A).health is Health.HEALTHY


# --- deadlines ------------------------------------------------------------------------------------------------------------


def usual(*authors: bytes, rounds: int = 4, **changes: Any) -> Told:
    """Rounds that take ten seconds for everybody."""
    run = told(*authors, **changes)
    for _ in range(rounds):
        run.wait(10)
        run.commit(*run.round.assigned)
        run.attest(*run.round.witnesses)
        run.hash(*authors)
    return run


def test_once_arrivals_are_known_a_round_waits_no_longer_than_they_say() -> None:
    run = usual(A, B, C, deadline_mads=8)
    assert run.round.waits == 20 * SECOND
    run.wait(10)
    run.commit(A, B)
    run.wait(9.9)
    assert run.phase is Phase.ROUND_TRAIN
    run.wait(0.1)
    assert run.phase is Phase.ROUND_WITNESS


def test_a_deadline_does_not_end_a_round_of_which_half_is_missing() -> None:
    run = usual(A, B, C, deadline_mads=8)
    run.wait(10)
    run.commit(A)
    run.wait(49.9)
    assert run.phase is Phase.ROUND_TRAIN
    run.wait(0.1)
    assert run.phase is Phase.ROUND_WITNESS


def test_attestations_that_are_late_are_not_waited_for_where_enough_hold_everything() -> None:
    run = told(A, B, C, D)
    for _ in range(3):
        run.train()
        run.wait(4)
        run.attest(A, B, C, D)
        run.hash(A, B, C, D)
    run.train()
    assert run.round.waits == 4 * SECOND + 6 * SECOND // 2
    run.attest(A, B)
    run.wait(6.9)
    assert run.phase is Phase.ROUND_WITNESS
    run.wait(0.1)
    assert run.state.last == 4


# --- work that is kept from the others --------------------------------------------------------------------------------------


def withheld(run: Told, seconds: float) -> None:
    """A round in which nobody gets the payload of A, which is the first."""
    run.train(A, *(author for author in run.round.assigned if author != A))
    run.attest(B, C, D, held=[1, 2, 3])
    run.attest(A)
    run.wait(seconds)
    run.hash(A, B, C, D)


def test_who_keeps_its_work_to_itself_for_some_rounds_is_not_waited_for() -> None:
    run = told(A, B, C, D, **PLENTY)
    for lost in range(1, GIVEN_UP_AFTER + 1):
        withheld(run, 0)
        assert run.member(A).lost == lost
    assert run.closed.accepted == (1, 2, 3)
    for _ in range(2):
        withheld(run, 0)
    run.train(A, B, C, D)
    run.attest(B, C, D, held=[1, 2, 3])
    assert run.phase is Phase.ROUND_WITNESS
    run.wait(run.round.waits / SECOND)
    assert run.state.last == 5, "what is waited for is accepted, and the time is over"


def test_who_gives_its_work_again_is_waited_for_again() -> None:
    run = told(A, B, C, D)
    for _ in range(GIVEN_UP_AFTER):
        withheld(run, 0)
    run.play()
    assert run.member(A).lost == 0


def reached(run: Told, *whether: bool) -> None:
    """Rounds in which the payload of A is there in time, or not."""
    for is_there in whether:
        if is_there:
            run.play()
        else:
            withheld(run, 0)


NO, YES = False, True

PLENTY = {"global_batch_size_start": 280, "global_batch_size_end": 280}
"""There is something for everybody, however little of it."""


@pytest.mark.parametrize(
    ("whether", "halvings"),
    [
        ((), 0),
        ((YES,), 0),
        ((NO,), 1),
        ((NO, NO), 2),
        ((NO, NO, NO, NO, NO, NO), MOST_HALVINGS),
        ((NO, YES), 0),
        ((NO, NO, YES), 1),
        ((NO, YES, NO, YES, NO), 1),
        ((NO, NO, YES, YES, YES), 0),
    ],
)
def test_the_share_of_who_is_there_too_late_is_halved_each_time_and_doubled_when_it_is_in_time(
    whether: tuple[bool, ...], halvings: int
) -> None:
    run = told(A, B, C, D, **PLENTY)
    reached(run, *whether)
    assert run.member(A).halvings == halvings
    assert run.member(B).halvings == 0


def test_who_is_there_too_late_is_given_less_than_others_who_train_as_fast() -> None:
    run = told(A, B, C, D, **PLENTY)
    reached(run, NO)
    assert len({run.member(author).speed.estimate for author in (A, B, C, D)}) == 1
    assert [len(run.round.assigned[author]) for author in (A, B, C, D)] == [20, 40, 40, 40]


def test_who_is_given_nothing_because_it_was_late_is_tried_again() -> None:
    run = told(A, B, C, D)
    tried = []
    for _ in range(24):
        tried.append(A in run.round.assigned)
        reached(run, not tried[-1])
    assert not all(tried)
    assert True in tried[tried.index(False) :]


def test_who_was_late_by_itself_is_not_thought_slower_than_it_is() -> None:
    """Its speed is what a verifier is chosen by, and that is a matter of training alone."""
    run = told(A, B, C, D)
    before = run.member(A).speed.estimate
    reached(run, NO)
    assert run.member(A).speed.estimate >= before


def test_a_round_in_which_nothing_was_accepted_is_nobody_s_fault() -> None:
    run = told(A, B, C, D, round_witness_time=10)
    run.train()
    run.wait(10)
    assert {run.member(author).lost for author in (A, B, C, D)} == {0}


def test_a_newcomer_in_the_middle_of_a_round_changes_nothing_of_it() -> None:
    run = told(A, B, C, D)
    run.train()
    before = str(run.round)
    run.fits(E, joined(E))
    run.ready(E)
    assert str(run.round) == before
