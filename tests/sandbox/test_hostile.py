"""Programs that mean harm. Each is refused or contained, its verdict named, and the honest program after it is unharmed."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from quiltwork.sandbox import CandidateFailed, Jail, Limits, wire
from tests.sandbox.conftest import PATIENT, call_once, family

QUICK = Limits(wall_s=0.7, cpu_s=60.0, memory_mb=256, tmp_mb=4, output_kb=8, reply_mb=1)
"""For attacks that only a limit ends."""
ROOMY = Limits(wall_s=120.0, cpu_s=60.0, memory_mb=256, tmp_mb=4, output_kb=8, reply_mb=1)

HONEST = "import numpy as np\ndef act():\n    return [float(np.arange(10.0).sum()), len('honest'), sum([1, 2, 3])]"
HONEST_VALUE = [45.0, 6, 6]


@pytest.fixture(autouse=True)
def _the_next_program_is_unharmed(jail: Jail) -> Iterator[None]:
    server = jail.server_pid
    before = len(family(server))
    yield
    assert call_once(jail, HONEST) == HONEST_VALUE
    if jail.server_pid == server:
        assert len(family(server)) == before


def verdict(jail: Jail, source: str, limits: Limits = ROOMY) -> str:
    """The verdict on `act()`, which must fail."""
    with pytest.raises(CandidateFailed) as caught:
        call_once(jail, source, limits=limits)
    return caught.value.verdict


def attempt(jail: Jail, body: str, limits: Limits = ROOMY) -> object:
    """Run the body of `act`, each line indented here; whatever it raises comes back as text."""
    lines = "\n".join(f"        {line}" for line in body.strip().splitlines())
    source = (
        "import ctypes, os, signal, socket, sys\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "def act():\n    try:\n" + lines + "\n    except Exception as error:\n"
        "        return f'{type(error).__name__}: {error}'\n"
    )
    return call_once(jail, source, limits=limits)


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


# Secrets and other people's things


def test_keys_and_the_environment_are_not_there(jail, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("QUILTWORK_HOME", str(tmp_path))
    (tmp_path / "identity.key").write_text("secret")
    with Jail(trust=False, preload=()) as fresh:
        seen = attempt(fresh, "return dict(os.environ)")
        assert "secret" not in repr(seen)
        assert not {"OPENAI_API_KEY", "QUILTWORK_HOME", "USER"} & set(seen)
        assert "FileNotFoundError" in str(attempt(fresh, f"return open({str(tmp_path / 'identity.key')!r}).read()"))


@pytest.mark.parametrize(
    "path",
    [
        "/proc/1/environ",
        "/proc/self/environ",
        "/proc/2/mem",
        "/private/proc/self/environ",
        "/etc/passwd",
        "/etc/shadow",
        "/home",
        "/var",
        "/sys",
        "/run",
        "/boot",
        "/mnt",
    ],
)
def test_the_machine_is_not_there(jail, path):
    assert not attempt(jail, f"return os.path.exists({path!r})")


def test_the_home_folder_holds_nothing_but_pythons_own_path(jail):
    home = Path.home()
    assert not attempt(jail, f"return os.path.exists({str(home / '.ssh')!r})")
    found = attempt(jail, f"return os.listdir({str(home)!r}) if os.path.exists({str(home)!r}) else []")
    assert set(found) <= {".pyenv", ".local", "miniconda3", ".venv"}


def test_nothing_of_the_system_can_be_written(jail):
    body = """
written = []
for folder in ('/', '/usr/lib', '/dev', '/etc', os.path.dirname(os.__file__), sys.path[-1]):
    try: open(folder + '/mine', 'w'); written.append(folder)
    except OSError: pass
return written
"""
    assert attempt(jail, body) == []


def test_a_file_left_behind_is_not_there_for_the_next_program(jail):
    leave = "for folder in ('/tmp', '.', os.environ['HOME']): open(folder + '/note', 'w').write('hello')\nreturn 'left'"
    assert attempt(jail, leave) == "left"
    look = "return [name for name in ('/tmp/note', 'note') if os.path.exists(name)]"
    assert attempt(jail, look) == []


def test_a_symlink_leads_nowhere(jail):
    body = """
os.symlink('/', 'root'); os.symlink('/proc/1/environ', 'env'); os.link('program.py', 'twin')
return [os.path.exists('env'), sorted(os.listdir('root')) == sorted(os.listdir('/'))]
"""
    assert attempt(jail, body) == [False, True]


@pytest.mark.parametrize("path", ["../escape.py", "/etc/cron.d/job", "a/../../b.py", "a\x00b"])
def test_a_path_out_of_the_folder_is_refused_before_the_jail(jail, path):
    with pytest.raises(CandidateFailed) as caught:
        jail.start({"program.py": "", path: ""}, "program.py", PATIENT, 0)
    assert caught.value.verdict == "files"


def test_an_open_descriptor_of_the_server_is_not_inherited(jail):
    body = """
