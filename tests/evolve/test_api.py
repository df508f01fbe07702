"""`quiltwork.evolve.optimize`: three arguments in, the best program out, wherever it is called from."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from quiltwork.errors import UserError
from quiltwork.evolve import Score, optimize
from quiltwork.evolve.calling_thread import Desk
from quiltwork.evolve.candidate import Candidate
from tests.evolve.helpers import quiltwork, quiltwork_json

LINE = "A = 1.0\n\n\ndef f(x):\n    return A * x\n"


def near_three(candidate: Candidate) -> dict[str, float]:
    """Can be imported by name, hence is called in worker processes."""
    return {"score": -abs(candidate.call("f", 2.0) - 3.0), "pid": float(os.getpid())}


def test_three_arguments_are_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    best = optimize(LINE, lambda candidate: -abs(candidate.call("f", 2.0) - 3.0), budget="30evals")
    assert best.score > best.initial["score"] == -1.0
    assert best.stopped == "budget"
    assert best.evaluations == 30
    names: dict[str, object] = {}
    exec(best.program, names)
    assert -abs(names["f"](2.0) - 3.0) == best.score  # type: ignore[operator]
    assert best.run.parent == Path("runs")


def test_where_the_function_runs_changes_nothing_but_the_process(tmp_path: Path) -> None:
    judge = near_three
    there = optimize(LINE, judge, budget="15evals", seed=5, workers=2, out=tmp_path / "there")
    here = optimize(LINE, lambda candidate: judge(candidate), budget="15evals", seed=5, out=tmp_path / "here")
    assert (here.program, here.score) == (there.program, there.score)
    assert here.metrics["pid"] == os.getpid() != there.metrics["pid"]


def test_it_works_inside_a_running_event_loop(tmp_path: Path) -> None:
    async def cell() -> float:
        return optimize(LINE, lambda c: -c.call("f", 1.0), budget="8evals", out=tmp_path / "run").score

    assert asyncio.run(cell()) >= -1.0


def test_ctrl_c_returns_what_was_found_and_the_run_can_be_looked_at(tmp_path: Path) -> None:
    calls = []

    def impatient(candidate: Candidate) -> float:
        calls.append(1)
        if len(calls) == 6:
            signal.raise_signal(signal.SIGINT)
        return float(candidate.call("f", 2.0))

    best = optimize(LINE, impatient, budget="1000evals", out=tmp_path / "run")
    assert best.stopped == "interrupted"
    assert best.evaluations == 5 < 6 == len(calls)
    assert quiltwork_json("evolve", "status", tmp_path / "run")["best"]["metrics"]["score"] == best.score


@pytest.mark.slow
def test_a_second_ctrl_c_is_the_callers() -> None:
    caller, asked, over = threading.get_ident(), threading.Event(), threading.Event()

    class Driver:
        def ask_to_stop(self, reason: str) -> None:
            asked.set()

    def work() -> None:
        asyncio.run(desk.run("os:fspath", "the caller is at the desk", timeout_s=60.0))
        signal.pthread_kill(caller, signal.SIGINT)
        assert asked.wait(60.0)
        signal.pthread_kill(caller, signal.SIGINT)
        over.wait(60.0)

    desk = Desk()
    desk.driver(Driver())
    try:
        with pytest.raises(KeyboardInterrupt):
            desk.serve(work)
    finally:
        over.set()
    assert asked.is_set()


@pytest.mark.slow
def test_an_importable_function_can_be_resumed_and_another_one_says_why_not(tmp_path: Path) -> None:
    optimize(LINE, near_three, budget="6evals", out=tmp_path / "named")
    assert quiltwork_json("evolve", "resume", tmp_path / "named", "--budget", "4evals")["evaluations"] == 10
    optimize(LINE, lambda candidate: 1.0, budget="2evals", out=tmp_path / "nameless")
    done = quiltwork("evolve", "resume", tmp_path / "nameless", "--budget", "4evals", check=False)
    assert done.returncode == 2
    assert "lived in the process that began it" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_module_that_is_gone_is_named_with_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lost_judge.py").write_text("def judge(candidate):\n    return candidate.call('f', 1.0)\n")
    monkeypatch.syspath_prepend(tmp_path)
    import lost_judge  # type: ignore[import-not-found]

    optimize(LINE, lost_judge.judge, budget="2evals", workers=1, out=tmp_path / "run")
    (tmp_path / "lost_judge.py").unlink()
    done = quiltwork("evolve", "resume", tmp_path / "run", "--budget", "2evals", check=False)
    assert done.returncode == 2
    assert f"lost_judge.judge, which was in {tmp_path}" in done.stderr


def test_programs_are_jailed_also_where_the_function_runs_here(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("key")
    program = (
        f"def read():\n    try:\n        return open({str(secret)!r}).read()\n    except OSError:\n        return ''\n"
    )
    best = optimize(
        program, lambda candidate: float(len(candidate.call("read"))), budget="1evals", out=tmp_path / "run"
    )
    assert best.score == 0.0


def test_a_program_that_fails_at_once_is_told_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ZeroDivisionError"):
        optimize("def f(x):\n    return 1 / 0\n", near_three, workers=1, out=tmp_path / "a")
    with pytest.raises(UserError, match=r"must return a number, a dict or a Score"):
        optimize(LINE, lambda candidate: [1], out=tmp_path / "b")


def test_several_metrics_descriptors_and_a_score_with_artifacts(tmp_path: Path) -> None:
    def judge(candidate: Candidate) -> Score:
        value = float(candidate.call("f", 1.0))
        return Score({"cost": value, "gain": value}, descriptors={"size": value}, artifacts={"said.txt": "hello"})

    best = optimize(
        {"main.py": LINE, "notes.md": "x"},
        judge,
        metrics={"cost": "minimize", "gain": "maximize"},
        descriptors={"size": (0.0, 10.0, 5)},
        settings={"islands": 1, "limits.wall_s": 30.0},
        about="A line through the origin.",
        budget="4evals",
        out=tmp_path / "run",
    )
    assert set(best.files) == {"main.py", "notes.md"}
    assert best.metrics == {"cost": best.score, "gain": best.score}
    quiltwork("evolve", "best", tmp_path / "run", "--out", tmp_path / "best")
    assert (tmp_path / "best" / "said.txt").read_text() == "hello"


def test_a_program_may_be_a_file_or_a_folder(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    file = tmp_path / "folder" / "line.py"
    file.write_text(LINE)
    for number, program in enumerate((file, str(file), tmp_path / "folder")):
        best = optimize(program, lambda c: c.call("f", 1.0), budget="1evals", out=tmp_path / str(number))
        assert dict(best.files) == {"line.py": LINE}
    with pytest.raises(UserError, match="no such program"):
        optimize(tmp_path / "nowhere.py", near_three)
    with pytest.raises(UserError, match=r"which file calls should reach; there are a\.py, b\.py"):
        optimize({"a.py": LINE, "b.py": LINE}, near_three)


def test_the_room_is_imported_without_its_api() -> None:
    code = (
        "import sys, quiltwork.evolve as e; print([m for m in ('asyncio', 'quiltwork.evolve.api') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
