"""Workers that are actors on a Ray cluster: a lost node costs time, never a result.

A call that is lost with its actor or its node is made again on another one: what runs here are evaluations and
proposals, which depend on their payload alone. Only what loses its worker again and again is said to have died.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol

from quiltwork import __version__
from quiltwork.blobs.pack import pack
from quiltwork.errors import UserError
from quiltwork.workers import folders, frames
from quiltwork.workers.base import WorkerDied, WorkerTimeout

ATTEMPTS: Final = 3
"""How often a call is made before its workers' deaths are taken to be its own fault."""

PATIENCE_S: Final = 120.0
"""Wall seconds to wait for an actor that lives: a cluster may be adding a node. Then the run stops; it can be resumed."""

_GLANCE_S: Final = 5.0
"""How often a call that waits for a worker looks whether there is any left."""

_LEAVING_S: Final = 5.0
"""Wall seconds that idle actors get to tidy up when all is done."""

_AGAIN_S: Final = 1.0
"""Wall seconds between two tries to start an actor, so that a node that cannot start any is not hammered."""


class RayWorkers:
    """A number of actors, each with one processor of the cluster. They end with this process, however it ends."""

    def __init__(self, size: int, address: str | None = None) -> None:
        self.size = size
        self._ray = _import_ray()
        self._connected_here = _connect(self._ray, address)
        self._errors: type[Exception] = self._ray.exceptions.RayError
        self._shared: dict[str, Any] = {}
        self._closed = False
        self._last_life = time.monotonic()
        self._reviving: set[asyncio.Task[None]] = set()
        self._idle: asyncio.Queue[Any] = asyncio.Queue()
        self._actors: list[Any] = []
        try:
            self._actors = [self._start() for _ in range(size)]
            self._see_them_start()
        except BaseException:
            self.close()
            raise
        for actor in self._actors:
            self._idle.put_nowait(actor)

    def share(self, folder: Path) -> str:
        """Ship a folder to all workers, once per node: see `Workers.share`."""
        packed = pack(folder)
        name = folders.name_of(packed)
        if name not in self._shared:
            self._shared[name] = self._ray.put(packed)
            for actor in self._actors:
                actor.receive.remote(name, self._shared[name])
        return name

    async def run(self, function: str, payload: Any, *, timeout_s: float) -> Any:
        """Call a function on the next free worker: see `Workers.run`. A call that was lost with its node is repeated."""
        frame = frames.pack({"function": function, "payload": payload})
        for _ in range(ATTEMPTS):
            actor = await self._free()
            answer = None
            try:
                async with asyncio.timeout(timeout_s):
                    answer = await actor.call.remote(frame)
            except TimeoutError:
                raise WorkerTimeout(f"{function} took more than {timeout_s:g} s") from None
            except self._errors as error:
                death = _first_line(error)
            finally:
                if answer is None:  # it timed out, died, or nobody waits for its answer any more
                    self._replace(actor)
                else:
                    self._idle.put_nowait(actor)
            if answer is not None:
                self._last_life = time.monotonic()
                return frames.outcome(frames.unpack(answer[frames.HEAD.size :]))
        raise WorkerDied(f"{function} lost its worker {ATTEMPTS} times; the last time: {death}")

    def close(self) -> None:
        """End all workers, at work or not, and leave the cluster if it was joined here."""
        if self._closed:
            return
        self._closed = True
        for task in self._reviving:
            task.cancel()
        idle = []
        while not self._idle.empty():
            idle.append(self._idle.get_nowait())
        with suppress(self._errors):
            self._ray.wait([actor.leave.remote() for actor in idle], num_returns=len(idle), timeout=_LEAVING_S)
        for actor in self._actors:
            self._end(actor)
        if self._connected_here:
            self._ray.shutdown()

    async def _free(self) -> Any:
        """The next actor that has nothing to do. Raises UserError when none lives, and none has for PATIENCE_S."""
        while True:
            try:
                async with asyncio.timeout(_GLANCE_S):
                    return await self._idle.get()
            except TimeoutError:
                if len(self._reviving) < self.size or time.monotonic() - self._last_life < PATIENCE_S:
                    continue
                raise UserError(
                    f"no node of the Ray cluster has had a free processor for {PATIENCE_S:g} s; "
                    "resume the run when one has"
                ) from None

    def _start(self) -> Any:
        options = {"num_cpus": 1, "max_restarts": 0, "max_task_retries": 0, "scheduling_strategy": "SPREAD"}
        actor = self._ray.remote(**options)(Actor).remote(sys.path)
        for name, packed in self._shared.items():
            actor.receive.remote(name, packed)
        return actor

    def _see_them_start(self) -> None:
        """Wait for all actors. Raises UserError when the cluster has no place for them, or a node cannot run them."""
        hellos = [actor.hello.remote() for actor in self._actors]
        ready, waiting = self._ray.wait(hellos, num_returns=len(hellos), timeout=PATIENCE_S)
        try:
            versions = set(self._ray.get(ready))
        except self._errors as error:
            raise UserError(
                f"a worker cannot start on the Ray cluster: {_first_line(error)}\n"
                f"Every node needs quiltwork {__version__} in the Python that runs Ray there."
            ) from error
        if waiting:
            processors = self._ray.cluster_resources().get("CPU", 0)
            raise UserError(
                f"the Ray cluster has room for {len(ready)} of {self.size} workers ({processors:g} processors in all); "
                "ask for fewer with --workers, or add a node"
            )
        if others := sorted(versions - {__version__}):
            raise UserError(f"this is quiltwork {__version__}, but a node of the Ray cluster has {', '.join(others)}")

    def _replace(self, actor: Any) -> None:
        """End an actor; another one is put to work once it stands, wherever the cluster has room."""
        self._end(actor)
        self._actors.remove(actor)
        if self._closed:
            return
        self._actors.append(successor := self._start())
        task = asyncio.ensure_future(self._revive(successor))
        self._reviving.add(task)
        task.add_done_callback(self._reviving.discard)

    async def _revive(self, actor: Any) -> None:
        try:
            while True:
                try:
                    await actor.hello.remote()
                except self._errors:  # its node went while it started
                    await asyncio.sleep(_AGAIN_S)
                    self._actors.remove(actor)
                    self._actors.append(actor := self._start())
                else:
                    self._last_life = time.monotonic()
                    return
        finally:
            self._idle.put_nowait(actor)  # also where the event loop ended first: its next call will wait for it

    def _end(self, actor: Any) -> None:
        with suppress(self._errors):
            self._ray.kill(actor, no_restart=True)


