"""A node has the model of the last round: it joins, loads, fetches, applies, says its hash, and loads again where it must."""

from __future__ import annotations

import pytest

from quiltwork.pretrain.duties import FETCH_TRIES, RELOAD_BEYOND, Holdings
from quiltwork.pretrain.effects import Applied, Apply, Fetch, Load, Loaded, Say, Train
from quiltwork.pretrain.entries import Hashed, Joined, Left, Ready, Rewound
from quiltwork.pretrain.facts import Health, Phase
from quiltwork.pretrain.node import REPEAT_NS, Node
from tests.pretrain.seat import OTHERS, Seat, others_attest, others_train, seated, without_d
from tests.pretrain.telling import OWNER, SECOND, A, B, C, D, Told, hash_of, joined, model, onion, told

# --- joining ------------------------------------------------------------------------------------------------------------


def test_a_node_does_nothing_before_the_run_begins() -> None:
    assert Node(D, Holdings(joined(D), onion(D))).effects() == []


def test_a_node_joins_at_once() -> None:
    seat = Seat(Told(), D)
    (say,) = seat.wants(Say)
    assert say.body == joined(D)


def test_a_node_does_not_join_twice_while_it_waits_for_the_log() -> None:
    run = Told()
    seat = Seat(run, D)
    (say,) = seat.wants(Say)
    run.wait(100)
    assert seat.look() == [], "it is on its way"
    seat.node.done(say)  # the log has it, but it cannot be seen yet
    run.wait(REPEAT_NS / SECOND - 0.1)
    assert seat.look() == []
    run.wait(0.1)
    assert seat.look() == [say], "something went wrong with it"


def test_a_node_is_ready_with_model_0_where_there_is_no_checkpoint() -> None:
    run = Told(init_min_clients=2)
    seat = Seat(run, D)
    assert [type(effect) for effect in seat.lives()] == [Say, Load, Say]
    assert seat.said() == [joined(D), Ready(0, model(0))]
    assert run.member(D).health is Health.HEALTHY


def test_a_node_waits_for_a_run_to_begin_and_says_nothing_more() -> None:
    run = Told(init_min_clients=2)
    seat = Seat(run, D)
    seat.lives()
    for _ in range(20):
        run.wait(1)
        assert seat.look() == []


def test_a_node_that_was_dropped_joins_again_with_the_state_that_it_has() -> None:
    run, seat = seated(max_misses=1)
    seat.lives()
    own = run.member(D).own
    assert own
    others_train(run)
    others_attest(run)
    run.wait(run.round.longest / SECOND)
    assert run.member(D).health is Health.DROPPED
    (say,) = seat.wants(Say)
    assert say.body == joined(D, own=own)
    seat.does(say)
    assert (run.member(D).health, run.member(D).own) == (Health.JOINING, own)


def test_a_node_that_lost_its_optimizer_s_state_joins_again_without_it() -> None:
    run, seat = seated()
    seat.lives()
    reborn = Seat(run, D)
    (say,) = reborn.wants(Say)
    assert say.body == joined(D)
    reborn.does(say)
    assert run.member(D).own == b""


def test_a_node_that_has_its_state_still_just_goes_on() -> None:
    run, seat = seated()
    seat.lives()
    reborn = Seat(run, D, states={run.member(D).own})
    assert [type(effect) for effect in reborn.look()] == [Load]


def test_a_node_that_lost_its_chain_of_secrets_joins_again_with_another() -> None:
    run, seat = seated()
    seat.lives()
    reborn = Seat(run, D, life=1, states={run.member(D).own})
    (say,) = reborn.wants(Say)
    assert say.body == joined(D, beacon=onion(D, 1).anchor, own=run.member(D).own)


def test_a_node_that_can_be_found_elsewhere_now_says_so() -> None:
    run, seat = seated()
    seat.lives()
    own = run.member(D).own
    moved = Seat(run, D, states={own})
    moved.node.mine.joining = joined(D, addresses=("tcp://elsewhere:1",))
    (say,) = moved.wants(Say)
    assert say.body == joined(D, addresses=("tcp://elsewhere:1",), own=own)
    moved.does(say)
    assert run.member(D).own == own
    assert [type(effect) for effect in moved.look()] == [Load]


