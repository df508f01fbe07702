"""Running a job of somebody else's code: measured from outside, ended for certain.

Every job has a mark in its environment, so that processes that left its family are found too. Processor time is that of
all its processes, the dead ones included, as the kernel adds it to those that waited for them.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
LOOK_EVERY_S = 0.1
WEIGH_EVERY_S = 1.0
"""How often memory is weighed: reading PSS walks the page tables and costs the job some time."""

MARK = "QUILTWORK_PEER_JOB"


@dataclass(frozen=True)
class Sample:
    """One look at a job: wall clock (s since 1970), processor seconds so far, processes, PSS in MiB where weighed."""

    time: float
    cpu_s: float
    processes: int
    main_mb: float | None = None
    all_mb: float | None = None


@dataclass
class Outcome:
    """How a job went: `code` is its exit status, None if it was ended."""

    code: int | None
    wall_s: float
    samples: list[Sample]
    left: list[int] = field(default_factory=list)

    @property
    def timed_out(self) -> bool:
        """Whether it had to be ended."""
        return self.code is None

    @property
    def cpu_s(self) -> float:
        """Processor seconds of all its processes."""
        return max((sample.cpu_s for sample in self.samples), default=0.0)

    @property
    def peak_main_mb(self) -> float:
        """The most PSS of the first process, MiB."""
        return max((sample.main_mb for sample in self.samples if sample.main_mb is not None), default=0.0)

    @property
    def peak_all_mb(self) -> float:
        """The most PSS of all its processes together, MiB."""
        return max((sample.all_mb for sample in self.samples if sample.all_mb is not None), default=0.0)

    @property
    def peak_processes(self) -> int:
        """The most processes alive at once."""
        return max((sample.processes for sample in self.samples), default=0)

    def cpu_between(self, start: float, end: float) -> float:
        """Processor seconds between two moments, drawn straight between samples."""
        return self._cpu_at(end) - self._cpu_at(start)

    def _cpu_at(self, moment: float) -> float:
        before = None
        for sample in self.samples:
            if sample.time >= moment:
                if before is None or sample.time == before.time:
                    return sample.cpu_s
                share = (moment - before.time) / (sample.time - before.time)
                return before.cpu_s + share * (sample.cpu_s - before.cpu_s)
            before = sample
        return before.cpu_s if before else 0.0


class Job:
    """A process group and whatever comes of it."""

    def __init__(self, command: list[str], *, folder: Path, environment: dict[str, str] | None = None) -> None:
        self.mark = uuid.uuid4().hex
        self.samples: list[Sample] = []
        self._seen: dict[int, int] = {}
        self._weighed = 0.0
        self._started = time.monotonic()
        self._log = (folder / "job.log").open("ab")
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, MARK: self.mark, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def wait(self, limit_s: float, *, until: Callable[[], bool] = lambda: False) -> bool:
        """Watch until the job ends, or `until` says so (asked every 0.1 s), or the time is up; whether it ended."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            self.look()
            if self.process.poll() is not None:
                return True
            if until():
                return False
            time.sleep(LOOK_EVERY_S)
        return False

    def look(self) -> None:
        """Take a sample."""
        family = self.family()
        self._seen |= {pid: stat.started for pid, stat in family.items()}
        weigh = time.monotonic() - self._weighed >= WEIGH_EVERY_S
        main_mb = all_mb = None
        if weigh:
            weights = {pid: _pss_mb(pid) for pid in family}
            main_mb, all_mb = weights.get(self.process.pid, 0.0), sum(weights.values())
            self._weighed = time.monotonic()
        cpu_s = sum(stat.cpu_s for stat in family.values())
        if self.samples:
            cpu_s = max(cpu_s, self.samples[-1].cpu_s)  # time of a process that nobody waited for is lost to the kernel
        self.samples.append(Sample(time.time(), cpu_s, len(family), main_mb, all_mb))

    def family(self) -> dict[int, Stat]:
        """The processes alive that descend from the job or carry its mark or were once seen below it."""
        stats = dict(_all_stats())
        found = {pid for pid, started in self._seen.items() if pid in stats and stats[pid].started == started}
        found |= {pid for pid in stats if _carries(pid, self.mark)} if not self.samples or not found else set()
        found.add(self.process.pid)
        grown = True
        while grown:
            more = {pid for pid, stat in stats.items() if stat.parent in found and pid not in found}
            found |= more
            grown = bool(more)
        return {pid: stats[pid] for pid in found if pid in stats and stats[pid].state not in "ZX"}

    def kill_main(self) -> None:
        """`kill -9` of the first process only."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def survivors(self) -> list[int]:
        """What is alive though the first process is not."""
        stats = dict(_all_stats())
        found = {pid for pid, started in self._seen.items() if pid in stats and stats[pid].started == started}
        found |= {pid for pid in stats if _carries(pid, self.mark)}
        return sorted(pid for pid in found if stats[pid].state not in "ZX" and pid != self.process.pid)

    def end(self, *, grace_s: float = 2.0) -> Outcome:
        """End everything, note what would have stayed, and say how it went."""
        code = self.process.poll()
        deadline = time.monotonic() + grace_s
        while code is not None and self.survivors() and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY_S)
        left = self.survivors() if code is not None else []
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)
        for _ in range(20):
            alive = self.survivors()
            for pid in alive:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not alive:
                break
            time.sleep(LOOK_EVERY_S)
        self._log.close()
        return Outcome(code, time.monotonic() - self._started, self.samples, left)


def run(command: list[str], *, folder: Path, limit_s: float, environment: dict[str, str] | None = None) -> Outcome:
    """Run a job to its end, or end it."""
    job = Job(command, folder=folder, environment=environment)
    try:
        job.wait(limit_s)
    finally:
        outcome = job.end()
    return outcome


@contextlib.contextmanager
def scripted(python: str, folder: Path, options: dict) -> Iterator[Model]:
    """The scripted model, serving on a free port of this machine."""
    port_file = folder / f"port-{uuid.uuid4().hex[:8]}"
    process = subprocess.Popen(
        [python, str(Path(__file__).with_name("model.py")), str(port_file), json.dumps(options)],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while not port_file.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the scripted model did not start")
            time.sleep(0.02)
        yield Model(f"http://127.0.0.1:{port_file.read_text()}")
    finally:
        process.kill()
        process.wait(30)


@dataclass(frozen=True)
class Model:
    """Where the scripted model listens."""

    base: str

    @property
    def url(self) -> str:
        """The base that clients are given."""
        return f"{self.base}/v1"

    def stats(self) -> dict[str, int]:
        """Requests asked and answered so far."""
        for _ in range(10):
            with (
                contextlib.suppress(urllib.error.URLError, TimeoutError, ConnectionError),
                urllib.request.urlopen(f"{self.base}/stats", timeout=30) as response,
            ):
                return json.load(response)
        return {"asked": 0, "answered": 0, "tokens": 0}


@dataclass(frozen=True)
class Stat:
    """A process: its parent, state, start (clock ticks since boot) and processor seconds with its waited-for children."""

    parent: int
    state: str
    started: int
    cpu_s: float


def _all_stats() -> Iterator[tuple[int, Stat]]:
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            try:
                fields = Path(f"/proc/{entry.name}/stat").read_text().rsplit(")", 1)[1].split()
            except (OSError, IndexError):
                continue
            cpu = sum(map(int, fields[11:15])) / TICK
            yield int(entry.name), Stat(int(fields[1]), fields[0], int(fields[19]), cpu)


def _carries(pid: int, mark: str) -> bool:
    try:
        return mark.encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False


def _pss_mb(pid: int) -> float:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except (OSError, ValueError):
        pass
    return 0.0
