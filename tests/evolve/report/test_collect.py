import json

import pytest

from quiltwork.evolve.archives import Elite, make_archive
from quiltwork.evolve.budget import parse_budget
from quiltwork.evolve.config import ProblemConfig
from quiltwork.evolve.islands import Island
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.report import ReportData, render
from quiltwork.evolve.report.collect import archive_view, collect
from quiltwork.evolve.report.data import ArchiveView
from quiltwork.evolve.session import begin, drive, opened
from quiltwork.evolve.state import State
from tests.evolve.helpers import sine


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ReportData:
    folder = tmp_path_factory.mktemp("report")
    begin(Problem.load(sine(folder / "sine")), folder / "run", seed=3, budget=parse_budget("30evals"))
    with opened(folder / "run", drive=True) as session:
        drive(session, workers=1, trust=True)
        return collect(session)


def test_a_report_has_every_step_of_its_run_in_order(data: ReportData) -> None:
    assert [program.step for program in data.programs] == list(range(data.snapshot.steps))
    assert data.snapshot.evaluations == 30
    spent = [(program.evaluations, program.spent_cpu_s) for program in data.programs]
    assert spent == sorted(spent)
    assert spent[-1][0] == 30


def test_its_programs_have_their_source_and_its_best_is_among_them(data: ReportData) -> None:
    best = data.programs[data.snapshot.best.step]
    assert best.files
    assert best.metrics[data.snapshot.metric] == data.snapshot.best.value
    assert data.improved[-1] == best.step
    assert data.improved[0] == 0


def test_its_archive_holds_what_the_islands_hold(data: ReportData) -> None:
    assert data.archive is not None
    sizes = [len(island.elites) for island in data.archive.islands]
    assert sizes == [island.size for island in data.snapshot.islands]
    steps = {elite.step for island in data.archive.islands for elite in island.elites}
    assert data.snapshot.best.step in steps
    assert all(data.programs[step].verdict == "ok" for step in steps)


def test_its_credits_are_shares(data: ReportData) -> None:
    assert data.credits[-1].steps == data.snapshot.steps - 1
    assert sum(data.credits[-1].credit.values()) == pytest.approx(1.0)


def test_the_page_of_a_real_run_names_its_history(data: ReportData) -> None:
    html = render(data)
    assert data.digest in html
    assert "quiltwork evolve replay run --check" in html
    assert dict(data.facts)["seed"] == "3"


def test_the_same_run_gives_the_same_page(data: ReportData) -> None:
    assert render(data) == render(data)


def test_shares_and_credits_of_the_proposers_add_up(data: ReportData) -> None:
    assert sum(arm.share for arm in data.snapshot.arms) == pytest.approx(1.0)
    assert sum(arm.credit for arm in data.snapshot.arms) == pytest.approx(1.0)


def an_archive(**fields: object) -> ArchiveView:
    """The view of a state that holds one island with two elites."""
    state = State()
    state.config = ProblemConfig.model_validate_json(json.dumps({"name": "p", **fields}))
    state.islands = [Island(make_archive(state.config, seed=1))]
    metrics = len(state.config.metrics)
    for step, (one, other) in enumerate([(1.0, -4.0), (2.0, -9.0)]):
        state.islands[0].offer(Elite(step, (one, other)[:metrics], (0.2 + 0.6 * step, 0.5)), now=step)
    return archive_view(state)


TWO_AXES = [{"name": "a", "low": 0, "high": 1}, {"name": "b", "low": 0, "high": 1}]


def test_a_cvt_brings_its_centroids_along() -> None:
    view = an_archive(metrics=[{"name": "m"}], descriptors=TWO_AXES, archive={"kind": "cvt", "cells": 7})
    assert (view.kind, len(view.centroids), view.islands[0].cells) == ("cvt", 7, 7)
    assert {elite.place for elite in view.islands[0].elites} == {(0.2, 0.5), (0.8, 0.5)}


def test_a_front_stands_on_its_metrics_as_the_problem_gives_them() -> None:
    metrics = [{"name": "gain"}, {"name": "cost", "direction": "minimize"}]
    view = an_archive(metrics=metrics, descriptors=TWO_AXES)
    assert view.kind == "front"
    assert [axis.name for axis in view.axes] == ["gain", "cost"]
    assert {elite.place for elite in view.islands[0].elites} == {(1.0, 4.0), (2.0, 9.0)}


def test_values_of_what_is_minimised_keep_their_sign() -> None:
    view = an_archive(metrics=[{"name": "cost", "direction": "minimize"}], descriptors=TWO_AXES)
    assert {elite.value for elite in view.islands[0].elites} == {-1.0, -2.0}
