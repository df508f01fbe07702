"""What the owner may say: pause, resume, other rules, and back to an earlier model."""

from __future__ import annotations

from typing import Any

import pytest

from quiltwork.audit import Outcome
from quiltwork.pretrain.entries import Amended, Paused, Ready, Resumed, Rewound
from quiltwork.pretrain.facts import Health, Phase
from tests.pretrain.telling import OWNER, A, B, C, D, Told, model, rules, told

# --- pausing --------------------------------------------------------------------------------------------------------------


def test_a_run_is_laid_down_at_the_end_of_a_round_with_a_checkpoint() -> None:
    run = told(A, B, C)
    run.fits(OWNER, Paused("the night"))
    assert run.phase is Phase.ROUND_TRAIN
    run.play()
    assert run.phase is Phase.COOLDOWN
    run.fits(run.state.keepers[0], run.checkpoint(run.state.keepers[0]))
    assert run.phase is Phase.PAUSED


@pytest.mark.parametrize("phase", [Phase.WAITING_FOR_MEMBERS, Phase.WARMUP])
def test_a_run_that_does_nothing_yet_is_laid_down_at_once(phase: Phase) -> None:
    run = Told(init_min_clients=2)
    run.join(*([A, B] if phase is Phase.WARMUP else [A]))
    assert run.phase is phase
    run.fits(OWNER, Paused())
    assert run.phase is Phase.PAUSED


def paused() -> Told:
    run = told(A, B, C)
    run.fits(OWNER, Paused())
    run.play()
    run.wait(run.state.config.cooldown_time)
    assert run.phase is Phase.PAUSED
    return run


def test_time_and_members_do_not_wake_a_run_that_is_laid_down() -> None:
    run = paused()
    run.wait(10**6)
    run.join(D)
    run.ready(D)
    assert run.phase is Phase.PAUSED
    assert run.say(OWNER, Paused()) == "the run is Paused"


def test_a_run_that_was_laid_down_is_taken_up_where_it_was() -> None:
    run = paused()
    run.fits(OWNER, Resumed())
    assert (run.phase, run.round.number) == (Phase.ROUND_TRAIN, 2)
    run.play()


def test_an_order_to_pause_can_be_taken_back_before_the_round_is_over() -> None:
    run = told(A, B, C)
    run.fits(OWNER, Paused(), Resumed())
    run.play()
    assert run.phase is Phase.ROUND_TRAIN
    assert run.say(OWNER, Resumed()) == "the run is RoundTrain, not paused"


# --- other rules ------------------------------------------------------------------------------------------------------------


def amended(**changes: Any) -> Amended:
    return Amended(rules(**changes).model_dump_json())


def test_other_rules_hold_from_the_next_round_on() -> None:
    run = told(A, B, C)
    run.fits(OWNER, amended(init_min_clients=3, global_batch_size_start=24, global_batch_size_end=24))
    assert sum(map(len, run.round.assigned.values())) == 6
    run.play()
    assert sum(map(len, run.round.assigned.values())) == 12


def test_where_no_round_goes_on_other_rules_hold_at_once() -> None:
    """A run that waits for more members than will come is helped by nothing else."""
    run = Told(init_min_clients=5)
    run.join(A, B)
    assert run.phase is Phase.WAITING_FOR_MEMBERS
    run.fits(OWNER, amended(init_min_clients=2))
    assert run.phase is Phase.WARMUP


def test_a_longer_run_may_be_asked_for_before_it_ends() -> None:
    run = told(A, B, C, total_steps=1)
    run.fits(OWNER, amended(total_steps=5))
    run.play()
    assert run.phase is Phase.ROUND_TRAIN


def test_once_it_is_over_nothing_is_amended() -> None:
    run = told(A, B, C, total_steps=1)
    run.play()
    run.wait(30)
    assert run.phase is Phase.FINISHED
    assert run.say(OWNER, amended(total_steps=5)) == "the run is over"
    assert run.say(OWNER, Rewound(0)) == "the run is over"


@pytest.mark.parametrize(
    "changes", [{"unit_sequences": 3}, {"sequence_length": 32}, {"overlap": 1}, {"clock": "members"}]
)
def test_what_a_unit_is_and_how_rounds_follow_each_other_stays(changes: dict[str, Any]) -> None:
    run = told(A, B, C)
    assert "stay as they are" in run.say(OWNER, amended(**changes))
    assert run.state.amended is None


