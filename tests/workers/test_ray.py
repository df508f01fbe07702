"""Workers on a Ray cluster of two nodes, both on this machine: nothing is lost with a node, nothing outlives the driver."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quiltwork.blobs.pack import pack
from quiltwork.errors import UserError
from quiltwork.evolve.budget import Budget
from quiltwork.evolve.evaluation import evaluate
from quiltwork.evolve.loop import Driver
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.session import begin, opened
from quiltwork.workers import WorkerDied, WorkerError, WorkerTimeout, folders, open_workers
from tests.evolve.helpers import sine
from tests.workers.functions import PickyError

HERE = "tests.workers.functions"
PATIENT_S = 120.0
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster():
    """A head with one processor and, while a test wants it, a second node with another one."""
    patch = pytest.MonkeyPatch()
    patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    found.add_node(num_cpus=1)
    yield found
    found.shutdown()
    patch.undo()


@pytest.fixture
def workers(cluster):
    found = open_workers(2, kind=f"ray:{cluster.address}")
    yield found
    found.close()


def call(workers, name, payload=None, timeout_s=PATIENT_S):
    return workers.run(f"{HERE}:{name}", payload, timeout_s=timeout_s)


def test_calls_cross_as_they_do_to_local_workers(workers, tmp_path):
    value = {"text": "é", "raw": b"\x00", "list": [1, 2.5, None, True], "map": {"a": {}}}

    async def conversation():
        assert await call(workers, "echo", value) == value
        with pytest.raises(WorkerError, match="ValueError: fell over x"):
            await call(workers, "fall", "x")
        with pytest.raises(PickyError, match=r"problem\.toml, line 3: no"):
            await call(workers, "refuse")
        with pytest.raises(WorkerError, match="msgpack"):
            await call(workers, "unspeakable")
        with pytest.raises(TypeError):
            await call(workers, "echo", object())
        found = await asyncio.gather(*(call(workers, "counted") for _ in range(20)))
        assert len({pid for pid, _ in found}) == 2
        assert max(count for _, count in found) > 1, "a worker keeps its globals between calls"

        with pytest.raises(WorkerTimeout, match=r"functions:spawn_and_sleep took more than"):
            await asyncio.gather(call(workers, "spawn_and_sleep", str(tmp_path / "pids"), timeout_s=3.0))
        with pytest.raises(WorkerDied, match="3 times"):
            await call(workers, "vanish")
        assert await asyncio.gather(*(call(workers, "echo", i) for i in range(4))) == [0, 1, 2, 3]

    asyncio.run(conversation())
    stuck = int((tmp_path / "pids").read_text().split()[0])
    _wait_until(lambda: not _runs(stuck))


def test_a_shipped_folder_is_found_where_it_never_was(workers, tmp_path):
    problem = sine(tmp_path / "problem")
    payload = {
        "files": dict(Problem.load(problem).program.files),
        "construction": None,
        "start": None,
        "seed": 1,
        "incumbent": None,
        "trust": False,
    }
    here = evaluate({**payload, "problem": str(problem)})
    shared = workers.share(problem)
    (tmp_path / "problem").rename(tmp_path / "gone")
    there = asyncio.run(
        workers.run("quiltwork.evolve.evaluation:evaluate", {**payload, "problem": shared}, timeout_s=PATIENT_S)
    )
    assert there["metrics"] == here["metrics"] != {}


def test_a_shipped_folder_has_the_name_of_its_content(tmp_path):
    packed = pack(sine(tmp_path / "a"))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert folders.name_of(packed) == folders.name_of(pack(tmp_path / "b"))
    (tmp_path / "b" / "README.md").write_text("another")
    assert folders.name_of(packed) != folders.name_of(pack(tmp_path / "b"))
    folders.receive(folders.name_of(packed), packed)
    copy = folders.find(folders.name_of(packed))
    assert pack(copy) == packed
    folders.forget()
    assert not copy.exists()
    with pytest.raises(LookupError):
        folders.find(folders.name_of(packed))


def evolve(path: Path, problem: Path, kind: str, watch=None) -> str:
    begin(Problem.load(problem), path, seed=5, budget=Budget(60, "evals"))
    with opened(path, drive=True) as session:
        pool = open_workers(2, kind=kind)
        driver = Driver(session.run, session.problem, session.state, pool, trust=False)

        async def watched():
            watcher = asyncio.ensure_future(watch(session.state)) if watch else None
            reason = await driver.drive()
            if watcher:
                await watcher
            return reason

        assert asyncio.run(watched()) == "budget"
        assert session.state.evaluations == 60
        assert not [member for member in session.state.members.values() if member.verdict == "worker"]
        return session.state.digest.hex()


def test_a_run_has_the_same_history_on_a_cluster_that_loses_a_node_as_on_one_machine(cluster, tmp_path):
    problem = sine(tmp_path / "sine")
    undisturbed = evolve(tmp_path / "local", problem, "local")
    assert evolve(tmp_path / "ray", problem, f"ray:{cluster.address}") == undisturbed
    (doomed,) = cluster.worker_nodes
    removed_at = []

    async def lose_a_node(state):
        while state.committed < 15:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(cluster.remove_node, doomed, False)
        removed_at.append(state.committed)

    try:
        assert evolve(tmp_path / "maimed", problem, f"ray:{cluster.address}", lose_a_node) == undisturbed
    finally:
        cluster.add_node(num_cpus=1)
    assert removed_at[0] < 60


DRIVER = """
import asyncio, sys
from quiltwork.workers import open_workers
async def main():
    workers = open_workers(1, kind=f"ray:{sys.argv[1]}")
    await workers.run("tests.workers.functions:jailed", sys.argv[2], timeout_s=1e6)
asyncio.run(main())
"""


def test_actors_and_their_jails_end_with_a_killed_driver(cluster, tmp_path):
    note = tmp_path / "jails"
    command = [sys.executable, "-c", DRIVER, cluster.address, str(note)]
    driver = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    try:
        _wait_until(lambda: note.exists() or driver.poll() is not None)
        assert driver.poll() is None
    finally:
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    jails = [int(pid) for pid in note.read_text().split()]
    _wait_until(lambda: not any(_runs(pid) for pid in jails))


def test_a_cluster_without_room_or_without_an_answer_is_named(cluster, monkeypatch):
    monkeypatch.setattr("quiltwork.workers.ray.PATIENCE_S", 3.0)
    with pytest.raises(UserError, match=r"room for \d of 3 workers \(\d processors"):
        open_workers(3, kind=f"ray:{cluster.address}")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"pip install 'quiltwork\[ray\]'"):
        open_workers(1, kind="ray")


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def _wait_until(happened) -> None:
    deadline = time.monotonic() + PATIENT_S
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)
