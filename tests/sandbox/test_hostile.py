"""Programs that mean to use up the machine. Each is contained, its verdict named, and the program after it is unharmed."""

from __future__ import annotations

import time

import pytest

from quiltwork.sandbox import CandidateFailed, Limits
from tests.sandbox.conftest import call_once, family
from tests.sandbox.hostile import QUICK, ROOMY, attempt, the_next_program_is_unharmed, verdict

__all__ = ["the_next_program_is_unharmed"]
pytestmark = pytest.mark.usefixtures("the_next_program_is_unharmed")

# Ends of the process


@pytest.mark.parametrize("source", ["import os\ndef act(): os._exit(0)", "import os\nos._exit(0)"])
def test_an_exit_behind_pythons_back_is_named(jail, source):
    assert verdict(jail, source) == "exited"


@pytest.mark.parametrize(
    "source", ["def act(): raise SystemExit", "exit = SystemExit(0)\nraise exit", "import sys\ndef act(): sys.exit(1)"]
)
def test_a_system_exit_ends_the_program_and_not_the_server(jail, source):
    assert verdict(jail, source) == "exited"


def test_a_crash_is_named(jail):
    assert verdict(jail, "import ctypes\ndef act(): ctypes.string_at(1)") == "signal"


def test_an_abort_is_named(jail):
    with pytest.raises(CandidateFailed, match="SIGABRT"):
        call_once(jail, "import os\ndef act(): os.abort()")


def test_recursion_too_deep_for_the_stack_is_a_crash_and_nothing_more(jail):
    source = """
import sys
def act():
    sys.setrecursionlimit(10**9)
    nest = []
    for _ in range(1_000_000): nest = [nest]
    return repr(nest)
"""
    assert verdict(jail, source) == "signal"


# Time


@pytest.mark.parametrize(
    "source",
    [
        "def act():\n    while True: pass",
        "while True: pass",
        "def act():\n    return 7 ** (7 ** 9)",
        "import time\ndef act(): time.sleep(1000)",
        "def act():\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass",
    ],
    ids=["python", "while importing", "inside C", "asleep", "catching everything"],
)
def test_an_endless_loop_is_ended_by_the_wall_clock(jail, source):
    started = time.monotonic()
    assert verdict(jail, source, QUICK) == "wall"
    assert time.monotonic() - started >= QUICK.wall_s


def test_processor_time_is_limited_in_python_and_in_threads(jail):
    spin = "import threading\ndef spin():\n    while True: pass\ndef act():\n    threading.Thread(target=spin).start(); spin()"
    assert verdict(jail, spin, Limits(wall_s=120.0, cpu_s=1.0)) == "cpu"


def test_the_signal_of_the_processor_limit_cannot_be_ignored_for_long(jail):
    source = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\ndef act():\n    while True: pass"
    assert verdict(jail, source, Limits(wall_s=120.0, cpu_s=1.0)) == "cpu"


# Memory and other stores


def test_a_memory_bomb_is_named(jail):
    assert verdict(jail, "def act():\n    return len(bytearray(2 << 30))") == "memory"


def test_a_slow_memory_bomb_is_named(jail):
    assert verdict(jail, "def act():\n    kept = []\n    while True: kept.append(bytearray(1 << 20))") == "memory"


def test_memory_outside_the_address_space_cannot_be_had(jail):
    for call in ("libc.memfd_create(b'x', 0)", "libc.shmget(0, 1 << 20, 0o1600)"):
        assert attempt(jail, f"return {call}") == -1


def test_a_private_folder_fills_up_and_no_more(jail):
    found = attempt(
        jail,
        """
with open('big', 'wb') as file:
    for _ in range(1000): file.write(bytes(1 << 16))
""",
    )
    assert "File too large" in str(found) or "No space left" in str(found)
    many = attempt(jail, "for i in range(100): open(f'f{i}', 'wb').write(bytes(1 << 18))")
    assert "No space left" in str(many)
    inodes = attempt(jail, "for i in range(100_000): open(f'e{i}', 'w').close()")
    assert "No space left" in str(inodes)


