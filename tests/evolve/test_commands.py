"""The doors, end to end: what a user types and what comes back."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.evolve.helpers import quiltwork, quiltwork_json, sine


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sine(tmp_path_factory.mktemp("problems") / "sine")


@pytest.fixture(scope="module")
def finished(problem: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "sine"
    quiltwork("evolve", "run", problem, "--budget", "60evals", "--seed", 3, "--out", path)
    return path


@pytest.mark.slow
def test_new_writes_a_problem_that_checks_and_runs(tmp_path: Path) -> None:
    said = quiltwork("evolve", "new", tmp_path / "mine").stdout
    assert "quiltwork evolve run" in said
    report = quiltwork_json("evolve", "check", tmp_path / "mine")
    assert report["passed"]
    assert report["metrics"]["error"] == pytest.approx(0.7588, abs=1e-3)


def test_new_never_writes_over_anything(problem: Path) -> None:
    before = (problem / "problem.toml").read_text()
    done = quiltwork("evolve", "new", problem, check=False)
    assert done.returncode == 2
    assert "not empty" in done.stderr
    assert (problem / "problem.toml").read_text() == before


def test_a_run_gets_better_and_says_where_it_stands(finished: Path) -> None:
    summary = quiltwork_json("evolve", "status", finished)
    assert summary["best"]["metrics"]["error"] < 0.7
    assert summary["held_out"]["error"] < 0.75
    assert summary["known"][0]["value"] == pytest.approx(0.38388, abs=1e-5)
    assert "Taylor" in quiltwork("evolve", "status", finished).stdout


def test_the_best_program_is_written_as_files(finished: Path, tmp_path: Path) -> None:
    quiltwork("evolve", "best", finished, "--out", tmp_path / "best")
    assert "EVOLVE-BLOCK-START" in (tmp_path / "best" / "program.py").read_text()
    score = json.loads((tmp_path / "best" / "score.json").read_text())
    assert score["metrics"] == quiltwork_json("evolve", "status", finished)["best"]["metrics"]


def test_a_step_that_is_not_there_is_named(finished: Path, tmp_path: Path) -> None:
    done = quiltwork("evolve", "best", finished, "--out", tmp_path / "none", "--step", 9999, check=False)
    assert done.returncode == 2
    assert "9999" in done.stderr
    assert not (tmp_path / "none").exists()


def test_the_report_is_one_file_that_loads_nothing(finished: Path, tmp_path: Path) -> None:
    quiltwork("evolve", "report", finished, "--out", tmp_path / "r.html")
    html = (tmp_path / "r.html").read_text()
    assert "Taylor polynomial" in html
    assert 'src="http' not in html
    assert 'href="http' not in html


def test_replay_derives_the_same_and_scores_the_same(finished: Path) -> None:
    summary = quiltwork_json("evolve", "replay", finished, "--check", "--limit", 4)
    assert summary["digest"] == quiltwork("evolve", "history", finished, "--digest").stdout.strip()
    assert 1 <= len(summary["rechecked"]) <= 4
    assert all(row["agrees"] for row in summary["rechecked"])


def test_replay_refuses_a_log_that_was_changed(finished: Path, tmp_path: Path) -> None:
    forged = tmp_path / "forged"
    shutil.copytree(finished, forged)
    with sqlite3.connect(forged / "log.db") as log:
        for (trigger,) in log.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            log.execute(f"DROP TRIGGER {trigger}")
        log.execute("UPDATE entries SET time = time + 1 WHERE seq = 40")
    done = quiltwork("evolve", "replay", forged, check=False)
    assert done.returncode == 2
    assert "entry 40" in done.stderr or "entry 41" in done.stderr


def test_history_lists_every_step_with_its_verdict(finished: Path) -> None:
    lines = quiltwork("evolve", "history", finished, "--json").stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["step"] for row in rows] == list(range(len(rows)))
    assert rows[0]["arm"] == "seed"
    assert sum(row["verdict"] == "ok" for row in rows) > 20


def test_certify_says_why_it_cannot(finished: Path) -> None:
    done = quiltwork("evolve", "certify", finished, check=False)
    assert done.returncode == 2
    assert "certify" in done.stderr


@pytest.mark.slow
def test_more_budget_goes_on_from_where_it_ended(problem: Path, tmp_path: Path) -> None:
    quiltwork("evolve", "run", problem, "--budget", "30evals", "--out", tmp_path / "run", "--json")
    summary = quiltwork_json("evolve", "resume", tmp_path / "run", "--budget", "20evals")
    assert summary["evaluations"] == 50
    done = quiltwork("evolve", "resume", tmp_path / "run", "--budget", "5min", check=False)
    assert done.returncode == 2
    assert "no limit in wall-s" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("budget", "most"), [("3cpu-s", 3.5), ("3s", 20.0)])
def test_a_budget_in_seconds_stops_the_run(problem: Path, tmp_path: Path, budget: str, most: float) -> None:
    summary = quiltwork_json("evolve", "run", problem, "--budget", budget, "--out", tmp_path / "run")
    assert summary["stopped"] == "budget"
    spent = summary["cpu_s"] if "cpu" in budget else summary["wall_s"]
    assert 2.0 < spent < most


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--budget", "many"), "500evals"),
        (("--set", "islands=none"), "islands"),
        (("--set", "nonsense=1"), "there is no such setting"),
        (("--set", "islands"), "FIELD=VALUE"),
    ],
)
def test_a_word_that_makes_no_sense_is_answered_with_what_does(
    problem: Path, tmp_path: Path, words: tuple[str, str], said: str
) -> None:
    done = quiltwork("evolve", "run", problem, "--out", tmp_path / "run", *words, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists(), "a run that could not begin leaves nothing behind"


@pytest.mark.parametrize(
    "command", ["new", "check", "run", "resume", "status", "best", "report", "history", "replay", "certify"]
)
def test_every_command_has_help_with_an_example(command: str) -> None:
    assert "Example: quiltwork evolve" in quiltwork("evolve", command, "--help").stdout


def test_a_seed_program_that_fails_stops_the_run_with_its_reason(tmp_path: Path) -> None:
    folder = sine(tmp_path / "broken")
    program = folder / "program" / "program.py"
    program.write_text(program.read_text().replace("0.9 * x", "0.9 * undefined_name"))
    report = quiltwork("evolve", "check", folder, check=False)
    assert report.returncode == 1
    assert "undefined_name" in report.stdout
    done = quiltwork("evolve", "run", folder, "--out", tmp_path / "run", check=False)
    assert done.returncode == 2
    assert "undefined_name" in done.stderr


def test_an_evaluator_that_is_not_repeatable_is_found(tmp_path: Path) -> None:
    folder = sine(tmp_path / "noisy")
    evaluate = folder / "evaluate.py"
    text = evaluate.read_text().replace(
        'metrics={"error": max(errors)}', 'metrics={"error": max(errors) + random.random()}', 1
    )
    evaluate.write_text("import random\n" + text)
    report = quiltwork("evolve", "check", folder, check=False)
    assert report.returncode == 1
    assert "noisy = true" in report.stdout
