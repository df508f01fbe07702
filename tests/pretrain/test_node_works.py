"""A node does its share: it trains from the right model, commits, attests in time, keeps checkpoints, and forgets the rest."""

from __future__ import annotations

from typing import Any

import pytest

from quiltwork.pretrain.bitmap import Bitmap
from quiltwork.pretrain.duties import ATTEST_AT, FORGET_EVERY
from quiltwork.pretrain.effects import Apply, Effect, Fetch, Forget, Keep, Load, Loaded, Say, Train
from quiltwork.pretrain.entries import Attested, Checkpointed, Committed, Responded
from quiltwork.pretrain.facts import Phase
from quiltwork.pretrain.rounds import GIVEN_UP_AFTER
from tests.pretrain.seat import OTHERS, Seat, others_attest, others_train, seated, without_d
from tests.pretrain.telling import SECOND, A, B, C, D, Told, hash_of, model, onion


def said(seat: Seat, sort: type) -> list[Any]:
    return [body for body in seat.said() if isinstance(body, sort)]


def play(run: Told, seat: Seat, rounds: int = 1, *leave: type[Effect]) -> None:
    """Rounds in which all do what they should, but that D leaves something undone."""
    for _ in range(rounds):
        others_train(run)
        seat.lives(*leave)
        others_attest(run)
        seat.lives(*leave)
        run.hash(*OTHERS)


# --- training -----------------------------------------------------------------------------------------------------------


def test_a_node_trains_what_it_was_given_from_the_model_of_the_last_round() -> None:
    run, seat = seated()
    (train,) = seat.wants(Train)
    assert train == Train(1, 1, 0, b"", run.round.assigned[D])
    seat.does(train)
    play(run, seat)
    train = [effect for effect in seat.begun if isinstance(effect, Train)][-1]
    assert train == Train(2, 2, 1, hash_of("state, round 1 of 04"), run.round.assigned[D])


def test_with_overlap_it_trains_from_the_model_before_that() -> None:
    run, seat = seated(overlap=1)
    play(run, seat, 4)
    trained = {effect.round: effect.base for effect in seat.begun if isinstance(effect, Train)}
    assert [trained[number] for number in (1, 2, 3, 4)] == [0, 0, 1, 2]


def test_a_node_does_not_train_from_a_model_that_it_has_not() -> None:
    run, seat = seated(max_misses=9)
    without_d(run)
    seat.lives(Apply)
    assert seat.wants(Train) == []
    assert not any(isinstance(effect, Train) and effect.round == 2 for effect in seat.begun)
    (apply,) = [effect for effect in seat.begun if isinstance(effect, Apply)]
    seat.does(apply)
    (train,) = seat.wants(Train)
    assert (train.round, train.base) == (2, 1)


def test_with_overlap_it_trains_ahead_while_witnesses_are_busy_and_commits_to_that() -> None:
    run, seat = seated(overlap=1)
    others_train(run)
    seat.lives(Fetch)
    assert run.phase is Phase.ROUND_WITNESS
    assert run.state.ahead is not None
    ahead = [effect for effect in seat.begun if isinstance(effect, Train)][-1]
    assert ahead == Train(2, 2, 0, run.member(D).own, run.state.ahead.assigned[D])
    others_attest(run)
    run.wait(run.round.longest / SECOND)
    assert run.state.last == 1
    seat.lives(Fetch, Train)
    assert [body.round for body in said(seat, Committed)] == [1, 2]
    assert sum(isinstance(effect, Train) and effect.round == 2 for effect in seat.begun) == 1


def test_what_was_trained_ahead_in_vain_hope_is_trained_again() -> None:
    """The step is that of a round after one in which something was accepted, and nothing was."""
    run, seat = seated(overlap=1, max_misses=9)
    others_train(run)
    seat.lives(Fetch)
    run.wait(run.round.longest / SECOND)
    assert run.closed.accepted == ()
    (again,) = seat.wants(Train)
    assert (again.round, again.step) == (2, 1)


def test_a_node_commits_once_to_what_it_trained() -> None:
    run, seat = seated()
    seat.lives()
    run.wait(10)
    seat.lives()
    (body,) = said(seat, Committed)
    assert body == Committed(
        1,
        run.round.assigned[D],
        hash_of("payload, round 1 of 04"),
        1_000,
        model(0),
        hash_of("state, round 1 of 04"),
        1.0,
    )
    assert run.member(D).own == body.own


def test_a_node_that_is_not_healthy_trains_nothing() -> None:
    run, seat = seated()
    run.join(D)
    assert seat.wants(Train) == []


