"""What is said at the end."""

from __future__ import annotations

import json
from dataclasses import dataclass

from quiltwork.pretrain.display.ending import ending
from quiltwork.pretrain.entries import Committed, Created
from quiltwork.pretrain.recipe import load
from quiltwork.pretrain.views import Watch
from tests.pretrain.display.conftest import view_of
from tests.pretrain.simulated import Simulated, watched


@dataclass
class Accidents:
    killed: int = 12
    returned: int = 20
    ejected: int = 7


def told_of(run: Simulated) -> Watch:
    """The run, as if it trained what the demo trains."""
    watch = Watch()
    for seq, (author, body) in enumerate(run.said):
        if isinstance(body, Created):
            work = load("demo").created(seed=bytes(32), version="").work
            body = Created(body.run_id, body.coordinator, work, body.seed)
        watch.told(author, body, seq)
    return watch


def test_the_end_says_what_was_earned_lost_sent_and_found(eventful: Simulated) -> None:
    text = ending(told_of(eventful), accidents=Accidents(), cpu_s=75.0)
    view = view_of(eventful)
    assert text.startswith(f"The run sim is over: 24 of 24 steps in {view.last} rounds, ")
    assert f"over {view.tokens:,} tokens" in text
    assert f"audits     {sum(view.outcomes.values())} audits: " in text
    assert f"{view.outcomes['failed']} failed" in text
    assert "1 min 15 s of processor time" in text
    assert "a liar was ejected by round 7; a worker was killed after round 12; it came back after round 20" in text
    assert view.agreed_model in text
    lines = text.splitlines()
    for member in view.members:
        (line,) = [line for line in lines if line.startswith(member.label)]
        assert f" {member.units:,} unit" in line
    (out,) = [member for member in view.members if member.health == "ejected"]
    assert f"was ejected, forfeited {out.forfeited} unit" in text or not out.forfeited


def test_what_was_sent_is_compared_with_a_dense_gradient(eventful: Simulated) -> None:
    sizes = [body.size for _, body in eventful.said if isinstance(body, Committed)]
    assert len(set(sizes)) == 1
    dense = 4 * 983_168
    text = ending(told_of(eventful))
    assert f"a dense fp32 gradient takes {dense / 1e6:.1f} MB, {round(dense / sizes[0]):,} times as much" in text or (
        f"{dense / sizes[0]:.1f} times as much" in text
    )


def test_units_that_were_lost_are_counted(eventful: Simulated) -> None:
    view = view_of(eventful)
    assert f"{view.lost_units:,} unit" in ending(watched(eventful))


def test_a_run_that_is_laid_down_says_where_it_is(eventful: Simulated) -> None:
    text = ending(watched(eventful, 0.5))
    assert "is not over (" in text
    assert "accidents" not in text


def test_a_run_in_which_nothing_happened_has_an_end() -> None:
    assert "nothing was trained" in ending(Watch())


def test_a_summary_of_it_fits_into_json(eventful: Simulated) -> None:
    from quiltwork.pretrain.views.snapshot import plain

    json.dumps(plain(view_of(eventful)), allow_nan=False)
