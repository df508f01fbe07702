"""A whole run on one machine: a coordinator, four workers that are processes of their own, one that lies, one that is killed.

The workers join over HTTP and TCP as they would from another town. What happens to them is decided by the state alone: the
second is killed (SIGKILL) once the run is well under way, and comes back after a while.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from quiltwork.errors import UserError
from quiltwork.pretrain.facts import Health, Phase, RunState
from quiltwork.pretrain.serve import Coordinator

WORKERS = ("amber", "blue", "coral", "delta")
VICTIM, LIAR = "blue", "delta"
LIE = "random-gradient"

KILLED_AT = 0.4
"""Share of the steps after which the victim is killed, if the liar is out by then: two accidents at once would be luck."""

AWAY_ROUNDS = 5
"""Rounds after which the victim is started again: by then the others have gone on without it."""

GRACE_S = 20.0
"""How long workers may take to end by themselves, once the run is over."""


@dataclass
class Accidents:
    """What was done to the workers, at which round. `restarted` is when the killed one was started, `returned` when it was in."""

    killed: int = 0
    restarted: int = 0
    returned: int = 0
    ejected: int = 0


class Demo:
    """Serves the run at `path` and has it trained by workers below it. `run` ends with it."""

    def __init__(self, path: Path) -> None:
        self.coordinator = Coordinator(path, host="127.0.0.1", port=0)
        self.path = path
        self.accidents = Accidents()
        self.began = time.monotonic()
        self._workers: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def state(self) -> RunState:
        """The run, as the coordinator sees it."""
        return self.coordinator.state

    def cpu_s(self) -> float:
        """Seconds of processor time that this process and the workers that have ended used."""
        own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime

    def run(self) -> None:
        """Train until the run is over, or until it is interrupted; then end the workers."""
        serving = threading.Thread(target=lambda: asyncio.run(self.coordinator.serve()), name="coordinator")
        serving.start()
        try:
            for name in WORKERS:
                self._start(name)
            while serving.is_alive() and self.state.phase is not Phase.FINISHED:
                self._look_after_workers()
                self._have_accidents()
                serving.join(timeout=0.1)
        finally:
            self._end_workers()
            self.coordinator.stop()
            serving.join()
            self.coordinator.close()

    def _start(self, name: str) -> None:
        home = self.path / "members" / name
        home.mkdir(parents=True, exist_ok=True)
        words = [
            "pretrain",
            "join",
            self.coordinator.invitation,
            "--name",
            name,
            "--folder",
            str(home),
            "--threads",
            "1",
            "--quiet",
        ]
        if name == LIAR:
            words += ["--cheat", LIE]
        with open(home / "output.txt", "ab") as output:
            self._workers[name] = subprocess.Popen(  # noqa: S603 (our own program)
                [sys.executable, "-m", "quiltwork.cli.main", *words],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "OMP_NUM_THREADS": "1", "QUILTWORK_HOME": str(home / "home")},
                start_new_session=True,  # Ctrl-C is ours: the workers are told in order
            )

    def _look_after_workers(self) -> None:
        """Raise UserError when no worker is left: then nothing will ever happen."""
        if any(worker.poll() is None for worker in self._workers.values()) or self.state.phase is Phase.FINISHED:
            return
        output = self.path / "members" / WORKERS[0] / "output.txt"
        said = output.read_text(errors="replace").strip().splitlines()
        raise UserError(
            f"All workers have ended. {WORKERS[0]} said: {said[-1] if said else 'nothing'}\nMore is in {output}."
        )

    def _have_accidents(self) -> None:
        state, done = self.state, self.accidents
        healths = {member.said.name: member.health for member in state.members.values()}
        if not done.ejected and healths.get(LIAR) is Health.EJECTED:
            done.ejected = state.last
        late = state.step >= KILLED_AT * state.config.total_steps
        if not done.killed and late and healths.get(LIAR) is Health.EJECTED and healths.get(VICTIM) is Health.HEALTHY:
            self._workers[VICTIM].kill()
            self._workers[VICTIM].wait()
            done.killed = state.last
        if done.killed and not done.restarted and state.last >= done.killed + AWAY_ROUNDS:
            self._start(VICTIM)
            done.restarted = state.last
        victim = next((member for member in state.members.values() if member.said.name == VICTIM), None)
        if not done.restarted or done.returned or victim is None:
            return
        if victim.health is Health.HEALTHY and victim.since > done.restarted:
            done.returned = state.last

    def _end_workers(self) -> None:
        """Let them end by themselves if the run is over; ask them otherwise."""
        until = time.monotonic() + (GRACE_S if self.state.phase is Phase.FINISHED else 0)
        for worker in self._workers.values():
            try:
                worker.wait(timeout=max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.send_signal(signal.SIGTERM)
        for worker in self._workers.values():
            try:
                worker.wait(timeout=GRACE_S)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
