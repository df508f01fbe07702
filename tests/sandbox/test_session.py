"""Honest programs: what they are given, what they get back, and how their failures read."""

from __future__ import annotations

import numpy as np
import pytest

from quiltwork.sandbox import CandidateFailed, JailUnavailable, Limits, open_jail
from tests.sandbox.conftest import PATIENT, call_once


def test_data_goes_in_and_data_comes_out(jail):
    points = np.arange(6.0).reshape(3, 2)
    found = call_once(jail, "def act(points, scale):\n    return {'sum': points * scale, 'n': (1, 2)}", points, 2.0)
    np.testing.assert_array_equal(found["sum"], points * 2.0)
    assert found["n"] == [1, 2]


def test_keyword_arguments_reach_the_function(start):
    assert start("def act(a, *, b): return [a, b]").call("act", 1, b=2) == [1, 2]


def test_a_session_keeps_state_between_calls_and_the_next_session_does_not(start):
    source = "count = 0\ndef act():\n    global count\n    count += 1\n    return count"
    first = start(source)
    assert [first.call("act") for _ in range(3)] == [1, 2, 3]
    assert start(source).call("act") == 1


def test_a_program_of_several_files_imports_its_own_modules(jail):
    files = {
        "main.py": "from parts.inner import value\nimport helper\ndef act(): return [value, helper.value]",
        "parts/inner.py": "value = 1",
        "helper.py": "value = open('notes/data.txt').read()",
        "notes/data.txt": "read me",
    }
    with jail.start(files, "main.py", PATIENT, 0) as session:
        assert session.call("act") == [1, "read me"]


def test_an_entry_in_a_folder_imports_its_neighbours(jail):
    files = {"src/main.py": "import near\ndef act(): return near.value", "src/near.py": "value = 3"}
    with jail.start(files, "src/main.py", PATIENT, 0) as session:
        assert session.call("act") == 3


def test_two_sessions_live_side_by_side(start):
    one, two = start("def act(x): return x + 1"), start("def act(x): return x + 2")
    assert [one.call("act", 0), two.call("act", 0), one.call("act", 1)] == [1, 2, 2]


def test_what_a_program_prints_can_be_read_even_if_it_is_killed(start):
    session = start("import os\ndef act():\n    print('before the end')\n    os._exit(3)")
    with pytest.raises(CandidateFailed, match="before the end"):
        session.call("act")
    assert session.output == "before the end\n"


def test_usage_counts_processor_time_and_the_time_of_calls(start):
    session = start("def act():\n    return sum(i * i for i in range(300_000))")
    session.call("act")
    session.close()
    assert 0.001 < session.usage.cpu_s < 60.0
    assert session.usage.wall_s > 0.001


def test_threads_work_without_processes(jail):
    source = (
        "import threading\n"
        "def act():\n"
        "    found = []\n"
        "    threads = [threading.Thread(target=found.append, args=(i,)) for i in range(4)]\n"
        "    [t.start() for t in threads]; [t.join() for t in threads]\n"
        "    return sorted(found)"
    )
    assert call_once(jail, source) == [0, 1, 2, 3]


def test_child_processes_work_where_the_limits_allow_them(jail):
    source = (
        "import os\n"
        "def act():\n"
        "    pid = os.fork()\n"
        "    if pid == 0: os._exit(7)\n"
        "    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])"
    )
    assert call_once(jail, source, limits=Limits(wall_s=120.0, processes=2)) == 7


DRAWS = """
import os, random, secrets, uuid
import numpy as np
def act():
    return [random.random(), random.Random().random(), np.random.rand(), np.random.default_rng().random(),
            secrets.token_hex(8), os.urandom(4), str(uuid.uuid4()), list({"a", "b", "c", "d", "e"})]
"""


def test_everything_a_program_draws_is_a_function_of_its_seed(jail):
    first = call_once(jail, DRAWS, seed=1)
    assert call_once(jail, DRAWS, seed=1) == first
    other = call_once(jail, DRAWS, seed=2)
    assert all(a != b for a, b in zip(first[:7], other[:7], strict=True))


def test_draws_do_not_depend_on_which_server_forked_the_program(jail, trusting_jail):
    assert call_once(trusting_jail, DRAWS, seed=5) == call_once(jail, DRAWS, seed=5)


@pytest.mark.parametrize(
    ("source", "verdict", "words"),
    [
        ("def act():\n    return [1][4]", "raised", "IndexError"),
        ("import nowhere", "raised", "ModuleNotFoundError"),
        ("def act(:", "syntax", "program.py"),
        ("x = '\\0'\x00", "syntax", "null bytes"),
        ("def other(): pass", "missing", "no function 'act'"),
        ("act = 3", "missing", "no function 'act'"),
        ("def act():\n    raise SystemExit(0)", "exited", "SystemExit"),
        ("import sys\nsys.exit()", "exited", "SystemExit"),
        ("def act():\n    raise KeyboardInterrupt", "raised", "KeyboardInterrupt"),
        ("def act():\n    return object()", "reply", "object is not data"),
        ("def act():\n    return {1: 2}", "reply", "keys are strings"),
        ("def act():\n    return act()", "raised", "RecursionError"),
    ],
)
def test_a_failure_is_named(jail, source, verdict, words):
    with pytest.raises(CandidateFailed) as caught:
        call_once(jail, source)
    assert caught.value.verdict == verdict
    assert words in caught.value.detail


def test_a_traceback_shows_the_programs_files_and_lines_and_nothing_else(start):
    session = start("import helper\ndef act():\n    return helper.fall()", **{"helper.py": "def fall():\n    1 / 0"})
    with pytest.raises(CandidateFailed) as caught:
        session.call("act")
    assert 'File "program.py", line 3, in act' in caught.value.detail
    assert 'File "helper.py", line 2, in fall' in caught.value.detail
    assert "ZeroDivisionError" in caught.value.detail
    assert "inmate" not in caught.value.detail
    assert "/private" not in caught.value.detail


def test_a_session_survives_an_exception_and_not_an_exit(start):
    session = start("import os\ndef fall(): 1 / 0\ndef act(): return 1\ndef leave(): os._exit(0)")
    with pytest.raises(CandidateFailed):
        session.call("fall")
    assert session.call("act") == 1
    for _ in range(2):
        with pytest.raises(CandidateFailed) as caught:
            session.call("leave")
        assert caught.value.verdict == "exited"


def test_a_closed_session_refuses_calls(start):
    session = start("def act(): return 1")
    session.close()
    session.close()
    with pytest.raises(ValueError, match="closed"):
        session.call("act")


def test_a_large_argument_and_a_large_reply_pass_each_other(start):
    big = np.zeros(1_000_000)
    found = start("def act(x): return [x, x]", Limits(wall_s=120.0, reply_mb=20)).call("act", big)
    assert found[1].shape == big.shape


def test_a_module_that_cannot_be_preloaded_is_named():
    with pytest.raises(JailUnavailable, match="no_such_module"):
        open_jail(trust=True, preload=("no_such_module",))
