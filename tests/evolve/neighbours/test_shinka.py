"""Folders of ShinkaEvolve run unchanged, without ShinkaEvolve: its evaluators call a stand-in."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from quiltwork.errors import UserError
from quiltwork.evolve.evaluation import close_jails
from quiltwork.evolve.neighbours import find
from quiltwork.evolve.neighbours.folder import INSIDE
from quiltwork.evolve.problem import Problem
from tests.evolve.helpers import quiltwork, quiltwork_json
from tests.evolve.neighbours import folders
from tests.evolve.neighbours.test_openevolve import score


@pytest.fixture(scope="module", autouse=True)
def jails() -> Iterator[None]:
    yield
    close_jails()


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The stand-in's module, as an evaluator in the jail imports it."""
    monkeypatch.syspath_prepend(INSIDE)
    import shinka.core.wrap_eval  # type: ignore[import-not-found]

    yield shinka.core.wrap_eval
    for name in [name for name in sys.modules if name.partition(".")[0] == "shinka"]:
        del sys.modules[name]


@pytest.mark.slow
def test_a_folder_runs_unchanged_and_gets_better(tmp_path: Path) -> None:
    folder = folders.shinka(tmp_path / "parabola")
    done = quiltwork(
        "evolve", "run", folder, "--budget", "12evals", "--set", "arms=mutate,tune", "--out", tmp_path / "run"
    )
    assert "share one jail and a process" in done.stderr
    summary = quiltwork_json("evolve", "status", tmp_path / "run")
    assert summary["evaluations"] == 12
    assert summary["best"]["metrics"]["combined_score"] > 1 / 3


def test_metrics_feedback_and_what_is_private(tmp_path: Path) -> None:
    result = score(Problem.load(folders.shinka(tmp_path / "parabola")))
    assert result["verdict"] == "ok"
    metrics = result["metrics"]
    assert (metrics["combined_score"], metrics["public.error"], metrics["num_valid_runs"]) == (1 / 3, 2.0, 2.0)
    assert result["artifacts"]["public.how.txt"] == '"mean"'
    assert result["artifacts"]["feedback.txt"] == "aim at one"
    assert json.loads(result["artifacts"]["private.jsonl"]) == {"secret": 42}
    assert "secret" not in str(metrics)


def test_a_program_that_is_not_correct_is_refused_with_the_first_error(tmp_path: Path) -> None:
    problem = Problem.load(folders.shinka(tmp_path / "parabola"))
    (program,) = problem.program.files.values()
    far = score(problem, program.replace("GUESS = 3.0", "GUESS = 1e9"))
    assert far["verdict"] == "invalid"
    assert "not correct: Validation failed: 1000000000.0 is far out" in far["detail"]
    broken = score(problem, program.replace("GUESS * 1.0", "GUESS / 0"))
    assert "not correct: float division by zero" in broken["detail"]


def test_a_script_that_only_defines_main_is_called(tmp_path: Path) -> None:
    evaluate = """\
    import json, os

    def main(program_path: str, results_dir: str):
        with open(os.path.join(results_dir, "metrics.json"), "w") as file:
            json.dump({"combined_score": float(os.path.basename(program_path) == "main.py")}, file)
        with open(os.path.join(results_dir, "correct.json"), "w") as file:
            json.dump({"correct": True, "error": None}, file)
    """
    folder = folders.write(tmp_path / "plain", initial__py="X = 1\n", evaluate__py=evaluate)
    assert score(Problem.load(folder))["metrics"] == {"combined_score": 1.0}


@pytest.mark.parametrize(
    ("evaluate", "said"),
    [
        ("def main(program_path, results_dir):\n    pass\n", "wrote no metrics.json"),
        ("raise RuntimeError('no luck')\n", "RuntimeError: no luck"),
        ("import sys\nsys.exit(3)\n", "sys.exit(3)"),
        ("import no_such_package_anywhere\n", "'no_such_package_anywhere' is not installed"),
    ],
)
def test_an_evaluator_that_fails_says_how(tmp_path: Path, evaluate: str, said: str) -> None:
    folder = folders.write(tmp_path / "failing", initial__py="X = 1\n", evaluate__py=evaluate)
    result = score(Problem.load(folder))
    assert result["verdict"] == "invalid"
    assert said in result["detail"]


def test_settings_are_read_from_the_script_without_running_it(tmp_path: Path) -> None:
    folder = folders.shinka(tmp_path / "parabola", run_evo="raise SystemExit('this was run')\n" + folders.RUN_EVO)
    imported = find(folder)
    assert imported is not None
    rows = {row.key: row for row in imported.rows}
    assert rows["evo_config.task_sys_msg"].value == "Find the lowest point."
    assert rows["db_config.archive_sizes"].how == "unknown key; is it db_config.archive_size?"
    assert "run_evo.py:14" in rows["db_config.**parents"].how
    assert not rows["evo_config.results_dir"].honoured
    assert "Find the lowest point." in imported.files["README.md"]
    config = Problem.load(folder).config
    assert config.budget == "25evals,2.5usd"
    assert config.limits.wall_s == 130.0
    assert [(model.id, model.key_env, model.formats) for model in config.models] == [
        ("gpt-5-mini", "OPENAI_API_KEY", ("diff", "rewrite")),
        ("qwen", "MINE", ("diff", "rewrite")),
    ]
    assert imported.remarks == ["model bedrock/x: no OpenAI-compatible server is known for it; add it to problem.toml"]


