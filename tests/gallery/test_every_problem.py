"""What every problem of the gallery owes its users: it loads, its program passes, it gets better, it says where it stands."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from quiltwork.evolve.budget import Budget, parse_budget
from quiltwork.evolve.check import check_problem
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.session import begin, drive, opened
from quiltwork.evolve.verdict import judge
from tests.gallery.direct import GALLERY

PROBLEMS = sorted(path.parent.name for path in GALLERY.glob("*/problem.toml"))
SHORT = ("circle_packing_26", "sorting_network_8", "autocorrelation_c1")


def test_the_gallery_is_whole() -> None:
    assert len(PROBLEMS) >= 10
    table = (GALLERY / "README.md").read_text()
    assert all(f"[{name}]({name}/README.md)" in table for name in PROBLEMS)


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_problem_says_what_it_is_and_what_is_known(name: str) -> None:
    problem = Problem.load(GALLERY / name)
    assert problem.config.summary
    assert len(problem.readme) > 200
    assert all(known.source for known in problem.known)
    assert problem.known
    parse_budget(problem.config.budget)


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_checker_is_short_and_imports_nothing_of_ours(name: str) -> None:
    checker = GALLERY / name / "check.py"
    certifies = Problem.load(GALLERY / name).hook("certify") is not None
    assert checker.exists() == certifies
    if certifies:
        text = checker.read_text()
        assert len(text.splitlines()) <= 50
        imported = {
            alias.name if isinstance(node, ast.Import) else node.module
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        assert imported <= {"__future__", "json", "sys", "fractions", "itertools", "math", "pathlib", "collections"}


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_program_to_start_from_passes_in_the_jail_and_scores_the_same_twice(name: str) -> None:
    report = check_problem(GALLERY / name, trust=False)
    assert report.passed, report.as_text()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in SHORT else pytest.mark.slow) for name in PROBLEMS]
)
def test_a_short_run_ends_with_a_program_and_its_proof(name: str, tmp_path: Path) -> None:
    problem = Problem.load(GALLERY / name)
    begin(problem, tmp_path / "run", seed=4, budget=Budget(8, "evals"))
    with opened(tmp_path / "run", drive=True) as session:
        assert drive(session, workers=2, trust=False) == "budget"
        judge(session, trust=False)
        assert session.state.best is not None
        assert session.state.issue_count == 0
        if problem.hook("certify") is not None:
            assert session.state.best in session.state.certified
        if problem.hook("held_out") is not None:
            assert session.state.best in session.state.held_out