def test_who_was_ejected_does_nothing() -> None:
    run, seat = seated()
    run.member(D).health = Health.EJECTED
    seat.look()
    seat.node.state.members[D].health = Health.EJECTED
    seat.node.state.news += 1
    assert seat.look() == []


def test_nobody_joins_a_run_that_is_over() -> None:
    run = told(*OTHERS, total_steps=1)
    run.play()
    run.wait(30)
    assert run.phase is Phase.FINISHED
    assert Seat(run, D).look() == []


# --- loading ------------------------------------------------------------------------------------------------------------


def with_a_checkpoint(rounds: int = 3) -> Told:
    """A run of A, B and C that is so many rounds old, with a checkpoint of round 3."""
    run = told(*OTHERS, checkpoint_rounds=3)
    run.play(3)
    for keeper in run.state.keepers:
        run.fits(keeper, run.checkpoint(keeper))
    run.play(rounds - 3)
    return run


def test_a_newcomer_loads_the_newest_checkpoint_from_its_keeper_or_from_others() -> None:
    run = with_a_checkpoint()
    seat = Seat(run, D)
    seat.does(*seat.wants(Say))
    (load,) = seat.wants(Load)
    keeper, body = run.state.checkpoints[-1]
    assert load.checkpoint == body
    assert load.holders[0] == keeper
    assert set(load.holders) == set(OTHERS)


def test_a_newcomer_replays_what_came_after_the_checkpoint_and_is_ready() -> None:
    run = with_a_checkpoint(rounds=5)
    seat = Seat(run, D)
    done = seat.lives()
    assert [effect.closed.number for effect in done if isinstance(effect, Apply)] == [4, 5]
    assert sum(isinstance(effect, Fetch) for effect in done) == 6
    assert seat.said() == [joined(D), Ready(5, model(5))]
    assert run.member(D).health is Health.HEALTHY


def test_a_newcomer_fetches_from_the_author_or_from_who_must_have_applied_it() -> None:
    run = with_a_checkpoint(rounds=4)
    seat = Seat(run, D)
    fetches = [effect for effect in seat.lives() if isinstance(effect, Fetch)]
    for fetch, update in zip(fetches, run.closed.updates, strict=True):
        assert (fetch.blob, fetch.size) == (update.body.payload, update.body.size)
        assert fetch.holders[0] == update.author
        assert set(fetch.holders) == set(OTHERS)


def failing_loads(run: Told, count: int) -> list[bytes]:
    """What a newcomer tries to load, if it never succeeds."""
    seat = Seat(run, D)
    seat.does(*seat.wants(Say))
    tried = []
    for _ in range(count):
        (load,) = seat.wants(Load)
        tried.append(load.manifest)
        seat.node.failed(load, "nobody has it")
        run.wait(9)
    return tried


def test_what_cannot_be_loaded_is_tried_again_after_everything_else() -> None:
    run = told(*OTHERS, checkpoint_rounds=1)
    for _ in range(9):
        run.play()
        keeper = run.state.keepers[0]
        run.fits(keeper, run.checkpoint(keeper))
    manifests = [body.manifest for _, body in reversed(run.state.checkpoints)]
    assert len(set(manifests)) == 3
    assert 1 in run.state.closed
    assert failing_loads(run, 6) == [*manifests, b"", *manifests][:6], (
        "model 0 is the last, for all rounds since are there"
    )


def test_model_0_is_of_no_use_where_the_first_rounds_are_forgotten() -> None:
    run = told(*OTHERS, checkpoint_rounds=20)
    run.play(20)
    run.fits(run.state.keepers[0], run.checkpoint(run.state.keepers[0]))
    assert 1 not in run.state.closed
    assert failing_loads(run, 3) == [hash_of("manifest 20")] * 3


# --- following ------------------------------------------------------------------------------------------------------------


def test_rounds_are_applied_in_order_when_all_payloads_are_there() -> None:
    run, seat = seated(max_misses=9)
    without_d(run, 2)
    fetches = seat.wants(Fetch)
    assert len(fetches) == 6, "of both rounds"
    for fetch in reversed(fetches[1:]):
        seat.does(fetch)
        assert seat.wants(Apply) == []
    seat.does(fetches[0])
    (apply,) = seat.wants(Apply)
    assert apply.closed.number == 1
    seat.does(apply)
    (apply,) = seat.wants(Apply)
    assert apply.closed.number == 2