class Actor:
    """The worker's end: one process on one node."""

    def __init__(self, path: list[str]) -> None:
        sys.path.extend(entry for entry in path if entry not in sys.path)

    def hello(self) -> str:
        """This node's version."""
        return __version__

    def receive(self, name: str, packed: bytes) -> None:
        """Unpack a folder that later calls refer to."""
        folders.receive(name, packed)

    def call(self, frame: bytes) -> bytes:
        """Carry a call out."""
        call = frames.unpack(frame[frames.HEAD.size :])
        return frames.answer(call["function"], call["payload"])

    def leave(self) -> None:
        """Tidy up before the end."""
        folders.forget()


class _Exceptions(Protocol):
    RayError: type[Exception]


class _Ray(Protocol):
    """The part of Ray that is used here; the package says little about its types."""

    exceptions: _Exceptions
    init: Any
    shutdown: Any
    is_initialized: Any
    remote: Any
    put: Any
    get: Any
    wait: Any
    kill: Any
    cluster_resources: Any


def _import_ray() -> _Ray:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # it warns of a default that changes; we use none
    try:
        import ray
    except ImportError as error:
        raise UserError(f"workers on Ray need the package ray: pip install 'quiltwork[ray]' ({error})") from error
    found: _Ray = ray
    return found


def _connect(ray: _Ray, address: str | None) -> bool:
    """Join the cluster at an address, or the one that runs here, or start one; False if this process is in one."""
    if ray.is_initialized():
        return False
    try:
        ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError, ImportError) as error:
        raise UserError(f"cannot join the Ray cluster at {address or 'this machine'}: {error}") from error
    return True


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