def test_settings_are_read_from_yaml(tmp_path: Path) -> None:
    folder = folders.shinka(tmp_path / "parabola", run_evo="")
    (folder / "shinka.yaml").write_text(
        "max_db_workers: 2\nevo_config:\n  num_generations: 9\n  use_text_feedback: false\n"
        "db_config:\n  enable_dynamic_islands: true\n  stagnation_threshold: 33\n"
    )
    (folder / "other.yaml").write_text("greeting: hello\n")
    problem = Problem.load(folder)
    assert problem.config.budget == "9evals"
    assert problem.config.search.restart_after == 33
    assert "other.yaml" in problem.beside
    assert "shinka.yaml" not in problem.beside
    assert "feedback.txt" not in score(problem)["artifacts"]


def test_import_then_check(tmp_path: Path) -> None:
    folder = folders.shinka(tmp_path / "parabola", run_evo="")
    said = quiltwork("evolve", "import", folder, "--out", tmp_path / "ours").stdout
    assert f"quiltwork evolve run {tmp_path / 'ours'}" in said
    assert quiltwork_json("evolve", "check", tmp_path / "ours")["passed"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("EvolutionConfig(num_generations='x')\n", "evo_config.num_generations must be a number"),
        ("LocalJobConfig(time='soon')\n", "job_config.time must be hh:mm:ss, not 'soon'"),
        ("def (\n", r"run_evo\.py:1: invalid syntax"),
        ("LocalJobConfig(eval_program_path='elsewhere.py')\n", r"elsewhere\.py: a text file of that name is needed"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_named(tmp_path: Path, script: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        find(folders.shinka(tmp_path / "wrong", run_evo=script))


def run(module: ModuleType, folder: Path, program: str, **kwargs: Any) -> tuple[Any, Any, Any]:
    (folder / "p.py").write_text(program)
    found: tuple[Any, Any, Any] = module.run_shinka_eval(
        program_path=str(folder / "p.py"), results_dir=str(folder / "results"), experiment_fn_name="f", **kwargs
    )
    return found


def test_the_stand_in_writes_what_shinka_writes(stand_in: ModuleType, tmp_path: Path) -> None:
    metrics, correct, error = run(stand_in, tmp_path, "def f(seed):\n    return seed\n", num_runs=3)
    assert (correct, error) == (True, None)
    assert (metrics["num_successful_runs"], metrics["raw_results_preview"]) == (3, "[1, 2]")
    assert json.loads((tmp_path / "results" / "metrics.json").read_text()) == metrics
    assert json.loads((tmp_path / "results" / "correct.json").read_text()) == {"correct": True, "error": None}


def test_the_stand_in_reports_failures_as_shinka_does(stand_in: ModuleType, tmp_path: Path) -> None:
    metrics, correct, error = run(
        stand_in,
        tmp_path,
        "def f(seed):\n    return 1 / 0\n",
        num_runs=2,
        default_metrics_on_error={"combined_score": -1.0, "unknown": 1},
    )
    assert (correct, error) == (False, "division by zero")
    assert metrics == {**stand_in.DEFAULT_METRICS_ON_ERROR, "combined_score": -1.0}
    nan, correct, error = run(
        stand_in,
        tmp_path,
        "def f(seed):\n    return seed\n",
        num_runs=1,
        aggregate_metrics_fn=lambda results: {"combined_score": float("nan"), "extra_data": results},
    )
    assert (correct, error) == (False, "combined_score is NaN")
    assert "extra_data" not in nan
    assert (tmp_path / "results" / "extra.pkl").exists()
    with pytest.raises(ValueError, match="run_workers"):
        run(stand_in, tmp_path, "", num_runs=1, run_workers=0)


@pytest.mark.parametrize("method", ["bayesian", "ci", "hybrid"])
def test_runs_stop_early_once_enough_is_known(stand_in: ModuleType, tmp_path: Path, method: str) -> None:
    metrics, _, _ = run(
        stand_in,
        tmp_path,
        "def f(seed):\n    return 1.0 + seed % 2 / 1000\n",
        num_runs=20,
        early_stop_method=method,
        early_stop_threshold=5.0,
    )
    told = metrics["early_stop"]
    assert told["triggered"]
    assert told["prediction"] == "fails"
    assert told["runs_completed"] == len(told["scores"]) < 20
