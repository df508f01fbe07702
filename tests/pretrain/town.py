"""A run as users start it: a server and members that are processes of their own, looked at through the run's folder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import tomli_w

from quiltwork.log import SqliteLog
from quiltwork.pretrain.facts import Closed, Health, Member, RunState
from quiltwork.pretrain.state import apply
from tests.pretrain import tiny

PATIENCE_S = 240.0
"""For anything to happen: the machine may be ten times too busy."""

CRASHED = 1
"""What Python ends with after a traceback."""

PROGRAM = (sys.executable, "-m", "quiltwork.cli.main", "pretrain")


@cache
def _bytecode() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="quiltwork-bytecode-")  # deleted when the tests end


def environment() -> dict[str, str]:
    """A user's: torch has one thread, and compiled modules are kept, without which every process compiles torch anew."""
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    if env.pop("PYTHONDONTWRITEBYTECODE", ""):
        env["PYTHONPYCACHEPREFIX"] = _bytecode().name
    return env


class Town:
    """A server and members below a folder. Use it as a context manager, which ends what still runs."""

    def __init__(self, folder: Path, **rules: Any) -> None:
        self.folder, self.run = folder, folder / "run"
        self.config = folder / "run.toml"
        tiny.data(folder)
        self.config.write_text(tomli_w.dumps(tiny.config(**rules).model_dump(mode="json", exclude_unset=True)))
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.state = RunState()
        self.closed: dict[int, Closed] = {}
        self.port = free_port()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._running.values():
            process.kill()
            process.wait()
        if error is not None:
            for output in sorted(self.folder.glob("*.out")):
                error.add_note(f"{output.name}: {output.read_text(errors='replace')[-2000:]}")

    # --- processes ----------------------------------------------------------------------------------------------------

    def start(self, name: str, *words: str, limits: Callable[[], None] | None = None) -> subprocess.Popen[bytes]:
        """Start a command of `quiltwork pretrain`, whose output goes to `NAME.out`."""
        env = environment() | {"QUILTWORK_HOME": str(self.folder / f"{name}.home")}
        if limits is not None:  # who may not write much would leave others halves of compiled modules
            env["PYTHONDONTWRITEBYTECODE"] = "1"
        with open(self.folder / f"{name}.out", "ab") as output:
            process = subprocess.Popen(
                [*PROGRAM, *words],
                cwd=self.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=limits,
                start_new_session=True,
            )
        self._running[name] = process
        return process

    def serve(self, **options: Any) -> subprocess.Popen[bytes]:
        """Begin the run, or go on with it, at the same port."""
        (self.run / "invitation").unlink(missing_ok=True)
        what = (str(self.run),) if (self.run / "run.toml").exists() else (str(self.config), "--out", str(self.run))
        process = self.start("server", "serve", *what, "--port", str(self.port), **options)
        self.until(lambda: (self.run / "invitation").exists() and self.invitation.endswith("\n"))
        return process

    @property
    def invitation(self) -> str:
        return (self.run / "invitation").read_text()

    def join(self, name: str, *words: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start a member, or start it again: its home is `NAME`."""
        invitation = self.invitation.strip()
        given = ("--name", name, "--folder", str(self.folder / name), "--data", str(self.folder), "--threads", "1")
        return self.start(name, "join", invitation, *given, *words, **options)

    def end(self, name: str, number: signal.Signals) -> int:
        """Send a signal, and give the exit status."""
        self._running[name].send_signal(number)
        return self.status(name)

    def status(self, name: str) -> int:
        """Wait until a process ends, and give its exit status."""
        return self._running[name].wait(timeout=PATIENCE_S)

    def output(self, name: str) -> str:
        return (self.folder / f"{name}.out").read_text(errors="replace")

    # --- what came of it --------------------------------------------------------------------------------------------------

    def look(self) -> RunState:
        """Fold what is new in the run's log."""
        log = SqliteLog(self.run / "log.db", readonly=True)
        try:
            for entry in log.read(self.state.entries):
                apply(self.state, entry)
                for number in range(max(self.closed, default=0) + 1, self.state.last + 1):
                    self.closed[number] = self.state.closed[number]
        finally:
            log.close()
        return self.state

    def until(self, condition: Callable[[], object]) -> None:
        """Wait for something, as long as the server runs."""
        patience = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < patience, "it did not happen in time"
            assert "server" not in self._running or self._running["server"].poll() is None, "the server has ended"
            assert all(process.poll() != CRASHED for process in self._running.values()), "somebody has crashed"
            time.sleep(0.1)

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)

    def until_round(self, number: int) -> None:
        self.until(lambda: self.look().last >= number)

    def member(self, name: str) -> Member | None:
        return next((each for each in self.look().members.values() if each.said.name == name), None)

    def is_healthy(self, name: str) -> bool:
        member = self.member(name)
        return member is not None and member.health is Health.HEALTHY

    def units_by(self, name: str, since: int = 0) -> int:
        """Count the units of a member that were accepted after a round."""
        found = self.member(name)
        return sum(
            len(update.body.units)
            for closed in self.closed.values()
            if closed.number > since
            for update in closed.updates
            if found is not None and update.author == found.author
        )

    def unaccounted_units(self) -> Counter[int]:
        """Units that were given out: +1 for each that nobody has or will have, -1 for each time that one counted too often."""
        self.look()
        state = self.state
        units = Counter(range(state.next_unit))
        units.subtract(
            unit for closed in self.closed.values() for update in closed.updates for unit in update.body.units
        )
        units.subtract(state.returned)
        for given in (state.round, state.ahead):
            if given is not None:
                units.subtract(unit for each in given.assigned.values() for unit in each)
        return Counter({unit: count for unit, count in units.items() if count})


def free_port() -> int:
    """Give a port that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port
