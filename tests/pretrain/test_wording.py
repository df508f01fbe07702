"""What is said of a run that waits: for whom, and why."""

from __future__ import annotations

import pytest

from quiltwork.pretrain.entries import Left
from quiltwork.pretrain.views.wording import phase_words
from tests.pretrain.telling import A, B, C, Told, joined, told


@pytest.mark.parametrize(
    ("coming", "words"),
    [
        (2, "waits for members: 2 of 3 are here; it begins when another has joined (init_min_clients)"),
        (
            3,
            "waits for members: 3 are here, 3 are enough; others have a moment to come as well (waiting_for_members_extra_time)",
        ),
    ],
)
def test_who_waits_is_told_how_many_have_to_come_and_which_rule_says_so(coming: int, words: str) -> None:
    run = Told(init_min_clients=3, waiting_for_members_extra_time=2)
    run.join(*(A, B, C)[:coming])
    assert phase_words(run.state) == words


def test_while_the_model_is_loaded_it_is_told_who_has_not_got_it() -> None:
    run = Told(init_min_clients=3)
    for author, name in ((A, "amber"), (B, "blue"), (C, "")):
        run.fits(author, joined(author, name=name))
    run.ready(A)
    assert phase_words(run.state) == f"members load the model: 1 of 3 have it, not blue and {C.hex()[:8]}"


def test_a_run_that_lost_members_says_how_many_it_goes_on_with() -> None:
    run = told(A, B, C, min_clients=2)
    for author in (A, B):
        run.fits(author, Left())
    run.wait(run.state.config.max_round_train_time)
    run.wait(run.state.config.cooldown_time)
    assert phase_words(run.state) == (
        "waits for members: 1 of 2 are here; it goes on when another has joined (min_clients)"
    )