def test_a_round_in_which_nothing_was_accepted_is_applied_like_others() -> None:
    run, seat = seated(max_misses=9)
    run.wait(60)
    (apply,) = seat.wants(Apply)
    assert apply.closed.updates == ()


def test_a_payload_is_fetched_once_though_it_is_wanted_for_long() -> None:
    run, seat = seated(max_misses=9)
    others_train(run)
    assert len(seat.wants(Fetch)) == 3
    for _ in range(5):
        run.wait(1)
        assert seat.wants(Fetch) == []


def test_payloads_are_fetched_as_they_are_committed_to() -> None:
    run, seat = seated()
    run.commit(A)
    (fetch,) = seat.wants(Fetch)
    assert (fetch.blob, fetch.holders, fetch.purpose) == (run.round.commits[0].body.payload, (A,), "payload")


def test_who_has_attested_to_a_payload_is_asked_for_it_too() -> None:
    run, seat = seated()
    others_train(run)
    seat.lives(Fetch)
    assert run.phase is Phase.ROUND_WITNESS
    fetch = next(each for each in seat.begun if isinstance(each, Fetch) and each.holders == (A,))
    seat.node.failed(fetch, "the link is down")
    run.attest(C)
    assert seat.wants(Fetch) == [], "not at once"
    run.wait(1)
    (again,) = seat.wants(Fetch)
    assert (again.blob, again.holders) == (fetch.blob, (A, C))


def test_a_payload_that_nobody_needs_any_more_is_given_up() -> None:
    run, seat = seated(max_misses=9)
    without_d(run)
    fetches = seat.wants(Fetch)
    assert len(fetches) == 3
    run.wait(1)
    seat.look()
    assert all(seat.node.is_wanted(fetch) for fetch in fetches)
    run.fits(OWNER, Rewound(0))
    seat.look()
    assert not any(seat.node.is_wanted(fetch) for fetch in fetches)


def test_a_payload_that_is_malformed_is_not_asked_for_again() -> None:
    run, seat = seated()
    run.commit(A)
    (fetch,) = seat.wants(Fetch)
    seat.does(fetch, "no update at all")
    assert seat.wants(Fetch) == []
    run.commit(B, C, D)
    run.wait(run.round.longest / SECOND)
    assert fetch.blob not in [each.blob for each in seat.wants(Fetch)]


@pytest.mark.parametrize("malformed", [False, True], ids=["nobody has", "is malformed"])
def test_who_needs_a_payload_that_cannot_be_had_looks_for_a_later_checkpoint(malformed: bool) -> None:
    run, seat = seated(max_misses=99, checkpoint_rounds=2)
    without_d(run, 2)
    lost, *others = [fetch for fetch in seat.wants(Fetch) if fetch.blob in _payloads(run, 1)]
    for fetch in others:
        seat.does(fetch)
    for _ in range(1 if malformed else FETCH_TRIES):
        if malformed:
            seat.does(lost, "it is malformed")
        else:
            seat.node.failed(lost, "nobody has it")
        assert seat.wants(Load) == []
        run.wait(9)
        seat.look()
    for keeper in run.state.keepers:
        if keeper != D:
            run.fits(keeper, run.checkpoint(keeper, round=2))
    (load,) = seat.wants(Load)
    assert load.manifest == hash_of("manifest 2")
    seat.does(load)
    assert seat.node.mine.loaded == Loaded(2, model(2))


def _payloads(run: Told, round: int) -> set[bytes]:
    return {update.body.payload for update in run.state.closed[round].updates}


def behind_a_checkpoint(rounds: int) -> tuple[Told, Seat]:
    run, seat = seated(max_misses=99, checkpoint_rounds=rounds, audit={"case_rounds": 30})
    without_d(run, rounds)
    keeper = next(keeper for keeper in run.state.keepers if keeper != D)
    run.fits(keeper, run.checkpoint(keeper))
    return run, seat


def test_a_few_rounds_are_replayed_though_there_is_a_checkpoint() -> None:
    _, seat = behind_a_checkpoint(RELOAD_BEYOND)
    assert seat.wants(Load) == []
    assert len(seat.begun) > RELOAD_BEYOND


