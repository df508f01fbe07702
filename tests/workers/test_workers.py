"""Workers of every kind answer alike; those that are processes die as they should."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quiltwork.errors import UserError
from quiltwork.workers import WorkerDied, WorkerError, WorkerTimeout, open_workers, register
from tests.sandbox.conftest import family
from tests.workers.functions import PickyError

HERE = "tests.workers.functions"
PATIENT_S = 120.0


@pytest.fixture(params=["inline", "local"])
def workers(request):
    found = open_workers(2, kind=request.param)
    yield found
    found.close()


@pytest.fixture
def local():
    found = open_workers(2, kind="local")
    yield found
    found.close()


def run(workers, name, payload=None, timeout_s=PATIENT_S):
    return asyncio.run(workers.run(f"{HERE}:{name}", payload, timeout_s=timeout_s))


def test_payload_and_result_cross(workers):
    value = {"text": "é", "raw": b"\x00", "list": [1, 2.5, None, True], "map": {"a": {}}}
    assert run(workers, "echo", value) == value


def test_tuples_become_lists_in_every_kind(workers):
    assert run(workers, "echo", (1, 2)) == [1, 2]


def test_an_exception_comes_back_with_its_traceback(workers):
    with pytest.raises(WorkerError, match="ValueError: fell over x") as caught:
        run(workers, "fall", "x")
    assert "functions.py" in caught.value.traceback
    assert run(workers, "echo", 1) == 1


def test_a_users_error_comes_back_as_the_same_class_with_the_same_text(workers):
    with pytest.raises(PickyError) as caught:
        run(workers, "refuse")
    assert str(caught.value) == "problem.toml, line 3: no"


@pytest.mark.parametrize("name", ["no_such_function", "PATIENT"])
def test_a_function_that_is_not_there_is_named(workers, name):
    with pytest.raises(WorkerError, match=name):
        run(workers, name)


def test_a_result_that_msgpack_cannot_say_is_named(local):
    with pytest.raises(WorkerError, match="msgpack"):
        run(local, "unspeakable")
    assert run(local, "echo", 1) == 1


def test_a_payload_that_msgpack_cannot_say_is_the_callers_fault(workers):
    with pytest.raises(TypeError):
        run(workers, "echo", object())


def test_the_size_is_what_was_asked_for_and_at_least_one(workers):
    assert workers.size == 2
    with pytest.raises(UserError, match="at least one"):
        open_workers(0)


def test_an_unknown_kind_names_the_known_ones():
    with pytest.raises(UserError, match="inline, local"):
        open_workers(1, kind="cluster")


def test_a_registered_kind_is_opened():
    asked = []
    register("test", lambda size, address: asked.append((size, address)) or open_workers(size, kind="inline"))
    assert run(open_workers(3, kind="test:there:80"), "echo", 5) == 5
    assert asked == [(3, "there:80")]


def test_a_worker_keeps_its_globals_between_calls():
    one = open_workers(1, kind="local")
    try:
        first, second = run(one, "counted"), run(one, "counted")
    finally:
        one.close()
    assert first[0] == second[0] != os.getpid()
    assert second[1] == first[1] + 1


def test_calls_run_at_once_and_one_at_a_time_per_worker(local):
    async def many():
        calls = [local.run(f"{HERE}:counted", None, timeout_s=PATIENT_S) for _ in range(20)]
        return await asyncio.gather(*calls)

    found = asyncio.run(many())
    assert {pid for pid, _ in found} <= set(local.pids)
    for pid in local.pids:
        counts = [count for who, count in found if who == pid]
        assert counts == sorted(set(counts))


def test_a_large_message_crosses(local):
    raw = bytes(5_000_000)
    assert run(local, "echo", raw) == raw


@pytest.mark.parametrize(("name", "words"), [("vanish", "exit status 3"), ("crash", "SIGSEGV")])
def test_a_worker_that_dies_is_named_and_replaced(local, name, words):
    before = set(local.pids)
    with pytest.raises(WorkerDied, match=words):
        run(local, name)
    assert len(set(local.pids) - before) == 1
    assert [run(local, "echo", i) for i in range(4)] == [0, 1, 2, 3]


def test_a_worker_killed_while_idle_is_noticed_at_its_next_call(local):
    os.kill(local.pids[0], signal.SIGKILL)
    outcomes = []
    for _ in range(4):
        try:
            outcomes.append(run(local, "echo", "well"))
        except WorkerDied:
            outcomes.append("died")
    assert outcomes.count("died") == 1


def test_a_call_that_takes_too_long_is_ended(local):
    before = set(local.pids)
    with pytest.raises(WorkerTimeout, match=r"functions:sleep took more than 0\.2 s"):
        run(local, "sleep", timeout_s=0.2)
    assert len(set(local.pids) & before) == 1
    assert [run(local, "echo", i) for i in range(2)] == [0, 1]


def test_a_call_that_nobody_waits_for_is_ended_with_all_it_started(local, tmp_path):
    note = tmp_path / "pids"

    async def give_up():
        call = asyncio.ensure_future(local.run(f"{HERE}:spawn_and_sleep", str(note), timeout_s=PATIENT_S))
        while not (note.exists() and note.read_text().count(" ") == 1) and not call.done():
            await asyncio.sleep(0.02)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)

    asyncio.run(give_up())
    worker, child = (int(pid) for pid in note.read_text().split())
    assert worker not in local.pids
    _wait_until(lambda: not _runs(child))
    assert [run(local, "echo", i) for i in range(2)] == [0, 1]


def test_closing_ends_the_processes(local):
    pids = local.pids
    local.close()
    local.close()
    assert not any(_runs(pid) for pid in pids)


def test_a_call_costs_little(local):
    async def calls(count):
        for _ in range(count):
            await local.run(f"{HERE}:echo", {"files": {"program.py": "x" * 2_000}}, timeout_s=PATIENT_S)

    asyncio.run(calls(20))
    started = time.process_time()
    asyncio.run(calls(300))
    assert (time.process_time() - started) / 300 < 0.003  # measured: 0.05 ms; ten times that is still well


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


DRIVER = """
import asyncio, sys
from quiltwork.workers import open_workers
async def main():
    workers = open_workers(2, kind="local")
    calls = [workers.run("tests.workers.functions:jailed", f"{sys.argv[1]}/{i}", timeout_s=1e6) for i in range(2)]
    await asyncio.gather(*calls)
asyncio.run(main())
"""


def test_kill_nine_of_the_driver_leaves_no_process_behind(jail, tmp_path):
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, str(tmp_path)], cwd=Path(__file__).parents[2])
    try:
        _wait_until(lambda: all((tmp_path / str(i)).exists() for i in range(2)) or driver.poll() is not None)
        assert driver.poll() is None
        below = family(driver.pid)[1:]
        assert len(below) > 10  # two workers, each with a jail and a bare server, each with a program
    finally:
        driver.kill()
        driver.wait()
    _wait_until(lambda: not any(_runs(pid) for pid in below))


def test_an_interrupt_is_the_drivers_alone(local):
    pids = local.pids
    assert run(local, "echo", 1) == 1
    assert run(local, "echo", 1) == 1
    for pid in pids:
        os.kill(pid, signal.SIGINT)
    assert [run(local, "counted")[0] in pids for _ in range(4)] == [True] * 4


def _wait_until(condition, patience_s=120.0):
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