def test_a_flood_of_output_is_cut_and_hurts_no_one(jail):
    source = "import os\ndef act():\n    for _ in range(200):\n        print('x' * 1000)\n    return 'done'"
    with jail.start({"program.py": source}, "program.py", ROOMY, 0) as session:
        assert session.call("act") == "done"
        assert len(session.output) == ROOMY.output_kb * 1024


def test_a_flood_past_pythons_streams_is_cut_too(jail):
    source = """
import os
def act():
    written = 0
    try:
        while True: written += os.write(1, b'y' * 4096)
    except OSError: return written
"""
    with jail.start({"program.py": source}, "program.py", ROOMY, 0) as session:
        assert session.call("act") == ROOMY.output_kb * 1024
        assert set(session.output) == {"y"}


def test_the_output_cannot_be_grown_or_moved_past_its_end(jail):
    source = """
import os
def act():
    os.lseek(1, 1 << 40, 0)
    try: os.ftruncate(1, 1 << 40)
    except OSError: pass
    print('z')
"""
    with jail.start({"program.py": source}, "program.py", ROOMY, 0) as session:
        session.call("act")
        assert len(session.output) <= ROOMY.output_kb * 1024


# Processes


@pytest.mark.parametrize(
    "call",
    [
        "os.fork()",
        "os.posix_spawn('/usr/bin/env', ['env'], {})",
        "os.execv('/usr/bin/env', ['env'])",
        "os.system('true') or 'ran'",
    ],
)
def test_no_process_can_be_started(jail, call):
    found = attempt(jail, f"return {call}")
    assert isinstance(found, int) or "PermissionError" in str(found) or "OSError" in str(found)
    assert found not in (0, "ran")


def test_a_fork_bomb_gets_nowhere(jail):
    body = """
started = 0
for _ in range(1000):
    try:
        if os.fork() == 0: os._exit(0)
        started += 1
    except OSError: pass
return started
"""
    assert attempt(jail, body) == 0


def test_a_fork_bomb_where_processes_are_allowed_dies_with_its_program(jail):
    source = (
        "import os, time\ndef act():\n    while True:\n        try: os.fork()\n        except OSError: time.sleep(0.01)"
    )
    limits = Limits(wall_s=0.7, cpu_s=60.0, processes=8, memory_mb=256)
    assert verdict(jail, source, limits) == "wall"


def test_an_orphan_dies_with_its_program(jail):
    source = (
        "import os, time\n"
        "def act():\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        if os.fork() == 0: time.sleep(10_000)\n"
        "        os._exit(0)\n"
        "    return 'left one behind'\n"
    )
    before = len(family(jail.server_pid))
    with jail.start({"program.py": source}, "program.py", Limits(wall_s=120.0, processes=4), 0) as session:
        assert session.call("act") == "left one behind"
        assert len(family(jail.server_pid)) > before
    assert len(family(jail.server_pid)) == before


def test_a_thread_bomb_is_stopped_by_the_kernel(jail):
    source = (
        "import threading\n"
        "threading.stack_size(32768)\n"
        "def act():\n"
        "    stop, started = threading.Event(), 0\n"
        "    try:\n"
        "        for _ in range(5000):\n"
        "            threading.Thread(target=stop.wait, daemon=True).start(); started += 1\n"
        "    except RuntimeError: pass\n"
        "    stop.set()\n"
        "    return started\n"
    )
    assert 10 < call_once(jail, source, limits=ROOMY) < 300


@pytest.mark.parametrize("number", [9, 15, 19])
@pytest.mark.parametrize("target", [1, 0, -1, "os.getppid()", "os.getpgrp()", "os.getpid()"])
def test_no_signal_reaches_anybody(jail, target, number):
    assert "PermissionError" in str(attempt(jail, f"os.kill({target}, {number})"))


def test_where_processes_are_allowed_signals_stay_in_the_namespace(jail):
    limits = Limits(wall_s=120.0, processes=2)
    assert attempt(jail, "os.kill(1, 9)\nos.kill(1, 19)\nreturn 'still here'", limits) == "still here"
    assert "ProcessLookupError" in str(attempt(jail, "os.kill(4242, 9)", limits))
    with pytest.raises(CandidateFailed) as caught:
        call_once(jail, "import os\ndef act():\n    os.kill(0, 9)", limits=limits)
    assert caught.value.verdict == "signal"
