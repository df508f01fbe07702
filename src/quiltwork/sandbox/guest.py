"""What a user's own command sees of this machine when it works in a jail: the system, one folder, and what was named.

Other than a candidate, a guest is a command that the user chose; the walls are there for its mistakes and for what a hostile
text might talk it into. So it may have the network, and no filter of system calls binds it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

WORK: Final = "/errand"
"""The folder that a guest works in, as it sees it."""

SCRATCH_MB: Final = 512
"""Each of the guest's private folders in memory: its home, /tmp, /dev/shm."""

_LINKED: Final = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")

_SETTINGS: Final = (
    "alternatives",
    "ca-certificates",
    "gai.conf",
    "group",
    "host.conf",
    "hosts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "nsswitch.conf",
    "passwd",
    "pki",
    "protocols",
    "resolv.conf",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
)
"""Of /etc, what programs need to run and to find other machines; no keys, no host's secrets."""


def guest_environment(named: Sequence[str]) -> dict[str, str]:
    """All that a guest's environment holds: a plain one, and the variables that were named, as far as they are set."""
    plain = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": _home(),
        "TMPDIR": "/tmp",  # noqa: S108  the jail's own
        "LANG": "C.UTF-8",
        "USER": "agent",
    }
    return plain | {name: os.environ[name] for name in named if name in os.environ}


def guest_command(
    bwrap: str, folder: Path, *, fixed: Sequence[str], read: Sequence[str], network: bool, status_fd: int
) -> list[str]:
    """Bubblewrap's command line up to the guest's own words; its environment is the one that bubblewrap is started with.

    `folder` is what the guest works in, `fixed` names what in it may only be read, `read` are absolute paths of this machine
    that are shown where they are. Bubblewrap writes to `status_fd` which process is the jail's first, and how it ended.
    """
    command = [bwrap, "--unshare-user", "--uid", "1000", "--gid", "1000", "--cap-drop", "ALL"]
    command += ["--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"]
    command += [] if network else ["--unshare-net"]
    command += ["--die-with-parent", "--new-session", "--hostname", "jail", "--json-status-fd", str(status_fd)]
    return [*command, *_mounts(folder, fixed, read), "--chdir", WORK, "--"]


def _mounts(folder: Path, fixed: Sequence[str], read: Sequence[str]) -> Iterator[str]:
    yield from ("--ro-bind", "/usr", "/usr")
    for path in _LINKED:
        if os.path.islink(path):
            yield from ("--symlink", os.readlink(path), path)
        elif os.path.isdir(path):
            yield from ("--ro-bind", path, path)
    for name in _SETTINGS:
        if os.path.exists(f"/etc/{name}"):
            yield from ("--ro-bind", f"/etc/{name}", f"/etc/{name}")
    yield from ("--proc", "/proc", "--dev", "/dev")
    for path in ("/dev/shm", "/tmp", _home()):  # noqa: S108  the jail's own
        yield from ("--size", str(SCRATCH_MB * 2**20), "--perms", "0700", "--tmpfs", path)
    for path in read:
        yield from ("--ro-bind", path, path)
    yield from ("--bind", str(folder), WORK)
    for name in fixed:
        yield from ("--ro-bind", str(folder / name), f"{WORK}/{name}")
    yield from ("--remount-ro", "/dev", "--remount-ro", "/")


def _home() -> str:
    """The user's own home by name, so that what is shown of it lies where programs look for it; empty otherwise."""
    home = os.path.normpath(os.path.expanduser("~"))
    system = ("/usr", "/etc", "/proc", "/dev", "/tmp", WORK, *_LINKED)  # noqa: S108  names only
    taken = any(home == path or home.startswith(path + "/") for path in system)
    return "/home/agent" if taken or home == "/" or not home.startswith("/") else home
