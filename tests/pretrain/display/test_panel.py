"""The live panel, and the lines where there is no terminal."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import msgspec
import pytest
from rich.console import Console

from quiltwork.pretrain.display.lines import rounds_on
from quiltwork.pretrain.display.panel import live
from quiltwork.pretrain.display.parts import frame, status
from quiltwork.pretrain.entries import Joined, Judged
from quiltwork.pretrain.facts import RunState
from quiltwork.pretrain.state import apply_body
from quiltwork.pretrain.views import Watch, snapshot
from tests.pretrain.display.conftest import HOSTILE, view_of
from tests.pretrain.simulated import Simulated, watched


def printed(renderable: object, width: int = 80, height: int = 24) -> str:
    console = Console(width=width, height=height, file=io.StringIO(), force_terminal=False, color_system=None)
    console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (200, 60)])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.6, 1.0])
def test_the_panel_fits_its_terminal(eventful: Simulated, share: float, width: int, height: int) -> None:
    text = printed(frame(view_of(eventful, share), width=width, height=height), width, height)
    lines = text.splitlines()
    assert len(lines) < height
    assert {len(line) for line in lines} <= {width}


@pytest.mark.parametrize(("width", "height"), [(10, 3), (40, 10), (60, 80)])
def test_no_terminal_is_too_odd(eventful: Simulated, width: int, height: int) -> None:
    assert "step 24 of 24" in printed(frame(view_of(eventful), width=width, height=height), 400, height)


def test_the_panel_shows_what_matters(eventful: Simulated) -> None:
    view = view_of(eventful)
    text = printed(frame(view, width=140, height=50), 140, 50)
    (out,) = [member for member in view.members if member.health == "ejected"]
    assert re.search(rf"{out.label} +ejected", text)
    assert f"forfeited {out.forfeited}" in text or not out.forfeited
    for wanted in ("100%", "step 24 of 24", "nats per token", f"{view.tokens:,} tokens", "finished"):
        assert wanted in text
    assert f"{view.outcomes['failed']} failed" in text
    assert view.agreed_model[:16] in text
    assert view.events[0][3][:60] in text


def test_a_round_that_goes_on_says_for_whom_it_waits(eventful: Simulated) -> None:
    watch = Watch()
    for seq, (author, body) in enumerate(eventful.said):
        watch.told(author, body, seq)
        view = snapshot(watch.state, watch.story)
        if view.round is not None and 0 < view.round.committed < view.round.asked:
            break
    assert view.round is not None
    text = printed(frame(view, width=200, height=40), 200, 40)
    assert f"trains round {view.round.number}" in text
    assert f"{view.round.done} of {view.round.units} units, {view.round.committed} of {view.round.asked} member" in text
    assert f"waits for {view.round.awaited[0]}" in text


def test_what_members_write_is_only_text(eventful: Simulated) -> None:
    watch = Watch()
    for seq, (author, body) in enumerate(eventful.said):
        if isinstance(body, Joined):
            body = msgspec.structs.replace(
                body, name=HOSTILE, device=HOSTILE, version=HOSTILE, addresses=(HOSTILE,) * 2
            )
        if isinstance(body, Judged):
            body = msgspec.structs.replace(body, why=HOSTILE)
        watch.told(author, body, seq)
    view = snapshot(watch.state, watch.story)
    for drawn in (frame(view, width=200, height=60), status(view, width=200)):
        text = printed(drawn, 300)
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert text.count("[bold]x[/]") > 2 * len(view.members)  # names and devices


class Served:
    """What the panel knows of a coordinator."""

    def __init__(self) -> None:
        self.followed = Watch()
        self.seen = 0
        self.watch: Callable[[RunState], None] = self._see

    def _see(self, state: RunState) -> None:
        self.seen += 1

    def serve(self, run: Simulated, batch: int = 7) -> None:
        for seq, (author, body) in enumerate(run.said):
            self.followed.told(author, body, seq)
            if seq % batch == 0 or seq == len(run.said) - 1:
                self.watch(self.followed.state)


def test_without_a_terminal_every_round_has_one_line(eventful: Simulated) -> None:
    out, served = io.StringIO(), Served()
    with live(served, console=Console(file=out, force_terminal=False, width=80)):
        served.serve(eventful)
    lines = out.getvalue().splitlines()
    numbers = [int(found[1]) for line in lines if (found := re.match(r"round (\d+)  ", line))]
    assert numbers == list(range(1, eventful.state.last + 1))
    assert any("was ejected: it failed" in line for line in lines)
    assert "the run is over: 24 steps" in out.getvalue()
    assert "\x1b" not in out.getvalue()
    assert served.watch == served._see
    assert served.seen > 10


def test_on_a_terminal_there_is_one_frame_that_ends_with_the_run(eventful: Simulated) -> None:
    out, served = io.StringIO(), Served()
    with live(served, console=Console(file=out, force_terminal=True, width=100, height=40, color_system=None)):
        served.serve(eventful)
    assert "step 24 of 24" in out.getvalue()
    assert "\n\n\n" not in out.getvalue()


def test_a_quiet_run_says_nothing(eventful: Simulated) -> None:
    out, served = io.StringIO(), Served()
    with live(served, quiet=True, console=Console(file=out, force_terminal=True)):
        served.serve(eventful)
    assert out.getvalue() == ""
    assert served.seen > 10


@pytest.mark.parametrize("batch", [1, 13, 200])
def test_a_member_sees_every_round_once_however_entries_arrive(eventful: Simulated, batch: int) -> None:
    lines: list[str] = []
    state, tell = RunState(), rounds_on(lines.append)
    tell(state)
    for seq, (author, body) in enumerate(eventful.said):
        apply_body(state, author, body, seq)
        if seq % batch == 0 or seq == len(eventful.said) - 1:
            tell(state)
    numbers = [int(found[1]) for line in lines if (found := re.match(r"round (\d+)  ", line))]
    assert numbers == list(range(numbers[0], state.last + 1))
    assert numbers[0] <= 1 + batch // 10
    assert lines[0].startswith("waits for members: ")
    assert f"the run is over: 24 steps in {state.last} rounds" in lines


def test_a_member_that_comes_late_is_told_where_the_run_is(eventful: Simulated) -> None:
    lines: list[str] = []
    state = watched(eventful, 0.6).state
    rounds_on(lines.append)(state)
    assert lines[0].startswith(f"round {state.last}: step {state.step} of 24")
    assert not [line for line in lines if line.startswith("round ") and "  step" in line]