def test_many_rounds_are_not_replayed_where_there_is_a_checkpoint() -> None:
    run, seat = behind_a_checkpoint(RELOAD_BEYOND + 1)
    (load,) = seat.wants(Load)
    assert load.checkpoint == run.state.checkpoints[-1][1]
    seat.node.failed(load, "nobody has it")
    run.wait(9)
    assert seat.wants(Load) == [], "what failed once is not better than replaying"
    assert any(isinstance(effect, Fetch) for effect in seat.begun)


# --- hashes -------------------------------------------------------------------------------------------------------------


def test_a_node_says_the_hash_of_every_model_once() -> None:
    run, seat = seated()
    for _ in range(3):
        others_train(run)
        seat.lives()
        others_attest(run)
        seat.lives()
        run.hash(*OTHERS)
    run.wait(10)
    seat.lives()
    assert [body for body in seat.said() if isinstance(body, Hashed)] == [
        Hashed(number, model(number)) for number in (1, 2, 3)
    ]


def test_a_node_that_comes_late_says_its_hash_all_the_same() -> None:
    run, seat = seated(max_misses=9)
    without_d(run, 1)
    assert run.state.model(1) == model(1)
    seat.lives(Train)
    assert Hashed(1, model(1)) in seat.said()
    assert run.member(D).hashed == 1


def test_a_node_whose_model_is_not_the_right_one_loads_one_again() -> None:
    run, seat = seated(max_misses=9)
    without_d(run, 1)
    for fetch in seat.wants(Fetch):
        seat.does(fetch)
    (apply,) = seat.wants(Apply)
    seat.does(apply, Applied(hash_of("a cosmic ray")))
    seat.lives(Train)
    assert seat.node.mine.loaded == Loaded(1, model(1))
    assert seat.said()[-2:] == [Hashed(1, hash_of("a cosmic ray")), Ready(1, model(1))], "it says so, and gets no work"


def test_a_node_whose_hash_is_not_agreed_on_later_loads_one_again() -> None:
    run, seat = seated(max_misses=9)
    others_train(run)
    run.wait(60)
    others_attest(run)
    run.wait(run.round.longest / SECOND)
    assert run.state.last == 1
    for fetch in seat.wants(Fetch):
        seat.does(fetch)
    (apply,) = seat.wants(Apply)
    seat.does(apply, Applied(hash_of("a cosmic ray")))
    (say,) = [each for each in seat.wants(Say) if isinstance(each.body, Hashed)]
    seat.does(say)
    run.hash(*OTHERS)
    assert run.member(D).health is Health.JOINING
    seat.lives(Train)
    assert run.member(D).health is Health.HEALTHY
    assert Ready(1, model(1)) in seat.said()


def test_after_a_rewind_a_node_has_the_model_from_before() -> None:
    run, seat = seated()
    for _ in range(2):
        others_train(run)
        seat.lives()
        others_attest(run)
        seat.lives()
        run.hash(*OTHERS)
    assert seat.node.mine.loaded == Loaded(2, model(2))
    run.fits(OWNER, Rewound(0))
    results = {1: model(0), 2: model(0)}
    while effects := seat.look():
        for effect in effects:
            seat.does(effect, Applied(results[effect.closed.number])) if isinstance(effect, Apply) else seat.does(
                effect
            )
    assert seat.node.mine.loaded == Loaded(2, model(0))
    assert seat.said()[-1] == Ready(2, model(0))


def test_a_node_is_finished_when_it_has_the_last_model_of_a_run_that_is_over() -> None:
    run, seat = seated(total_steps=1)
    others_train(run)
    seat.lives(Apply)
    others_attest(run)
    seat.look()
    run.wait(30)
    seat.look()
    assert run.phase is Phase.FINISHED
    assert not seat.node.finished
    (apply,) = [effect for effect in seat.begun if isinstance(effect, Apply)]
    seat.does(apply)
    assert seat.node.finished


def test_who_has_left_joins_again_if_it_is_told_to_go_on() -> None:
    run, seat = seated()
    run.fits(D, Left())
    (say,) = seat.wants(Say)
    assert isinstance(say.body, Joined)
