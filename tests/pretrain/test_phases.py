"""From one phase to the next: every transition, and what brings it about."""

from __future__ import annotations

from quiltwork.pretrain.entries import Left, Paused, Ready
from quiltwork.pretrain.facts import Health, Phase
from quiltwork.pretrain.phases import BARREN_ROUNDS, KEEPERS
from tests.pretrain.telling import OWNER, A, B, C, D, Told, hash_of, joined, model, told

# --- waiting for members --------------------------------------------------------------------------------------------------


def test_a_run_waits_until_enough_are_there() -> None:
    run = Told(init_min_clients=3)
    run.join(A, B)
    run.wait(1_000)
    assert run.phase is Phase.WAITING_FOR_MEMBERS
    run.join(C)
    assert run.phase is Phase.WARMUP


def test_once_enough_are_there_it_waits_a_little_for_those_who_come_at_the_same_moment() -> None:
    run = Told(init_min_clients=2, waiting_for_members_extra_time=3)
    run.join(A)
    run.wait(100)
    run.join(B)
    run.wait(2.9)
    assert run.phase is Phase.WAITING_FOR_MEMBERS
    run.wait(0.1)
    assert run.phase is Phase.WARMUP


def test_the_little_while_begins_anew_when_somebody_leaves() -> None:
    run = Told(init_min_clients=2, waiting_for_members_extra_time=3)
    run.join(A, B)
    run.wait(2)
    run.fits(A, Left())
    run.wait(2)
    run.join(C)
    run.wait(2)
    assert run.phase is Phase.WAITING_FOR_MEMBERS
    run.wait(1)
    assert run.phase is Phase.WARMUP


def test_those_who_trained_together_a_moment_ago_wait_for_nobody() -> None:
    run = told(A, B, epoch_time=61, waiting_for_members_extra_time=0)
    run.wait(58)
    run.play()
    run.wait(2)
    run.play()
    assert run.phase is Phase.COOLDOWN
    run.wait(run.state.config.cooldown_time)
    assert run.phase is Phase.ROUND_TRAIN
    assert run.state.epoch == 2


# --- warm-up --------------------------------------------------------------------------------------------------------------


def test_the_warm_up_ends_when_all_are_ready() -> None:
    run = Told(init_min_clients=3)
    run.join(A, B, C)
    run.ready(A, B)
    assert run.phase is Phase.WARMUP
    run.ready(C)
    assert run.phase is Phase.ROUND_TRAIN
    assert (run.round.number, run.state.epoch, run.state.epoch_opened) == (1, 1, run.state.now)


def test_the_warm_up_ends_in_any_case_and_who_was_not_ready_is_dropped() -> None:
    run = Told(init_min_clients=3, warmup_time=60)
    run.join(A, B, C)
    run.ready(A, B)
    run.wait(59.9)
    assert run.phase is Phase.WARMUP
    run.wait(0.1)
    assert run.phase is Phase.ROUND_TRAIN
    assert run.member(C).health is Health.DROPPED


def test_a_warm_up_after_which_too_few_are_ready_has_been_in_vain() -> None:
    run = Told(init_min_clients=3, min_clients=2, warmup_time=60)
    run.join(A, B, C)
    run.ready(A)
    run.wait(60)
    assert run.phase is Phase.WAITING_FOR_MEMBERS
    assert [run.member(author).health for author in (A, B, C)] == [Health.HEALTHY, Health.DROPPED, Health.DROPPED]


def test_who_is_ready_with_the_model_of_an_earlier_round_is_not_ready() -> None:
    run = told(A, B, C, min_clients=2, max_misses=1, warmup_time=300)
    run.train()
    run.attest(A, B, C)
    run.join(D)
    run.fits(D, Ready(1, model(1)))
    run.wait(60)
    assert run.phase is Phase.WAITING_FOR_MEMBERS, "A, B and C are dropped"
    run.join(A, B)
    assert run.phase is Phase.WARMUP
    run.ready(A, B)
    run.wait(300)
    assert run.member(D).health is Health.DROPPED
    assert run.phase is Phase.ROUND_TRAIN


