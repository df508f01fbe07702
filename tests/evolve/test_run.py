"""Whole runs through the command line: the same history for any number of workers, and after any death."""

from __future__ import annotations

import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from quiltwork.evolve.entries import Evaluated, Proposed
from quiltwork.log import SqliteLog, decode, verify
from tests.evolve.helpers import kill_nine, quiltwork, quiltwork_json, sine, start

BUDGET = "150evals"


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sine(tmp_path_factory.mktemp("problems") / "sine")


@pytest.fixture(scope="module")
def undisturbed(problem: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "undisturbed"
    quiltwork("evolve", "run", problem, "--budget", BUDGET, "--seed", 5, "--workers", 1, "--out", path, "--json")
    return path


def digest(path: Path) -> str:
    return quiltwork("evolve", "history", path, "--digest").stdout.strip()


def evaluated_steps(path: Path) -> list[int]:
    log = SqliteLog(path / "log.db")
    try:
        return [body.step for entry in log.read() if isinstance(body := decode(entry), Evaluated)]
    finally:
        log.close()


def test_one_and_two_workers_have_the_same_history(problem: Path, undisturbed: Path, tmp_path: Path) -> None:
    summary = quiltwork_json(
        "evolve", "run", problem, "--budget", BUDGET, "--seed", 5, "--workers", 2, "--out", tmp_path / "two"
    )
    assert summary["evaluations"] == 150
    assert summary["digest"] == digest(undisturbed)


def test_another_seed_has_another_history(problem: Path, undisturbed: Path, tmp_path: Path) -> None:
    quiltwork("evolve", "run", problem, "--budget", "40evals", "--seed", 6, "--out", tmp_path / "other", "--json")
    assert digest(tmp_path / "other") != digest(undisturbed)


def test_a_budget_of_evaluations_is_spent_to_the_last_one(undisturbed: Path) -> None:
    summary = quiltwork_json("evolve", "status", undisturbed)
    assert summary["evaluations"] == 150
    assert len(evaluated_steps(undisturbed)) >= 150


def test_ctrl_c_ends_cleanly_and_says_how_to_go_on(problem: Path, undisturbed: Path, tmp_path: Path) -> None:
    path = tmp_path / "interrupted"
    process = start("evolve", "run", problem, "--budget", BUDGET, "--seed", 5, "--out", path)
    _wait_for(path, entries=30)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    assert f"quiltwork evolve resume {path}" in output.replace("\n", "")
    assert "Traceback" not in output
    quiltwork("evolve", "resume", path, "--json")
    assert digest(path) == digest(undisturbed)


def test_two_processes_cannot_drive_one_run(problem: Path, tmp_path: Path) -> None:
    path = tmp_path / "driven"
    process = start("evolve", "run", problem, "--budget", "100000evals", "--out", path)
    try:
        _wait_for(path, entries=5)
        second = quiltwork("evolve", "resume", path, check=False)
        assert second.returncode == 2
        assert str(process.pid) in second.stderr
    finally:
        kill_nine(process)


def test_a_run_goes_on_on_another_machine(problem: Path, undisturbed: Path, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "here"
    process = start("evolve", "run", problem, "--budget", BUDGET, "--seed", 5, "--out", path)
    _wait_for(path, entries=60)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    shutil.copytree(path, tmp_path / "there")
    monkeypatch.setenv("QUILTWORK_HOME", str(tmp_path / "someone-else"))
    quiltwork("evolve", "resume", tmp_path / "there", "--json")
    assert digest(tmp_path / "there") == digest(undisturbed)


def killed_often(problem: Path, path: Path, *, times: int, seed: int) -> None:
    """Kill the driver `times` times at random moments, resuming after each."""
    moments = random.Random(seed)
    process = start("evolve", "run", problem, "--budget", BUDGET, "--seed", 5, "--workers", 2, "--out", path)
    for _ in range(times):
        seen = _entries(path)
        _wait_for(path, entries=min(seen + moments.randint(1, 12), 440), process=process)
        time.sleep(moments.random() * 0.02)
        kill_nine(process)
        process = start("evolve", "resume", path, "--workers", "2", "--json")
    process.communicate(timeout=250)
    assert process.returncode == 0


def check_survivor(path: Path, undisturbed: Path) -> None:
    assert digest(path) == digest(undisturbed)
    steps = evaluated_steps(path)
    assert len(steps) == len(set(steps)), "an evaluation that the log held was done again"
    log = SqliteLog(path / "log.db")
    verify(log)
    proposals = [body.step for entry in log.read() if isinstance(body := decode(entry), Proposed)]
    log.close()
    assert len(proposals) == len(set(proposals)), "a proposal that the log held was made again"


def test_kill_nine_loses_nothing_and_repeats_nothing(problem: Path, undisturbed: Path, tmp_path: Path) -> None:
    killed_often(problem, tmp_path / "killed", times=3, seed=1)
    check_survivor(tmp_path / "killed", undisturbed)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_kill_nine_at_fifty_random_moments(problem: Path, undisturbed: Path, tmp_path: Path) -> None:
    killed_often(problem, tmp_path / "killed", times=50, seed=2)
    check_survivor(tmp_path / "killed", undisturbed)


def _entries(path: Path) -> int:
    if not (path / "log.db").exists():
        return 0
    log = SqliteLog(path / "log.db")
    try:
        return log.head().length
    finally:
        log.close()


def _wait_for(path: Path, *, entries: int, process: object = None) -> None:
    """Until the run's log holds so many entries, or the process has ended."""
    deadline = time.monotonic() + 120
    while _entries(path) < entries:
        if process is not None and process.poll() is not None:  # type: ignore[attr-defined]
            return
        assert time.monotonic() < deadline, f"{path} has {_entries(path)} entries after two minutes"
        time.sleep(0.01)
