"""One warm jail for all tests of the room, and ways to look at it from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from quiltwork.sandbox import Jail, JailUnavailable, Limits, Session, open_jail

PATIENT = Limits(wall_s=120.0, cpu_s=60.0, memory_mb=512)
"""Limits that no honest test reaches, on a machine ten times slower too."""


@pytest.fixture(scope="session")
def jail() -> Iterator[Jail]:
    try:
        found = open_jail(preload=("numpy",))
    except JailUnavailable as error:
        pytest.skip(str(error))
    with found:
        yield found


@pytest.fixture(scope="session")
def trusting_jail() -> Iterator[Jail]:
    with open_jail(trust=True, preload=("numpy",)) as found:
        yield found


@pytest.fixture
def start(jail: Jail) -> Iterator[Callable[..., Session]]:
    """Start a program of one file; sessions end with the test."""
    opened: list[Session] = []

    def begin(source: str, limits: Limits = PATIENT, seed: int = 1, **files: str) -> Session:
        opened.append(jail.start({"program.py": source, **files}, "program.py", limits, seed))
        return opened[-1]

    yield begin
    for session in opened:
        session.close()


def call_once(jail: Jail, source: str, *args: Any, limits: Limits = PATIENT, seed: int = 1) -> Any:
    """Run `act(*args)` of a program of one file."""
    with jail.start({"program.py": source}, "program.py", limits, seed) as session:
        return session.call("act", *args)


def family(pid: int) -> list[int]:
    """A process and everything below it, as the host sees it; the list of a process's children is not reliable, this is."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            parents[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
    found = [pid]
    for parent in found:
        found += [child for child, above in parents.items() if above == parent]
    return found