def test_a_warm_up_during_which_too_many_leave_is_broken_off() -> None:
    run = Told(init_min_clients=3, min_clients=2)
    run.join(A, B, C)
    run.fits(A, Left())
    assert run.phase is Phase.WARMUP
    run.fits(B, Left())
    assert run.phase is Phase.WAITING_FOR_MEMBERS


def test_a_model_that_nobody_knew_is_what_more_than_half_of_those_who_warm_up_have() -> None:
    run = Told(init_min_clients=3, model_0=b"")
    run.join(A, B, C)
    run.fits(A, Ready(0, hash_of("another")))
    run.ready(B)
    assert run.state.agreed == {}
    run.ready(C)
    assert run.state.agreed == {0: model(0)}
    assert [run.member(author).health for author in (A, B, C)] == [Health.JOINING, Health.HEALTHY, Health.HEALTHY]


def test_when_the_warm_up_ends_those_who_are_silent_have_no_vote_any_more() -> None:
    run = Told(init_min_clients=3, min_clients=1, model_0=b"", warmup_time=60)
    run.join(A, B, C)
    run.ready(A)
    run.wait(60)
    assert run.state.agreed == {0: model(0)}
    assert run.phase is Phase.ROUND_TRAIN


def test_fewer_than_the_run_needs_do_not_say_what_its_model_is() -> None:
    run = Told(init_min_clients=4, min_clients=2, model_0=b"", warmup_time=60)
    run.join(A, B, C, D)
    run.fits(A, Ready(0, hash_of("one")))
    run.fits(B, Ready(0, hash_of("another")))
    run.wait(60)
    assert run.state.agreed == {}
    assert run.phase is Phase.WAITING_FOR_MEMBERS


def test_an_epoch_that_is_not_the_first_begins_without_newcomers_who_still_load() -> None:
    run = told(A, B, epoch_time=61)
    run.wait(58)
    run.play()
    run.wait(2)
    run.play()
    run.join(C)
    assert run.phase is Phase.COOLDOWN
    run.wait(run.state.config.cooldown_time)
    assert run.phase is Phase.ROUND_TRAIN
    assert run.member(C).health is Health.JOINING


# --- rounds ---------------------------------------------------------------------------------------------------------------


def test_training_ends_when_all_have_committed() -> None:
    run = told(A, B, C)
    run.train(A, B)
    assert run.phase is Phase.ROUND_TRAIN
    run.commit(C)
    assert run.phase is Phase.ROUND_WITNESS


def test_training_ends_in_any_case() -> None:
    run = told(A, B, C, max_round_train_time=60)
    run.commit(A)
    run.wait(59.9)
    assert run.phase is Phase.ROUND_TRAIN
    run.wait(0.1)
    assert run.phase is Phase.ROUND_WITNESS


def test_a_round_to_which_nobody_commits_ends_without_witnesses() -> None:
    run = told(A, B, C, max_round_train_time=60)
    run.wait(60)
    assert run.phase is Phase.ROUND_TRAIN
    assert (run.state.last, run.closed.commits, run.closed.accepted) == (1, (), ())


def test_attesting_ends_when_all_witnesses_have_attested() -> None:
    run = told(A, B, C)
    run.train()
    run.attest(A, B)
    assert run.phase is Phase.ROUND_WITNESS
    run.attest(C)
    assert (run.phase, run.round.number) == (Phase.ROUND_TRAIN, 2)


def test_attesting_ends_in_any_case() -> None:
    run = told(A, B, C, round_witness_time=10)
    run.train()
    run.attest(A, B)
    run.wait(9.9)
    assert run.phase is Phase.ROUND_WITNESS
    run.wait(0.1)
    assert (run.phase, run.round.number) == (Phase.ROUND_TRAIN, 2)


def test_when_rounds_bring_nothing_the_next_ones_are_given_more_and_more_time() -> None:
    run = told(A, B, C, max_round_train_time=60, max_misses=9)
    for doublings in (0, 0, 0, 0, 1, 2, 3, 4):
        assert run.round.longest == 60 * 10**9 << doublings
        run.wait(60 << doublings)
    run.wait(30)
    run.play()
    assert run.round.longest == 60 * 10**9