found = []
for fd in range(256):
    try: os.fstat(fd); found.append(fd)
    except OSError: pass
return found
"""
    assert attempt(jail, body) == [0, 1, 2, 3]


# The network


@pytest.mark.parametrize("family_name", ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET"])
def test_there_is_no_network(jail, family_name):
    assert "PermissionError" in str(
        attempt(jail, f"return socket.socket(socket.{family_name}, socket.SOCK_DGRAM).fileno()")
    )


def test_a_name_cannot_be_looked_up(jail):
    assert "Error" in str(attempt(jail, "return socket.create_connection(('127.0.0.1', 22), 1).fileno()"))
    assert "gaierror" in str(attempt(jail, "return socket.gethostbyname('example.com')"))


# The kernel


@pytest.mark.parametrize(
    "call",
    [
        "libc.unshare(0x10000000)",
        "libc.setns(3, 0)",
        "libc.mount(b'none', b'/tmp', b'tmpfs', 0, None)",
        "libc.umount2(b'/private', 2)",
        "libc.pivot_root(b'.', b'.')",
        "libc.chroot(b'.')",
        "libc.ptrace(16, 1, 0, 0)",
        "libc.process_vm_readv(1, None, 0, None, 0, 0)",
        "libc.syscall(321, 0, 0, 0)",
        "libc.syscall(425, 8, 0)",
        "libc.syscall(435, 0, 0)",
        "libc.syscall(323, 0)",
        "libc.syscall(298, 0, 0, -1, -1, 0)",
        "libc.syscall(250, 0, 0)",
        "libc.personality(0x40000)",
        "libc.setuid(0)",
        "libc.prctl(4, 1, 0, 0, 0)",
        "libc.syscall(434, 1, 0)",
        "libc.mknod(b'disk', 0o60600, 0x0801)",
    ],
)
def test_an_escape_through_the_kernel_is_refused(jail, call):
    if "syscall(" in call and os.uname().machine != "x86_64":
        pytest.skip("numbers of x86-64")
    assert attempt(jail, f"return {call}") == -1


def test_it_is_nobody_with_no_capability_and_not_pid_one(jail):
    body = """
head, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
assert libc.capget(head, data) == 0
return [os.getpid(), os.getuid() != 0, os.geteuid() != 0, sum(data)]
"""
    assert attempt(jail, body) == [2, True, True, 0]


def test_limits_cannot_be_raised(jail):
    body = """