def test_rules_that_make_no_sense_change_nothing() -> None:
    run = told(A, B, C)
    assert run.say(OWNER, Amended("{}x")).startswith("the rules are not valid")
    assert "min_clients (9) is more than init_min_clients (3)" in run.say(
        OWNER, Amended(rules().model_dump_json().replace('"min_clients":1', '"min_clients":9'))
    )


# --- back to an earlier model -----------------------------------------------------------------------------------------------


def test_a_run_whose_last_updates_are_lost_goes_on_from_the_model_before() -> None:
    run = told(A, B, C)
    run.play(3)
    run.fits(OWNER, Rewound(1, "nobody has the updates of round 2"))
    assert run.phase is Phase.WARMUP
    assert {run.member(author).health for author in (A, B, C)} == {Health.JOINING}
    assert [run.state.closed[number].accepted for number in (2, 3)] == [(), ()]
    assert {run.state.model(number) for number in (1, 2, 3)} == {model(1)}
    for author in (A, B, C):
        run.fits(author, Ready(3, model(1)))
    assert (run.phase, run.round.number, run.round.step) == (Phase.ROUND_TRAIN, 4, 2)


def test_units_that_were_taken_back_are_given_out_again_before_others() -> None:
    run = told(A, B, C)
    run.play(3)
    run.fits(OWNER, Rewound(1))
    for author in (A, B, C):
        run.fits(author, Ready(3, model(1)))
    units = sorted(unit for units in run.round.assigned.values() for unit in units)
    assert units == [6, 7, 8, 9, 10, 11]
    assert list(run.state.returned) == list(range(12, 24)), "those of the round that was broken off come last"
    assert run.state.next_unit == 24


def test_members_keep_what_they_earned_with_work_that_was_lost() -> None:
    run = told(A, B, C)
    run.play(3)
    earned = {author: run.member(author).accepted_units for author in (A, B, C)}
    run.fits(OWNER, Rewound(1))
    assert {author: run.member(author).accepted_units for author in (A, B, C)} == earned
    assert (run.state.accepted_units, run.state.taken_back_units) == (18, 12)
    assert run.state.tokens == 6 * 2 * 16


def test_checkpoints_and_audits_of_what_was_taken_back_are_void() -> None:
    run = told(A, B, C, checkpoint_rounds=2, verification_percent=100)
    run.play(2)
    run.fits(run.state.keepers[0], run.checkpoint(run.state.keepers[0]))
    run.play()
    assert {number for number, _ in run.state.cases} == {1, 2, 3} - {1} or run.state.cases
    run.fits(OWNER, Rewound(1))
    assert run.state.checkpoints == []
    assert {number for number, _ in run.state.cases} <= {1}
    assert run.state.outcomes[Outcome.UNDECIDED] >= 3


def test_the_newest_of_two_rewinds_counts() -> None:
    run = told(A, B, C)
    run.play(3)
    run.fits(OWNER, Rewound(2), Rewound(0))
    assert run.state.rewinds == [2, 0]
    assert {run.state.model(number) for number in range(4)} == {model(0)}
    assert run.state.taken_back_units == 18
    assert (run.state.step, run.state.tokens) == (0, 0)


@pytest.mark.parametrize("target", [-1, 3, 4])
def test_a_run_goes_back_only_to_where_it_was(target: int) -> None:
    run = told(A, B, C)
    run.play(3)
    assert run.say(OWNER, Rewound(target)) == f"model {target} is not one of those before model 3"


def test_what_is_forgotten_is_not_gone_back_to() -> None:
    run = told(A, B, C, checkpoint_rounds=30)
    run.play(30)
    for keeper in run.state.keepers:
        run.fits(keeper, run.checkpoint(keeper))
    oldest = min(run.state.closed)
    assert run.say(OWNER, Rewound(oldest - 2)).startswith(f"rounds before {oldest} are forgotten")
    run.fits(OWNER, Rewound(oldest - 1))


def test_a_wrong_model_that_was_agreed_on_is_undone_like_a_lost_one() -> None:
    run = told(A, B, C, min_clients=2)
    run.train()
    run.attest(A, B, C)
    run.state.agreed[1] = b"w" * 32  # as a plurality might have it
    run.fits(OWNER, Rewound(0))
    assert run.state.model(1) == model(0)


def test_a_run_that_is_laid_down_stays_so_when_it_is_taken_back() -> None:
    run = paused()
    run.fits(OWNER, Rewound(0))
    assert run.phase is Phase.PAUSED
    run.fits(OWNER, Resumed())
    assert run.phase is Phase.WARMUP
