import io
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from quiltwork.evolve.display.panel import Panel, final_table
from quiltwork.evolve.display.panel_parts import Pace, frame, progress_line
from quiltwork.evolve.display.snapshot import (
    ArmView,
    BestView,
    BudgetView,
    CurvePoint,
    EventView,
    IslandView,
    KnownView,
    Snapshot,
)

EMPTY = Snapshot(problem="p", metric="m", maximize=True, seed=0, budget=BudgetView("evals", 100.0, 0.0))

CIRCLES = Snapshot(
    problem="Circles in a square",
    metric="sum_radii",
    maximize=True,
    seed=7,
    budget=BudgetView("cpu-s", 300.0, 150.0),
    steps=500,
    evaluations=440,
    refusals={"duplicate": 52, "raised": 8},
    known=(KnownView("AlphaEvolve", 2.6358627564), KnownView("best known", 2.6359830853)),
    best=BestView(398, 2.6359773947, "from the parent's construction", "polish", {"sum_radii": 2.6359773947}),
    curve=(CurvePoint(1, 0.1, 0.96), CurvePoint(90, 40.0, 2.61), CurvePoint(398, 140.0, 2.6359773947)),
    arms=(ArmView("polish", 120, 0.3, 0.6, 4, 80.0), ArmView("tune", 280, 0.7, 0.4, 2, 50.0)),
    islands=(IslandView(0, 20, 144, 2.6359773947, 12), IslandView(1, 18, 144, 2.6, 300, 1)),
    events=(EventView(398, 2.6359773947, "polish", "from the parent's construction"),),
    wall_s=80.0,
    cpu_s=150.0,
)

ODD = ("\x1b[2J", "[bold]x[/bold]", "[/]", "", "\u202e\x00", "名前" * 200, "\n\n")
odd_text = st.sampled_from(ODD) | st.text(max_size=30)
odd_number = st.floats() | st.sampled_from([0.0, 1e300, -1e-300])
counts = st.integers(0, 10**12)
odd_views = st.builds(
    Snapshot,
    problem=odd_text,
    metric=odd_text,
    maximize=st.booleans(),
    seed=counts,
    budget=st.builds(BudgetView, odd_text, odd_number, odd_number),
    steps=counts,
    evaluations=counts,
    refusals=st.dictionaries(odd_text, counts, max_size=4),
    known=st.lists(st.builds(KnownView, odd_text, odd_number), max_size=7).map(tuple),
    best=st.none() | st.builds(BestView, counts, odd_number, odd_text, odd_text, st.just({})),
    curve=st.lists(st.builds(CurvePoint, counts, odd_number, odd_number), max_size=5).map(
        lambda points: tuple(sorted(points, key=lambda p: p.evaluations))
    ),
    arms=st.lists(st.builds(ArmView, odd_text, counts, odd_number, odd_number, counts, odd_number), max_size=9).map(
        tuple
    ),
    islands=st.lists(st.builds(IslandView, counts, counts, counts, st.none() | odd_number, counts), max_size=9).map(
        tuple
    ),
    events=st.lists(st.builds(EventView, counts, odd_number, odd_text, odd_text), max_size=5).map(tuple),
    wall_s=odd_number,
    cpu_s=odd_number,
    stop_reason=odd_text,
)


def printed(renderable: object, width: int = 80, height: int = 24) -> str:
    console = Console(width=width, height=height, file=io.StringIO(), force_terminal=False, color_system=None)
    console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
def test_the_panel_fits_its_terminal_and_shows_what_matters(width: int, height: int) -> None:
    text = printed(frame(CIRCLES, Pace(41.2, 118.0), width=width, height=height), width, height)
    lines = text.splitlines()
    assert len(lines) < height
    assert {len(line) for line in lines} == {width}
    for wanted in (
        "Circles in a square",
        "50%",
        "150 of 300 cpu-s",
        "about 1 min 58 s left",
        "2.6359773947",
        "ahead by 1.15e-04",
        "behind by 5.69e-06",
        "polish",
        "41.2/s",
        "440 valid",
        "52 duplicate",
        "best known",
    ):
        assert wanted in text


