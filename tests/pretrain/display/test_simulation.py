"""A simulation that is watched."""

from __future__ import annotations

import io
import json
import shlex

import pytest
import typer
from rich.console import Console

from quiltwork.cli.main import build
from quiltwork.pretrain.display import simulation
from quiltwork.pretrain.display.simulation import again, show_simulation
from quiltwork.pretrain.simulator import Scenario, Violation
from quiltwork.pretrain.simulator.referee import Referee

SMALL = Scenario(nodes=4, rounds=6)


def shown(
    seed: int, scenario: Scenario, *, terminal: bool = False, quiet: bool = False, width: int = 200
) -> tuple[dict[str, object], str]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=width, color_system=None, quiet=quiet)
    return show_simulation(seed, scenario, quiet=quiet, console=console), out.getvalue()


def test_a_simulation_says_what_it_was_and_how_it_ended() -> None:
    report, text = shown(1, SMALL)
    assert report["violation"] == ""
    assert report["steps"] == 6
    assert (
        f"6 steps in {report['rounds']} rounds: what must hold held at each of {report['entries']:,} entries." in text
    )
    assert f"{report['units']} accepted; {report['lost_units']} were lost on the way" in text
    json.dumps(report, allow_nan=False)


def test_equal_seeds_give_equal_reports_but_for_the_time_they_took() -> None:
    one, other = shown(2, SMALL)[0], shown(2, SMALL, terminal=True)[0]
    assert {**one, "real_seconds": 0} == {**other, "real_seconds": 0}


def test_a_quiet_one_prints_nothing() -> None:
    report, text = shown(1, SMALL, quiet=True)
    assert text == ""
    assert report["steps"] == 6


def test_without_a_terminal_a_long_one_says_from_time_to_time_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "LINE_EVERY_S", 0.0)
    _, text = shown(1, SMALL, width=40)
    told = [line for line in text.splitlines() if " of 4 machines at work  " in line and line.endswith(" here")]
    assert len(told) >= 6
    assert [line.split("  ")[0] for line in told][-1] == "step 6 of 6"
    monkeypatch.setattr(simulation, "LINE_EVERY_S", 1e9)
    assert " at work  " not in shown(1, SMALL)[1]


def test_a_violation_is_shown_with_the_line_that_reproduces_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def watch_and_fail(seed: int, scenario: Scenario, *, watch: object) -> object:
        def look(referee: Referee) -> None:
            watch(referee)  # type: ignore[operator]
            if referee.state.last == 3:
                raise Violation("unit 7 was applied twice")

        return real(seed, scenario, watch=look)

    real = simulation.simulate
    monkeypatch.setattr(simulation, "simulate", watch_and_fail)
    report, text = shown(1, SMALL)
    assert report["violation"] == "unit 7 was applied twice"
    assert report["rounds"] == 3
    assert text.splitlines() == [
        "What must hold did not: unit 7 was applied twice",
        "The same again: quiltwork pretrain sim --seed 1 --nodes 4 --rounds 6",
    ]


@pytest.mark.parametrize("scenario", [SMALL, Scenario(liars=False), Scenario(nodes=9, accidents=False, liars=False)])
def test_the_line_that_reproduces_it_means_the_same_scenario(scenario: Scenario) -> None:
    words = shlex.split(again(5, scenario))[2:]
    command = typer.main.get_command(build(["pretrain"])).commands["pretrain"].commands["sim"]  # type: ignore[attr-defined]
    read = command.make_context("sim", words[1:]).params
    assert (read["seed"], read["nodes"], read["rounds"]) == (5, scenario.nodes, scenario.rounds)
    assert (not read["honest"], not read["calm"]) == (scenario.liars, scenario.accidents)