def test_a_node_that_is_late_says_so_once() -> None:
    run, seat = seated(max_misses=9)
    (train,) = seat.wants(Train)
    without_d(run)
    seat.does(train)
    seat.lives(Train)
    run.wait(10)
    seat.lives(Train)
    (late,) = said(seat, Committed)
    assert (late.round, late.units) == (1, train.units)
    assert run.member(D).late == 1
    assert run.member(D).speed.estimate > 0


# --- attesting ------------------------------------------------------------------------------------------------------------


def witnessing(**changes: Any) -> tuple[Told, Seat]:
    """All have committed; D has nothing of it yet."""
    run, seat = seated(**changes)
    others_train(run)
    seat.lives(Fetch)
    assert run.phase is Phase.ROUND_WITNESS
    return run, seat


def fetches(seat: Seat) -> list[Fetch]:
    return [effect for effect in seat.begun if isinstance(effect, Fetch)]


def test_a_witness_attests_when_it_has_everything() -> None:
    run, seat = witnessing()
    for fetch in fetches(seat):
        assert seat.wants(Say) == []
        seat.does(fetch)
    (say,) = seat.wants(Say)
    assert say.body == Attested(1, Bitmap.of(4, range(4)).to_bytes(), onion(D).reveal(1))
    seat.does(say)
    assert run.member(D).revealed == 1


def test_the_next_attestation_opens_the_next_secret() -> None:
    run, seat = seated()
    play(run, seat, 3)
    assert [body.reveal for body in said(seat, Attested)] == [onion(D).reveal(number) for number in (1, 2, 3)]


def test_a_witness_does_not_hold_what_is_malformed() -> None:
    run, seat = witnessing()
    for number, fetch in enumerate(fetches(seat)):
        seat.does(fetch, "" if number else "it is no update")
    (say,) = seat.wants(Say)
    numbers = [
        number for number, commit in enumerate(run.round.commits) if commit.body.payload == fetches(seat)[0].blob
    ]
    assert isinstance(say.body, Attested)
    assert list(Bitmap.from_bytes(4, say.body.held)) == [number for number in range(4) if number not in numbers]


def test_a_witness_that_waits_in_vain_attests_to_what_it_has_while_there_is_time() -> None:
    run, seat = witnessing(round_witness_time=10)
    seat.does(fetches(seat)[0])
    run.wait(10 * ATTEST_AT - 0.1)
    assert seat.wants(Say) == []
    run.wait(0.1)
    (say,) = seat.wants(Say)
    assert isinstance(say.body, Attested)
    assert len(Bitmap.from_bytes(4, say.body.held)) == 2, "one that it fetched, and its own"


def test_a_witness_does_not_wait_for_who_kept_its_work_to_itself() -> None:
    run, seat = witnessing()
    run.member(A).lost = seat.node.state.members[A].lost = GIVEN_UP_AFTER
    for fetch in fetches(seat):
        if fetch.holders != (A,):
            seat.does(fetch)
    (say,) = seat.wants(Say)
    assert isinstance(say.body, Attested)
    assert len(Bitmap.from_bytes(4, say.body.held)) == 3


def test_who_is_no_witness_does_not_attest_but_fetches_all_the_same() -> None:
    run, seat = seated(witness_nodes=1, min_clients=1)
    while run.round.witnesses == (D,):
        play(run, seat)
    before = len(said(seat, Attested))
    others_train(run)
    seat.lives(Train)
    assert len(said(seat, Attested)) == before
    assert {commit.body.payload for commit in run.round.commits} <= seat.node.mine.blobs


# --- keeping ------------------------------------------------------------------------------------------------------------


def keeping() -> tuple[Told, Seat, Keep]:
    """A run in which D is asked for a checkpoint, and has not begun with it."""
    run, seat = seated(checkpoint_rounds=4, audit={"case_rounds": 30})
    while True:
        play(run, seat, 1, Keep)
        seat.lives(Keep)
        for effect in seat.begun:
            if isinstance(effect, Keep):
                return run, seat, effect
        for keeper in run.state.keepers:
            run.fits(keeper, run.checkpoint(keeper))


def test_who_is_asked_keeps_the_newest_model_that_was_agreed_on() -> None:
    run, seat, keep = keeping()
    number = keep.round
    assert run.state.model(number) == model(number)
    seat.does(keep)
    (say,) = [each for each in seat.wants(Say) if isinstance(each.body, Checkpointed)]
    assert say.body == Checkpointed(number, model(number), hash_of(f"manifest {number}"), 100, 10_000)
    seat.does(say)
    assert (D, say.body) in run.state.checkpoints