def test_a_run_without_a_valid_program_says_so() -> None:
    assert "no valid program yet" in printed(frame(EMPTY, Pace(), width=80, height=24))
    assert "no valid program" in printed(final_table(EMPTY))
    assert "no valid program yet" in progress_line(EMPTY, Pace())


def test_the_closing_table_says_who_is_ahead_and_what_was_spent() -> None:
    best = replace(CIRCLES.best, certified="1/3", held_out={"mean": 207.2})
    text = printed(final_table(replace(CIRCLES, best=best, stop_reason="budget")))
    rows = [" ".join(line.split()) for line in text.splitlines()]
    assert "AlphaEvolve 2.6358627564 ahead by 1.15e-04" in rows
    assert "best known 2.6359830853 behind by 5.69e-06" in rows
    assert "this run 2.6359773947 step 398, polish · certified" in rows
    assert "held out: mean 207.2 never seen by selection" in rows
    assert "spent 2 min 30 s of processor, 1 min 20 s on the clock" in rows


def test_smaller_is_better_where_the_problem_says_so() -> None:
    view = replace(CIRCLES, maximize=False)
    text = printed(final_table(view))
    assert "behind by 1.15e-04" in text
    assert "ahead by 5.69e-06" in text


@settings(max_examples=60, deadline=None)
@given(odd_views, st.integers(10, 140), st.integers(1, 50), odd_number)
def test_no_value_is_too_odd_to_be_shown(view: Snapshot, width: int, height: int, speed: float) -> None:
    shown = printed(frame(view, Pace(speed, speed), width=width, height=height), width, height)
    assert "\x1b" not in shown + printed(final_table(view)) + progress_line(view, Pace(speed, None))


def test_without_a_terminal_plain_lines_are_printed() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=False, width=80)
    with Panel(lambda: CIRCLES, console=console):
        pass
    lines = out.getvalue().splitlines()
    assert lines
    assert lines[-1].startswith("[ 50%] 150 of 300 cpu-s | sum_radii 2.6359773947 at step 398")
    assert "\x1b" not in out.getvalue()


def test_a_new_best_is_told_at_once_and_the_rest_now_and_then() -> None:
    now = [0.0]
    views = [CIRCLES]
    panel = Panel(lambda: views[0], quiet=True, clock=lambda: now[0])
    assert panel._line(now[0]) is not None
    assert panel._line(now[0] + 1) is None
    views[0] = replace(CIRCLES, best=replace(CIRCLES.best, step=399))
    assert "step 399" in (panel._line(now[0] + 2) or "")
    assert panel._line(now[0] + 3) is None
    assert panel._line(now[0] + 13) is not None


def test_quiet_prints_nothing() -> None:
    out = io.StringIO()
    with Panel(lambda: CIRCLES, quiet=True, console=Console(file=out, force_terminal=True)):
        pass
    assert out.getvalue() == ""


def test_on_a_terminal_the_last_frame_stays() -> None:
    out = io.StringIO()
    with Panel(lambda: CIRCLES, console=Console(file=out, force_terminal=True, width=100, height=30)):
        pass
    assert "Circles in a square" in out.getvalue()


def test_the_panel_survives_a_state_that_changes_under_it() -> None:
    answers = iter([CIRCLES, RuntimeError("dictionary changed size during iteration")])

    def source() -> Snapshot:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    panel = Panel(source, quiet=True)
    first = panel._look()
    assert panel._look() == first


def test_spend_is_live_and_the_estimate_follows_the_pace() -> None:
    now = [100.0]

    class Spender:
        def live_cpu_s(self) -> float:
            return 150.0 + 2.0 * (now[0] - 100.0)

    panel = Panel(lambda: CIRCLES, quiet=True, clock=lambda: now[0])
    panel.watch(Spender())
    view = panel._look()
    assert view is not None
    panel._pace(view)
    now[0] = 110.0
    view = panel._look()
    assert view is not None
    assert view.budget.spent == 170.0
    now[0] = 105.0
    assert panel._look().budget.spent == 170.0
    now[0] = 110.0
    assert panel._pace(view).left_s == pytest.approx(65.0)
    assert view.wall_s == 90.0
