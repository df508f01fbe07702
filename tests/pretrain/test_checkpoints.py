"""Checkpoints: who is asked for one, which count, and what may be forgotten then."""

from __future__ import annotations

from typing import Any

import pytest

from quiltwork.pretrain.entries import Left
from quiltwork.pretrain.phases import KEEPERS
from quiltwork.pretrain.state import CHECKPOINTS_KEPT, LARGEST_MANIFEST_BYTES
from tests.pretrain.telling import A, B, C, D, Told, hash_of, told


def due(*authors: bytes, **changes: Any) -> Told:
    """A run in which a checkpoint is wanted."""
    run = told(*(authors or (A, B, C, D)), **{"checkpoint_rounds": 3, **changes})
    run.play(3)
    assert len(run.state.keepers) == KEEPERS
    return run


def test_two_members_are_asked_every_so_many_rounds() -> None:
    run = told(A, B, C, D, checkpoint_rounds=3)
    run.play(2)
    assert run.state.keepers == ()
    run.play()
    assert len(set(run.state.keepers)) == KEEPERS
    assert run.state.keepers_beyond == 0


def test_who_is_asked_may_take_longer_than_a_round() -> None:
    run = due()
    asked = run.state.keepers
    run.play(2)
    assert run.state.keepers == asked
    run.fits(asked[0], run.checkpoint(asked[0], round=3))
    assert run.state.keepers == asked[1:]
    assert run.state.checkpoints[-1][1].round == 3


def test_if_they_take_too_long_others_are_asked() -> None:
    run = due(A, B, C, D, checkpoint_rounds=2)
    asked = run.state.keepers
    drawn = {asked}
    for _ in range(8):
        run.play(2)
        drawn.add(run.state.keepers)
    assert len(drawn) > 1


def test_if_they_are_gone_others_are_asked_at_once() -> None:
    run = due()
    for keeper in run.state.keepers:
        run.fits(keeper, Left())
    others = {A, B, C, D} - set(run.state.keepers)
    run.train(*(author for author in run.round.assigned if author in others))
    run.attest(*others)
    assert set(run.state.keepers) == others


def test_both_may_keep_the_same_model_for_two_copies_are_better_than_one() -> None:
    run = due()
    one, other = run.state.keepers
    run.fits(one, run.checkpoint(one))
    run.fits(other, run.checkpoint(other))
    assert [(who, body.round) for who, body in run.state.checkpoints] == [(one, 3), (other, 3)]
    assert run.state.keepers == ()


WRONG = [
    ({"model": hash_of("another")}, "it is not known to be model 3"),
    ({"round": 9}, "it is not known to be model 9"),
    ({"manifest": b"short"}, "its manifest is not named by 32 bytes"),
    ({"manifest_size": 0}, f"its manifest of 0 bytes is not within 1 to {LARGEST_MANIFEST_BYTES}"),
    ({"manifest_size": 1 << 40}, f"its manifest of {1 << 40} bytes is not within 1 to {LARGEST_MANIFEST_BYTES}"),
    ({"round": 0}, "a checkpoint of a round after 0 was asked for, not of 0"),
]


@pytest.mark.parametrize(("changes", "why"), WRONG, ids=[why for _, why in WRONG])
def test_a_checkpoint_that_does_not_fit_is_refused(changes: dict[str, Any], why: str) -> None:
    run = due()
    keeper = run.state.keepers[0]
    number = changes.pop("round", 3)
    assert run.say(keeper, run.checkpoint(keeper, number, **changes)) == why
    assert run.state.checkpoints == []
    assert keeper in run.state.keepers


def test_nobody_keeps_who_was_not_asked() -> None:
    """Or one liar could put what nobody can load in the place of every checkpoint."""
    run = due()
    other = next(author for author in (A, B, C, D) if author not in run.state.keepers)
    assert run.say(other, run.checkpoint(other)) == "nobody asked the member for a checkpoint"


def test_nobody_keeps_who_is_not_healthy() -> None:
    run = due()
    keeper = run.state.keepers[0]
    run.join(keeper)
    assert run.say(keeper, run.checkpoint(keeper)) == "the member is joining"


def test_a_model_on_which_nobody_has_agreed_is_not_kept() -> None:
    run = told(A, B, C, D, checkpoint_rounds=1)
    run.train()
    run.attest(A, B, C, D)
    keeper = run.state.keepers[0]
    assert run.say(keeper, run.checkpoint(keeper)) == "it is not known to be model 1"
    run.hash(A, B, C)
    run.fits(keeper, run.checkpoint(keeper))


def test_the_newest_checkpoints_are_kept_one_of_each_member() -> None:
    run = told(A, B, C, D, checkpoint_rounds=1)
    for _ in range(8):
        run.play()
        for keeper in run.state.keepers:
            run.fits(keeper, run.checkpoint(keeper))
    held = run.state.checkpoints
    assert len(held) == CHECKPOINTS_KEPT
    assert len({keeper for keeper, _ in held}) == CHECKPOINTS_KEPT
    assert [body.round for _, body in held] == sorted(body.round for _, body in held)
    assert held[-1][1].round == 8


def test_rounds_are_forgotten_that_neither_newcomers_nor_audits_need() -> None:
    run = told(A, B, C, checkpoint_rounds=30)
    run.play(29)
    assert min(run.state.closed) == 1
    run.play()
    for keeper in run.state.keepers:
        run.fits(keeper, run.checkpoint(keeper))
    kept = 30 - run.state.config.window
    assert min(run.state.closed) == kept + 1
    assert min(run.state.agreed) == kept
    assert min(run.state.tallies, default=kept) >= kept


def test_rounds_after_the_oldest_checkpoint_are_kept_however_long_ago() -> None:
    run = told(A, B, C, checkpoint_rounds=2)
    run.play(2)
    run.fits(run.state.keepers[0], run.checkpoint(run.state.keepers[0]))
    run.play(40)
    assert min(run.state.closed) == 1, "nobody has made another"
    for keeper in run.state.keepers:
        run.fits(keeper, run.checkpoint(keeper))
    assert min(run.state.closed) == 3
