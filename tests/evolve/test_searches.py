"""Runs of other kinds: baselines, several metrics, noise, stages, CVT archives, constructions, hostile candidates."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from quiltwork.evolve.budget import Budget
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.session import begin, drive, opened
from quiltwork.evolve.state import State
from tests.evolve.helpers import sine


def run(problem: Path, folder: Path, *, evaluations: int = 60, **settings: object) -> State:
    begin(Problem.load(problem), folder, seed=2, budget=Budget(evaluations, "evals"), settings=settings)
    with opened(folder, drive=True) as session:
        assert drive(session, workers=2, trust=False) == "budget"
        return session.state


def rewrite(folder: Path, edits: Mapping[str, tuple[str, str]]) -> Path:
    for name, (old, new) in edits.items():
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["random", "one_plus_one", "best_of_n"])
def test_a_baseline_is_a_run_like_any_other(tmp_path: Path, kind: str) -> None:
    state = run(sine(tmp_path / "p"), tmp_path / "run", kind=kind)
    assert state.evaluations == 60
    assert len(state.islands) == 1
    if kind == "best_of_n":
        assert all(member.parents in ((), (0,)) for member in state.members.values())


@pytest.mark.slow
def test_two_metrics_make_a_front(tmp_path: Path) -> None:
    folder = rewrite(
        sine(tmp_path / "p"),
        {
            "problem.toml": (
                'direction = "minimize"\n',
                'direction = "minimize"\n\n[[metrics]]\nname = "size"\ndirection = "minimize"\n',
            ),
            "evaluate.py": (
                'metrics={"error": max(errors)},',
                'metrics={"error": max(errors), "size": float(len(str(values)))},',
            ),
        },
    )
    state = run(folder, tmp_path / "run")
    fronts = [[elite.fitness for elite in island.archive] for island in state.islands]
    for front in fronts:
        for one in front:
            assert not any(all(map(float.__ge__, other, one)) and other != one for other in front)
    assert state.best is not None


@pytest.mark.slow
def test_a_cvt_archive_serves_as_well(tmp_path: Path) -> None:
    folder = sine(tmp_path / "p")
    with (folder / "problem.toml").open("a") as file:
        file.write('\n[archive]\nkind = "cvt"\ncells = 16\n')
    assert run(folder, tmp_path / "run").evaluations == 60


@pytest.mark.slow
def test_a_candidate_that_misses_the_threshold_goes_no_further(tmp_path: Path) -> None:
    folder = sine(tmp_path / "p")
    with (folder / "problem.toml").open("a") as file:
        file.write('\n[[stages]]\nname = "quick"\nthreshold = 0.8\n[[stages]]\nname = "full"\n')
    state = run(folder, tmp_path / "run")
    assert state.refusals.get("threshold", 0) > 0
    worst = max(member.metrics["error"] for member in state.members.values() if member.fitness is not None)
    assert worst <= 0.8


@pytest.mark.slow
def test_noise_is_averaged_and_elites_are_run_again(tmp_path: Path) -> None:
    folder = rewrite(
        sine(tmp_path / "p"),
        {
            "problem.toml": ("budget = ", "noisy = true\nbudget = "),
            "evaluate.py": (
                'metrics={"error": max(errors)}',
                'metrics={"error": max(errors) + random.Random(candidate.seed).gauss(0, 0.05)}',
            ),
        },
    )
    text = (folder / "evaluate.py").read_text()
    (folder / "evaluate.py").write_text(text.replace("import math", "import math\nimport random"))
    with (folder / "problem.toml").open("a") as file:
        file.write('\n[[stages]]\nname = "full"\nrepeats = 6\n')
    state = run(folder, tmp_path / "run", reevaluate=0.3)
    again = [member for member in state.members.values() if member.arm == "again"]
    assert again
    assert any(member.samples > 6 for member in state.members.values())
    children = [member for member in state.members.values() if member.fitness is not None and member.arm != "seed"]
    assert any(member.samples < 6 for member in children), "somebody bad was dropped before all repeats were spent"


CONSTRUCTION = """
from quiltwork.evolve import InvalidScore, Score


def evaluate(candidate):
    numbers = candidate.construct("construct")
    if not isinstance(numbers, list) or len(numbers) != 4 or not all(isinstance(n, float) and abs(n) < 10 for n in numbers):
        raise InvalidScore("construct() must return four numbers below ten")
    return Score(metrics={"error": sum((n - 1.0) ** 2 for n in numbers)}, construction=numbers)
"""

IMPROVER = '''
# EVOLVE-BLOCK-START
def construct(start):
    """Moves a little from wherever the search stands."""
    step = 0.05
    return [3.0, 3.0, 3.0, 3.0] if start is None else [value - step * value for value in start]


# EVOLVE-BLOCK-END
'''


@pytest.mark.slow
def test_programs_start_from_the_best_construction(tmp_path: Path) -> None:
    folder = sine(tmp_path / "p")
    (folder / "evaluate.py").write_text(CONSTRUCTION)
    (folder / "program" / "program.py").write_text(IMPROVER)
    with (folder / "problem.toml").open("a") as file:
        file.write("\n[construction]\ncarried = true\n")
    state = run(folder, tmp_path / "run", evaluations=80)
    assert state.improvements[0].value == 16.0
    assert state.improvements[-1].value < 8.0
    assert state.best is not None
    assert state.members[state.best].start is not None