def test_but_not_before_those_who_are_silent_have_been_dropped() -> None:
    run = told(A, B, C, max_round_train_time=60, round_witness_time=10, max_misses=2)
    for _ in range(2):
        run.commit(A)
        run.wait(60)
        run.attest(A)
        run.wait(10)
    assert [run.member(author).health for author in (A, B, C)] == [Health.HEALTHY, Health.DROPPED, Health.DROPPED]
    assert run.round.longest == 60 * 10**9


def test_a_run_whose_rounds_bring_nothing_lets_its_members_wait_for_others() -> None:
    run = told(A, B, C, max_misses=99, epoch_time=10**6)
    for _ in range(BARREN_ROUNDS):
        assert run.phase is Phase.ROUND_TRAIN
        run.wait(run.round.longest / 10**9)
    assert run.phase is Phase.COOLDOWN
    run.wait(30)
    assert (run.phase, run.state.barren) == (Phase.ROUND_TRAIN, 0), "they are here and healthy, so they begin again"


# --- cool-down and the end --------------------------------------------------------------------------------------------------


def at_the_end(**changes: int) -> Told:
    run = told(A, B, C, **{"total_steps": 2, **changes})
    run.play(2)
    assert run.phase is Phase.COOLDOWN
    return run


def test_the_cool_down_ends_when_the_checkpoint_is_there() -> None:
    run = at_the_end()
    run.fits(run.state.keepers[0], run.checkpoint(run.state.keepers[0]))
    assert run.phase is Phase.FINISHED


def test_the_cool_down_ends_in_any_case() -> None:
    run = at_the_end(cooldown_time=30)
    run.wait(29.9)
    assert run.phase is Phase.COOLDOWN
    run.wait(0.1)
    assert run.phase is Phase.FINISHED


def test_nobody_cools_down_alone() -> None:
    run = at_the_end()
    run.fits(A, Left())
    run.fits(B, Left())
    assert run.phase is Phase.COOLDOWN
    run.fits(C, Left())
    assert run.phase is Phase.FINISHED


def test_an_epoch_ends_after_its_time_with_a_checkpoint_and_another_begins() -> None:
    run = told(A, B, C, epoch_time=61)
    run.wait(58)
    run.play()
    assert run.phase is Phase.ROUND_TRAIN
    run.wait(2)
    run.play()
    assert run.phase is Phase.COOLDOWN
    assert len(run.state.keepers) == KEEPERS
    run.fits(run.state.keepers[0], run.checkpoint(run.state.keepers[0]))
    assert run.phase is Phase.ROUND_TRAIN
    assert (run.state.epoch, run.round.number) == (2, 3)


def test_when_too_few_are_healthy_the_run_waits_for_members() -> None:
    run = told(A, B, C, min_clients=3, cooldown_time=30)
    run.train()
    run.fits(C, Left())
    run.attest(A, B)
    assert run.phase is Phase.COOLDOWN
    run.wait(30)
    assert run.phase is Phase.WAITING_FOR_MEMBERS
    run.hash(A, B)
    run.join(D)
    assert run.phase is Phase.WARMUP
    run.ready(D)
    assert run.phase is Phase.ROUND_TRAIN


def test_once_the_run_is_over_it_stays_so() -> None:
    run = at_the_end()
    run.wait(30)
    run.wait(10**6)
    run.join(D)
    assert run.say(D, joined(D)) == ""
    assert run.phase is Phase.FINISHED
    assert run.say(OWNER, Paused()) == "the run is Finished"


def test_steps_are_rounds_in_which_something_was_accepted() -> None:
    run = told(A, B, C, total_steps=2)
    run.wait(60)
    assert (run.state.last, run.state.step) == (1, 0)
    run.play(2)
    assert (run.state.last, run.state.step, run.phase) == (3, 2, Phase.COOLDOWN)
    assert [closed.step for closed in run.state.closed.values()] == [1, 1, 2]
