"""Programs that reach for what is not theirs: keys, files, the network, the kernel. Each is refused, and the next is unharmed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from quiltwork.sandbox import CandidateFailed, Jail
from tests.sandbox.conftest import PATIENT
from tests.sandbox.hostile import attempt, the_next_program_is_unharmed

__all__ = ["the_next_program_is_unharmed"]
pytestmark = pytest.mark.usefixtures("the_next_program_is_unharmed")

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
    folders = "(os.environ['TMPDIR'], '.', os.environ['HOME'])"
    leave = f"for folder in {folders}: open(folder + '/note', 'w').write('hello')\nreturn 'left'"
    assert attempt(jail, leave) == "left"
    look = "return [name for name in (os.environ['TMPDIR'] + '/note', 'note') if os.path.exists(name)]"
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
