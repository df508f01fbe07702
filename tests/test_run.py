from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from textwrap import dedent

import pytest

import quiltwork
from quiltwork.keys import Identity, default_identity
from quiltwork.log import verify
from quiltwork.run import Run, RunBroken, RunExists, RunLocked, RunMissing, find_run, list_runs
from tests.log.speech import ALICE, MALLORY, Said

CONFIG = {"name": "a test", "limits": {"wall_s": 1.5, "none": None}, "stages": [{"name": "full"}], "greed": 2}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def make(path: Path, *words: str, identity: Identity = ALICE) -> Path:
    with Run.create(path, "speech", CONFIG, identity) as run:
        run.writer.append(*[Said(word) for word in words])
    return path


def drive_elsewhere(path: Path, ending: str = "sys.stdin.read()") -> subprocess.Popen[str]:
    source = f"""
        import os, sys, time
        from pathlib import Path
        from quiltwork.run import Run
        run = Run.open(Path(sys.argv[1]), drive=True)
        print("driving", flush=True)
        {ending}
    """
    process = subprocess.Popen(
        [sys.executable, "-c", dedent(source), str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "driving\n"
    return process


def test_a_run_is_made_of_a_frozen_config_a_log_and_blobs(root: Path) -> None:
    with Run.create(root / "a", "speech", CONFIG, ALICE) as run:
        run.writer.append(Said("one"))
        id = run.blobs.put(b"data")
    assert sorted(os.listdir(root)) == ["a"]
    assert sorted(os.listdir(root / "a")) == ["blobs", "lock", "log.db", "run.toml"]
    with Run.open(root / "a", drive=False) as run:
        assert (run.name, run.room, run.version) == ("a", "speech", quiltwork.__version__)
        assert run.path == root / "a"
        assert run.config == {"name": "a test", "limits": {"wall_s": 1.5}, "stages": [{"name": "full"}], "greed": 2}
        assert run.blobs.get(id) == b"data"
        assert verify(run.log, authors={ALICE.author}).count == 1


def test_the_config_is_a_file_that_people_can_read(root: Path) -> None:
    written = tomllib.loads((make(root / "a") / "run.toml").read_text())
    assert written["config"]["limits"]["wall_s"] == 1.5
    assert written["run"]["version"] == quiltwork.__version__


def test_the_users_own_identity_drives_unless_another_is_given(root: Path) -> None:
    with Run.create(root / "a", "speech", {}) as run:
        assert run.writer.author == default_identity().author


def test_a_run_is_never_made_over_something_else(root: Path) -> None:
    make(root / "a", "one")
    with pytest.raises(RunExists, match="exists already"):
        Run.create(root / "a", "speech", CONFIG)
    (root / "file").touch()
    with pytest.raises(RunExists):
        Run.create(root / "file", "speech", CONFIG)
    (root / "empty").mkdir()
    Run.create(root / "empty", "speech", CONFIG).close()
    assert sorted(os.listdir(root)) == ["a", "empty", "file"]


def test_a_run_that_cannot_be_made_leaves_nothing_behind(root: Path) -> None:
    with pytest.raises(TypeError):
        Run.create(root / "a", "speech", {"thing": object()})
    assert os.listdir(root) == []
    with pytest.raises(ValueError, match="not the name of a room"):
        Run.create(root / "a", "../speech", {})


def test_reading_takes_no_lock_and_has_no_pen(root: Path) -> None:
    make(root / "a", "one")
    with Run.open(root / "a", drive=True, identity=ALICE) as driver, Run.open(root / "a", drive=False) as reader:
        driver.writer.append(Said("two"))
        assert reader.log.head().length == 2
        with pytest.raises(RuntimeError, match="opened for reading"):
            _ = reader.writer


def test_a_second_driver_is_told_who_drives(root: Path) -> None:
    make(root / "a")
    with drive_elsewhere(root / "a") as process:
        with pytest.raises(
            RunLocked, match=rf"being driven by process {process.pid} on .*Wait until it ends or stop it"
        ):
            Run.open(root / "a", drive=True)
        assert list_runs(root)[0].driver.startswith(f"process {process.pid} on ")
        process.communicate()
    Run.open(root / "a", drive=True).close()
    assert list_runs(root)[0].driver == ""


def test_a_killed_driver_locks_nobody_out(root: Path) -> None:
    make(root / "a")
    with drive_elsewhere(root / "a") as process:
        process.send_signal(signal.SIGKILL)
    with Run.open(root / "a", drive=True, identity=ALICE) as run:
        run.writer.append(Said("on"))
        assert verify(run.log).count == 1


def test_a_worker_that_outlives_a_killed_driver_locks_nobody_out(root: Path) -> None:
    make(root / "a")
    worker_waits = """
        worker = os.fork()
        if worker == 0:
            sys.stdin.read()
        else:
            print(worker, flush=True)
            sys.stdin.read()
    """
    with drive_elsewhere(root / "a", worker_waits) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        os.kill(worker, 0)  # it lives
        Run.open(root / "a", drive=True).close()


def test_a_copied_run_goes_on_elsewhere_under_another_identity(root: Path, tmp_path: Path) -> None:
    make(root / "a", "one", "two")
    elsewhere = tmp_path / "another machine" / "b"
    shutil.copytree(root / "a", elsewhere)
    with Run.open(elsewhere, drive=True, identity=MALLORY) as run:
        run.writer.append(Said("three"))
        assert verify(run.log).authors == {ALICE.author: 2, MALLORY.author: 1}
        assert run.name == "b"
    with Run.open(root / "a", drive=False) as run:
        assert run.log.head().length == 2


def test_runs_are_listed_with_what_they_are(root: Path) -> None:
    make(root / "a", "one")
    make(root / "b")
    first, second = list_runs(root)
    assert (first.name, first.room, first.entries, first.broken) == ("a", "speech", 1, "")
    assert first.updated is not None
    assert first.log_bytes >= 4096
    assert (second.entries, second.updated) == (0, None)


def test_what_is_broken_is_listed_as_broken(root: Path) -> None:
    for name in ("no-toml", "bad-toml", "no-log", "bad-log", "odd-toml", "later", "whole"):
        make(root / name)
    (root / "no-toml" / "run.toml").unlink()
    (root / "bad-toml" / "run.toml").write_bytes(b"\xff = [")
    (root / "no-log" / "log.db").unlink()
    (root / "bad-log" / "log.db").write_bytes(b"x" * 5_000)
    (root / "odd-toml" / "run.toml").write_text("run = 3\nconfig = 4\n")
    (root / "later" / "run.toml").write_text("[run]\nformat = 2\n[config]\n")
    (root / "not-a-run").mkdir()
    (root / ".hidden").mkdir()
    (root / "a file").touch()
    infos = {info.name: info.broken for info in list_runs(root)}
    assert infos.pop("whole") == ""
    assert set(infos) == {"no-toml", "bad-toml", "no-log", "bad-log", "odd-toml", "later"}
    assert "run.toml is missing" in infos["no-toml"]
    assert "run.toml cannot be read" in infos["bad-toml"]
    assert "log.db is missing" in infos["no-log"]
    assert "damaged" in infos["bad-log"]
    assert "run.toml cannot be read" in infos["odd-toml"]
    assert "format 2" in infos["later"]


def test_there_are_no_runs_where_there_is_no_folder(root: Path) -> None:
    assert list_runs(root) == []


def test_a_run_is_found_by_its_path_or_its_name(root: Path) -> None:
    path = make(root / "a")
    assert find_run(path) == path
    assert find_run("a", root) == path
    with pytest.raises(RunMissing, match="no run b, neither as a folder nor in"):
        find_run("b", root)


def test_opening_what_is_no_run_is_said_clearly(root: Path, tmp_path: Path) -> None:
    with pytest.raises(RunMissing, match="There is no run at"):
        Run.open(root / "a", drive=True)
    with pytest.raises(RunBroken, match=r"run\.toml is missing"):
        Run.open(tmp_path, drive=False)
    assert os.listdir(tmp_path) == []
