"""Folders of OpenEvolve run unchanged, in the jail, and no program of theirs harms the next one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from quiltwork.errors import UserError
from quiltwork.evolve.evaluation import close_jails, evaluate
from quiltwork.evolve.neighbours import find
from quiltwork.evolve.problem import Problem
from tests.evolve.helpers import quiltwork, quiltwork_json
from tests.evolve.neighbours import folders

SIMPLE = """\
import importlib.util


def evaluate(program_path):
    spec = importlib.util.spec_from_file_location("program", program_path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {"combined_score": -abs(module.run() - 1.5), "passed": True}
"""


@pytest.fixture(scope="module", autouse=True)
def jails() -> Iterator[None]:
    yield
    close_jails()


def score(problem: Problem, program: str | None = None, *, trust: bool = False) -> dict[str, Any]:
    """Evaluate a problem's own program, or another one in its place."""
    (name,) = problem.program.files
    files: Mapping[str, str] = problem.program.files if program is None else {name: program}
    payload = {
        "problem": str(problem.path),
        "files": dict(files),
        "construction": None,
        "start": None,
        "seed": 0,
        "incumbent": None,
        "trust": trust,
    }
    return evaluate(payload)


@pytest.mark.slow
def test_a_folder_runs_unchanged_and_gets_better(tmp_path: Path) -> None:
    folder = folders.openevolve(tmp_path / "parabola", config="max_iterations: 11\nrandom_seed: 7\n")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    done = quiltwork("evolve", "run", folder, "--out", tmp_path / "run")
    assert "share one jail and a process" in done.stderr
    assert "2 keys of its configuration honoured" in done.stderr
    summary = quiltwork_json("evolve", "status", tmp_path / "run")
    assert (summary["evaluations"], summary["seed"]) == (12, 7)
    assert summary["best"]["metrics"]["combined_score"] > 1 / 3.25
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert quiltwork_json("evolve", "resume", tmp_path / "run", "--budget", "2evals")["evaluations"] == 14


def test_what_the_evaluator_says_becomes_metrics_descriptors_and_artifacts(tmp_path: Path) -> None:
    result = score(Problem.load(folders.openevolve(tmp_path / "parabola")))
    assert result["verdict"] == "ok"
    assert result["metrics"] == {"combined_score": 1 / 3.25, "error_size": 2.25}
    assert result["artifacts"]["worst.txt"] == "inf"
    assert result["artifacts"]["kind.txt"] == "parabola"
    assert result["artifacts"]["stderr.txt"] == "off by 1.5"
    assert result["artifacts"]["blob"] == b"\x00\x01"
    assert result["descriptors"] == {"complexity": float(len(folders.PARABOLA)), "diversity": 0.0}


def test_without_a_combined_score_the_mean_of_what_is_no_feature_and_no_flag_decides(tmp_path: Path) -> None:
    evaluator = (
        "def evaluate(path):\n    return {'a': 1.0, 'b': 2.0, 'size': 50.0, 'timeout': True, 'c': float('nan')}\n"
    )
    config = "database:\n  feature_dimensions: [size, score]\n"
    result = score(Problem.load(folders.openevolve(tmp_path / "mean", evaluator=evaluator, config=config)))
    assert result["metrics"]["combined_score"] == 1.5
    assert result["metrics"]["timeout"] == 1.0
    assert result["descriptors"] == {"size": pytest.approx(2.69897), "score": pytest.approx(1.176091)}


def test_a_feature_that_the_evaluator_does_not_return_is_named(tmp_path: Path) -> None:
    config = "database:\n  feature_dimensions: [speed]\n"
    result = score(Problem.load(folders.openevolve(tmp_path / "lacking", evaluator=SIMPLE, config=config)))
    assert result["verdict"] == "invalid"
    assert "'speed'" in result["detail"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("20.0", {"near": 0.0, "combined_score": 0.0}),
        ("7.0", {"near": 1.0, "nearer": 0.0, "combined_score": 0.5}),
        ("3.0", {"near": 1.0, "nearer": 1.0, "combined_score": pytest.approx(1 / 3)}),
        ("4.0", {"near": 1.0, "nearer": 1.0, "stage3_passed": 0.0, "combined_score": pytest.approx(2 / 3)}),
    ],
)
def test_a_cascade_keeps_what_was_found_below_a_threshold(
    tmp_path: Path, value: str, expected: dict[str, float]
) -> None:
    problem = Problem.load(folders.openevolve(tmp_path / "cascade", evaluator=folders.CASCADE))
    result = score(problem, folders.PARABOLA.replace("GUESS = 3.0", f"GUESS = {value}"))
    assert result["metrics"] == expected
    assert ("four is refused" in str(result["artifacts"].get("stage3_failure.txt"))) == (value == "4.0")


