from pathlib import Path

import pytest

from quiltwork.blobs.pack import unpack
from quiltwork.errors import UserError
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.scaffold import write_problem


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_problem(tmp_path / "sine")
    return tmp_path / "sine"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_scaffold_loads(folder: Path) -> None:
    problem = Problem.load(folder)
    assert problem.config.name == "sine"
    assert problem.known[-1].value == pytest.approx(0.38388, abs=1e-5)


def test_a_wrong_value_is_named_with_file_line_and_field(folder: Path) -> None:
    edit(folder / "problem.toml", "low = 0", "low = 300")
    with pytest.raises(UserError, match=r"problem\.toml:\d+: field descriptors\.0"):
        Problem.load(folder)


def test_an_unknown_field_is_named_at_its_line(folder: Path) -> None:
    edit(folder / "problem.toml", "memory_mb = 512", "memory_mb = 512\nmemroy = 1")
    lines = (folder / "problem.toml").read_text().splitlines()
    with pytest.raises(UserError, match=rf"problem\.toml:{lines.index('memroy = 1') + 1}: field limits\.memroy"):
        Problem.load(folder)


def test_toml_that_cannot_be_read_says_where(folder: Path) -> None:
    edit(folder / "problem.toml", "memory_mb = 512", "memory_mb = = 512")
    with pytest.raises(UserError, match=r"problem\.toml: not valid TOML: .*line \d+"):
        Problem.load(folder)


@pytest.mark.parametrize("missing", ["problem.toml", "evaluate.py"])
def test_a_missing_file_is_named(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(UserError, match=missing):
        Problem.load(folder)


def test_a_syntax_error_in_the_evaluator_says_file_and_line(folder: Path) -> None:
    (folder / "evaluate.py").write_text("def evaluate(candidate):\n    return (\n")
    with pytest.raises(UserError, match=r"evaluate\.py:\d+"):
        _ = Problem.load(folder).evaluator


def test_an_evaluator_without_evaluate_is_refused(folder: Path) -> None:
    (folder / "evaluate.py").write_text("x = 1\n")
    with pytest.raises(UserError, match=r"must define evaluate\(candidate\)"):
        _ = Problem.load(folder).evaluator


def test_an_entry_that_is_not_there_is_named(folder: Path) -> None:
    edit(folder / "problem.toml", "[limits]", '[program]\nentry = "main.py"\n\n[limits]')
    with pytest.raises(UserError, match=r"program\.entry.*main\.py"):
        Problem.load(folder)


def test_unbalanced_markers_are_refused_with_their_line(folder: Path) -> None:
    edit(folder / "program" / "program.py", "# EVOLVE-BLOCK-END", "")
    with pytest.raises(UserError, match=r"program\.py:\d+"):
        Problem.load(folder)


def test_a_bundle_unpacks_to_the_same_problem(folder: Path, tmp_path: Path) -> None:
    problem = Problem.load(folder)
    (tmp_path / "copy").mkdir()
    unpack(problem.bundle, tmp_path / "copy")
    copy = Problem.load(tmp_path / "copy")
    assert copy.bundle == problem.bundle
    assert copy.program.id == problem.program.id


def test_two_problems_with_the_same_file_names_do_not_meet(folder: Path, tmp_path: Path) -> None:
    write_problem(tmp_path / "other")
    edit(tmp_path / "other" / "evaluate.py", "/ 40", "/ 50")
    assert Problem.load(folder).evaluator.POINTS != Problem.load(tmp_path / "other").evaluator.POINTS


def test_one_mistake_is_told_once_and_not_again_for_the_table_around_it(tmp_path: Path) -> None:
    write_problem(tmp_path / "p")
    path = tmp_path / "p" / "problem.toml"
    path.write_text(path.read_text().replace('"minimize"', '"down"'))
    with pytest.raises(UserError) as refused:
        Problem.load(tmp_path / "p")
    assert len(str(refused.value).splitlines()) == 1
    assert "field metrics.0.direction" in str(refused.value)