def test_what_is_kept_is_said_once_and_not_kept_again() -> None:
    run, seat, keep = keeping()
    seat.does(keep)
    seat.lives()
    run.wait(30)
    seat.lives(Train)
    assert len(said(seat, Checkpointed)) == 1
    assert sum(isinstance(effect, Keep) for effect in seat.begun) == 1


def test_a_checkpoint_that_takes_longer_than_a_round_is_not_made_in_vain() -> None:
    run, seat, keep = keeping()
    play(run, seat, 2, Keep)
    assert run.state.last >= keep.round + 2
    assert sum(isinstance(effect, Keep) for effect in seat.begun) == 1, "one at a time"
    seat.does(keep)
    seat.lives()
    assert [body.round for body in said(seat, Checkpointed)] == [keep.round]


def test_who_is_not_asked_keeps_nothing() -> None:
    run, seat = seated(checkpoint_rounds=50)
    play(run, seat, 5)
    assert not any(isinstance(effect, Keep) for effect in seat.begun)


# --- forgetting -----------------------------------------------------------------------------------------------------------


def test_models_and_payloads_that_nobody_needs_are_let_go_of() -> None:
    run, seat = seated(checkpoint_rounds=20)
    play(run, seat, 20)
    for keeper in run.state.keepers:
        if keeper != D:
            run.fits(keeper, run.checkpoint(keeper))
    play(run, seat, 2)
    forget = [effect for effect in seat.begun if isinstance(effect, Forget)][-1]
    assert forget.rounds == min(run.state.closed) - 1
    assert min(seat.node.mine.models) >= run.state.last - run.state.config.window - FORGET_EVERY
    needed = {commit.body.payload for closed in run.state.closed.values() for commit in closed.commits}
    needed |= {result.payload for _, result in seat.node.mine.trained.values()}
    assert seat.node.mine.blobs == needed
    assert set(forget.manifests) & {body.manifest for _, body in run.state.checkpoints}


def test_states_are_kept_as_long_as_an_audit_may_ask_for_them() -> None:
    run, seat = seated(checkpoint_rounds=20)
    play(run, seat, 22)
    states = seat.node.mine.states
    oldest = run.state.last - run.state.config.window
    mine = [commit for closed in run.state.closed.values() for commit in closed.commits if commit.author == D]
    assert {commit.body.own for commit in mine if commit.body.round >= oldest} <= states
    assert len(states) <= run.state.config.window + 2 * FORGET_EVERY
    assert run.member(D).own in states


def test_who_is_far_behind_keeps_the_model_that_it_stands_on() -> None:
    """It has to apply all rounds since, and would have nothing to apply them to."""
    run, seat = seated(max_misses=100, checkpoint_rounds=99)
    without_d(run, run.state.config.window + FORGET_EVERY + 3)
    seat.lives(Train, Fetch)
    assert not any(isinstance(effect, Forget) for effect in seat.begun)
    assert seat.node.mine.models == {0: model(0)}
    for fetch in fetches(seat):
        seat.does(fetch)
    seat.lives(Train)
    assert seat.node.mine.loaded == Loaded(run.state.last, model(run.state.last))


def test_nothing_is_forgotten_while_a_model_is_loaded() -> None:
    run, _ = seated(max_misses=100, checkpoint_rounds=99)
    without_d(run, run.state.config.window + FORGET_EVERY + 3)
    reborn = Seat(run, D)
    reborn.lives(Load)
    assert not any(isinstance(effect, Forget) for effect in reborn.begun)


@pytest.mark.parametrize("overlap", [0, 1])
def test_a_long_run_leaves_nothing_behind(overlap: int) -> None:
    run, seat = seated(overlap=overlap, checkpoint_rounds=5, verification_percent=100)
    for _ in range(60):
        play(run, seat)
        for keeper in run.state.keepers:
            if keeper != D:
                run.say(keeper, run.checkpoint(keeper))
        for number, author in list(run.state.cases):
            run.say(author, Responded(number, hash_of(f"disclosure of {author.hex()}, {number}"), 10))
    mine = seat.node.mine
    window = run.state.config.window + 3 * FORGET_EVERY
    assert run.state.last >= 60
    for table in (mine.models, mine.trained, mine.kept, mine.disclosed, mine.states):
        assert len(table) <= window
    assert len(mine.blobs) <= 8 * window
    assert len(mine.findings) <= 8 * window
    for marks in (seat.node._not_before, seat.node._pauses, mine.failures):
        assert len(marks) <= 12 * window


def test_those_who_have_it_are_named_as_they_joined() -> None:
    run, seat = seated(max_misses=9)
    without_d(run)
    assert {fetch.holders for fetch in seat.wants(Fetch)} == {(A, B, C), (B, A, C), (C, A, B)}