def test_a_cascade_as_stages_refuses_what_is_below_a_threshold(tmp_path: Path) -> None:
    folder = folders.openevolve(tmp_path / "cascade", evaluator=folders.CASCADE)
    quiltwork("evolve", "import", folder, "--out", tmp_path / "ours", "--stages")
    problem = Problem.load(tmp_path / "ours")
    assert [(stage.name, stage.threshold) for stage in problem.config.stages] == [
        ("stage1", 0.5),
        ("stage2", 0.75),
        ("stage3", None),
    ]
    assert score(problem)["metrics"]["combined_score"] == pytest.approx(1 / 3)
    far = score(problem, folders.PARABOLA.replace("GUESS = 3.0", "GUESS = 7.0"))
    assert (far["verdict"], far["stage"]) == ("threshold", "stage2")


HOSTILE = {
    "exit": ("import os\nos._exit(0)\n", "exited"),
    "system exit": ("raise SystemExit(0)\n", "invalid"),
    "endless loop": ("while True:\n    pass\n", "invalid"),
    "infinite score": ("def run():\n    return float('inf')\n", "invalid"),
    "child left behind": (
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])\n"
        "def run():\n    return 1.0\n",
        "ok",
    ),
    "evaluator tampering and a forged score": (
        "import sys\n"
        "sys.modules['evaluation_module'].evaluate = lambda path: {'combined_score': 1e6}\n"
        "open('evaluator.py', 'w').write('def evaluate(path): return {\"combined_score\": 1e6}')\n"
        "class Liar(float):\n    def __abs__(self):\n        return -1e6\n"
        "    def __sub__(self, other):\n        return self\n"
        "def run():\n    return Liar()\n",
        "ok",
    ),
}


def test_hostile_programs_harm_nobody_but_themselves(tmp_path: Path) -> None:
    config = "evaluator:\n  timeout: 4\n"
    problem = Problem.load(folders.openevolve(tmp_path / "hostile", evaluator=SIMPLE, config=config))
    honest = score(problem)
    assert honest["metrics"] == {"combined_score": -1.5, "passed": 1.0}
    for name, (program, verdict) in HOSTILE.items():
        assert score(problem, program)["verdict"] == verdict, name
        assert score(problem)["metrics"] == honest["metrics"], f"after {name}"


def test_a_missing_package_is_named_with_what_to_do(tmp_path: Path) -> None:
    evaluator = "import no_such_package_anywhere\n" + SIMPLE
    folder = folders.openevolve(tmp_path / "lacking", evaluator=evaluator)
    done = quiltwork("evolve", "run", folder, "--out", tmp_path / "run", check=False)
    assert done.returncode == 2
    assert "'no_such_package_anywhere' is not installed where quiltwork runs" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_the_jail_lacks_is_said_where_an_evaluator_trips_over_it(tmp_path: Path) -> None:
    for number, (line, said) in enumerate(
        [
            ("import multiprocessing; multiprocessing.Pool(1)", "/dev/shm"),
            ("import subprocess; subprocess.run(['cargo', 'build'])", "no other commands, such as cargo"),
        ]
    ):
        evaluator = f"def evaluate(path):\n    {line}\n    return {{}}\n"
        result = score(Problem.load(folders.openevolve(tmp_path / str(number), evaluator=evaluator)))
        assert said in result["detail"]


def test_a_program_longer_than_allowed_is_refused_but_never_the_first(tmp_path: Path) -> None:
    folder = folders.openevolve(tmp_path / "short", evaluator=SIMPLE, config="max_code_length: 50\n")
    problem = Problem.load(folder)
    assert score(problem)["verdict"] == "ok"
    assert "max_code_length is 50" in score(problem, folders.PARABOLA + "# and more\n")["detail"]