import resource
refused = []
for name in ('RLIMIT_CPU', 'RLIMIT_FSIZE', 'RLIMIT_NPROC', 'RLIMIT_NOFILE', 'RLIMIT_CORE'):
    try: resource.setrlimit(getattr(resource, name), (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (ValueError, OSError): refused.append(name)
return len(refused)
"""
    assert attempt(jail, body) == 5


def test_limits_of_others_cannot_be_touched(jail):
    assert "Error" in str(
        attempt(jail, "import resource\nresource.prlimit(1, resource.RLIMIT_CPU, (1, 1))\nreturn 'done'")
    )


# The reply


def test_infinite_and_undefined_numbers_cross_as_the_data_they_are(jail):
    found = call_once(
        jail, "import numpy as np\ndef act(): return [float('inf'), float('nan'), np.array([np.inf, np.nan])]"
    )
    assert math.isinf(found[0])
    assert math.isnan(found[1])
    assert np.isnan(found[2][1])


FORGE = """
import os, struct, sys
sys.path.append('/')
from quiltwork.sandbox import wire
def act():
    {body}
    return 1
"""


@pytest.mark.parametrize(
    "body",
    [
        "os.write(3, b'score: 1000000')",
        "os.write(3, struct.pack('<I16s', 10, b'0' * 16) + b'0' * 10)",
        "payload = wire.encode(['ok', 1e6]); os.write(3, struct.pack('<I16s', len(payload), bytes(16)) + payload)",
        "wire.encode = lambda value: b'\\x01Mjunk'",
        "wire.encode = lambda value: bytes([1]) + b'T'",
    ],
    ids=["stray bytes", "a frame", "an honest frame with a wrong token", "junk", "no verdict"],
)
def test_a_forged_reply_is_named(jail, body):
    assert verdict(jail, FORGE.format(body=body)) in ("forged", "reply")


def test_a_stolen_token_buys_one_reply_that_a_return_would_have_given(jail):
    body = (
        "frame = sys._getframe(2).f_locals; payload = wire.encode(['ok', 1e6]);"
        " os.write(3, struct.pack('<I16s', len(payload), frame['token']) + payload)"
    )
    with jail.start({"program.py": FORGE.format(body=body)}, "program.py", ROOMY, 0) as session:
        with suppress(CandidateFailed):
            assert session.call("act") == 1e6
        with pytest.raises(CandidateFailed) as caught:
            session.call("act")
    assert caught.value.verdict == "forged"


def test_bytes_forged_between_two_calls_are_named(jail):
    source = """
import os, threading
timer = threading.Timer(0.05, os.write, (3, b'forged'))
def act(): timer.start()
def rest(): timer.join()
"""

    def both_calls(session):
        session.call("act")
        session.call("rest")

    with (
        jail.start({"program.py": source}, "program.py", ROOMY, 0) as session,
        pytest.raises(CandidateFailed) as caught,
    ):
        both_calls(session)
    assert caught.value.verdict == "forged"


EVIL = """
import os, pickle
class Evil:
    def __reduce__(self): return os.system, ('touch /tmp/owned',)
"""


def test_a_pickle_is_only_bytes(jail):
    source = EVIL + "def act(): return pickle.dumps(Evil())"
    assert isinstance(call_once(jail, source), bytes)
    assert verdict(jail, EVIL + "def act(): return Evil()") == "reply"
    forged = FORGE.format(body="import pickle; wire.encode = lambda value: pickle.dumps(value)")
    assert verdict(jail, forged) == "reply"


@pytest.mark.parametrize(
    "expression",
    ["b'x' * (3 << 20)", "[0.5] * 300_000", "['x'] * 2_000_000"],
)
def test_a_reply_that_is_too_large_is_refused(jail, expression):
    assert verdict(jail, f"def act(): return {expression}") == "reply"


def test_a_reply_that_only_claims_to_be_large_reserves_nothing(jail):
    assert (
        verdict(
            jail,
            "import os, struct, sys\ndef act(): os.write(3, struct.pack('<I', 0xffffffff) + sys._getframe(2).f_locals['token'])",
        )
        == "reply"
    )


def test_a_reply_that_blows_up_when_it_is_decoded_is_refused(jail):
    assert (
        verdict(
            jail,
            FORGE.format(
                body="wire.encode = lambda value: b'\\x01l' + struct.pack('<I', 1_000_000) + b'N' * 1_000_000"
            ),
        )
        == "reply"
    )


def test_a_reply_nested_too_deep_is_refused(jail):
    assert (
        verdict(jail, "def act():\n    found = []\n    for _ in range(5000): found = [found]\n    return found")
        == "reply"
    )


def test_an_endless_trickle_of_a_reply_is_ended_by_the_wall_clock(jail):
    body = "import time; os.write(3, struct.pack('<I16s', 1000, sys._getframe(2).f_locals['token'])); time.sleep(1000)"
    assert verdict(jail, FORGE.format(body=body), QUICK) == "wall"


@pytest.mark.parametrize(
    "then", ["", "; time.sleep(1000)", "; [0 for _ in iter(int, 1)]"], ids=["ending", "asleep", "busy"]
)
def test_closing_every_descriptor_ends_the_session_and_is_named(jail, then):
    assert verdict(jail, "import os, time\ndef act(): os.closerange(0, 256)" + then) == "exited"


def test_passing_descriptors_to_the_host_gives_it_none(jail):
    before = len(os.listdir("/proc/self/fd"))
    source = (
        "import array, socket\n"
        "def act():\n"
        "    channel = socket.socket(fileno=3)\n"
        "    channel.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [0] * 200))])\n"
    )
    assert verdict(jail, source) in ("forged", "exited")
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_program_that_cannot_be_asked_twice_is_not(jail):
    source = "import sys\ndef act():\n    sys.modules['quiltwork.sandbox.inmate'].SESSION_FD = 99\n    return 1"
    assert verdict(jail, source) == "exited"


# The evaluator


def test_tampering_with_modules_stays_in_the_jail(jail):
    source = (
        "import builtins, math, numpy as np, sys\n"
        "np.sum = np.ndarray = lambda *a, **k: 1e6\n"
        "math.sqrt = lambda x: 1e6\n"
        "builtins.len = lambda x: 10**6\n"
        "sys.modules['quiltwork.evolve.score'] = sys\n"
        "def act(): return 'patched'\n"
    )
    with suppress(CandidateFailed):
        call_once(jail, source)
    assert np.arange(3).sum() == 3
    assert math.sqrt(4.0) == 2.0
    assert call_once(jail, HONEST) == HONEST_VALUE


def test_the_evaluator_is_not_in_the_jail(jail):
    assert "Error" in str(attempt(jail, "import quiltwork.evolve.score\nreturn 'found'"))
    assert wire.decode(wire.encode([1])) == [1]