def test_import_then_check_and_no_key_is_carried_along(tmp_path: Path) -> None:
    folder = folders.openevolve(tmp_path / "keys", config=folders.EVERY_KEY)
    said = quiltwork_json("evolve", "import", folder, "--out", tmp_path / "ours")
    assert said["seed"] == 11
    assert said["left_out"] == ["config.yaml (it may hold a key, which no program may see)"]
    assert not [path for path in (tmp_path / "ours").rglob("*") if path.is_file() and "sk-this" in path.read_text()]
    assert "sk-this" not in str(said)
    assert quiltwork_json("evolve", "check", tmp_path / "ours")["passed"]
    done = quiltwork("evolve", "import", folder, "--out", tmp_path / "ours", check=False)
    assert done.returncode == 2
    assert "nothing is written over" in done.stderr


def test_settings_reach_the_problem(tmp_path: Path) -> None:
    config = Problem.load(folders.openevolve(tmp_path / "keys", config=folders.EVERY_KEY)).config
    assert config.budget == "31evals"
    assert (config.search.islands, config.search.migrate_every, config.search.inspirations) == (2, 14, 5)
    assert (config.limits.memory_mb, config.limits.wall_s, config.limits.processes) == (777, 43.0, 16)
    assert [(each.name, each.bins) for each in config.descriptors] == [
        ("complexity", 4),
        ("diversity", 10),
        ("score", 42),
        ("error_size", 140),
    ]
    third, first = config.models
    assert (third.id, third.key_env, third.temperature, third.url) == (
        "group/third",
        "EXAMPLE_KEY",
        1.1,
        "https://models.example/v1",
    )
    assert (first.id, first.temperature, first.max_tokens, first.patience_s) == ("first", 0.3, 999, 46.0)
    assert third.formats == first.formats == ("diff",)
    assert (config.llm.artifact_chars, config.llm.meta_share, config.novelty.similar) == (1234, 0.2, 0.9)
    assert [judge.name for judge in config.llm.judges] == ["quality"]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("max_iterations: many\n", r"config\.yaml: max_iterations must be a number, not 'many'"),
        ("random_seed: often\n", r"config\.yaml: random_seed must be a whole number, not 'often'"),
        ("a: [\n", r"config\.yaml: not valid YAML"),
        ("- 1\n", r"config\.yaml: a table of settings is needed"),
        ("database:\n  feature_dimensions: ['a b']\n", r"feature_dimensions: 'a b' is no plain name"),
    ],
)
def test_a_configuration_that_cannot_be_read_is_named_with_its_key(tmp_path: Path, config: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        find(folders.openevolve(tmp_path / "wrong", config=config))


def test_an_evaluator_that_is_no_text_is_named(tmp_path: Path) -> None:
    folder = folders.openevolve(tmp_path / "binary")
    (folder / "evaluator.py").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"evaluator\.py: a text file of that name is needed"):
        find(folder)


def test_the_command_has_help_with_an_example() -> None:
    assert "Example: quiltwork evolve import" in quiltwork("evolve", "import", "--help").stdout


def test_what_is_no_folder_of_theirs_is_left_alone(tmp_path: Path) -> None:
    assert find(tmp_path) is None
    assert find(tmp_path / "nowhere") is None
    done = quiltwork("evolve", "import", tmp_path, "--out", tmp_path / "ours", check=False)
    assert done.returncode == 2
    assert "initial_program" in done.stderr
    folders.write(tmp_path / "two", initial_program__py="", initial_program__txt="", evaluator__py="")
    with pytest.raises(UserError, match="several initial programs"):
        find(tmp_path / "two")


def test_files_that_are_no_text_or_a_runs_output_stay_behind(tmp_path: Path) -> None:
    folder = folders.openevolve(tmp_path / "much", evaluator=SIMPLE)
    (folder / "table.npy").write_bytes(b"\x93NUMPY\xff")
    (folder / "openevolve_output").mkdir()
    (folder / "openevolve_output" / "best.py").write_text("x = 1")
    (folder / "secrets.json").write_text('{"api_key": "sk-this-is-a-secret"}')
    (folder / "data").mkdir()
    (folder / "data" / "table.csv").write_text("1,2\n")
    imported = find(folder)
    assert imported is not None
    assert imported.left_out == [
        "secrets.json (it may hold a key, which no program may see)",
        "table.npy (not text, or too large to travel with every evaluation)",
    ]
    assert "beside/data/table.csv" in imported.files
    assert not [name for name in imported.files if "openevolve_output" in name or name.startswith("beside/openevolve/")]
