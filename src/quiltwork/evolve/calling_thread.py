"""Workers that are the thread which waits for a run: for evaluators that only this thread can call.

The run is driven in a thread of its own; it puts calls on a desk, and the thread that called carries them out one by one.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from quiltwork.evolve.evaluation import close_jails
from quiltwork.workers import Workers, frames, register

KIND: Final = "calling-thread"
"""The kind of workers, as `workers.open_workers` knows it."""

_desks = threading.local()


class Stoppable(Protocol):
    """Whoever drives the run, as far as Ctrl-C wants to know."""

    def ask_to_stop(self, reason: str) -> None:
        """End soon."""


class _Call(NamedTuple):
    function: str
    payload: Any
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[dict[str, Any]]


class Desk:
    """Where the driving thread lays calls and the calling thread takes them up. Is its own one worker."""

    size = 1

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._driver: Stoppable | None = None
        self._interrupted = False

    def driver(self, driver: Stoppable) -> None:
        """Say who is to be stopped by Ctrl-C."""
        self._driver = driver
        if self._interrupted:
            driver.ask_to_stop("interrupted")

    async def run(self, function: str, payload: Any, *, timeout_s: float) -> Any:
        """Have the calling thread call a function: see `Workers.run`. Timeouts do not hold, nothing could end the call."""
        loop = asyncio.get_running_loop()
        message = frames.unpack(frames.pack(payload)[frames.HEAD.size :])
        call = _Call(function, message, loop, loop.create_future())
        self._calls.put(call)
        answer = await call.answer
        return frames.outcome(frames.unpack(frames.pack(answer)[frames.HEAD.size :]))

    def share(self, folder: Path) -> str:
        """Its path: the thread is on this machine."""
        return str(folder)

    def close(self) -> None:
        """Nothing to end: the thread is the caller's."""

    def serve(self, work: Callable[[], Any]) -> Any:
        """Run `work` in a thread beside and carry out the calls it lays here; returns or raises what `work` does.

        The first Ctrl-C asks the driver to stop, and what was found is returned; a second one is raised.
        """
        outcome: list[Any] = []
        failure: list[BaseException] = []

        def beside() -> None:
            try:
                outcome.append(work())
            except BaseException as error:  # noqa: BLE001  it crosses from one thread to another
                failure.append(error)
            finally:
                self._calls.put(None)

        thread = threading.Thread(target=beside, name="quiltwork-run", daemon=True)
        try:
            thread.start()
            self._carry_out_calls()
            thread.join()
        except KeyboardInterrupt:
            self._interrupt()
            raise
        finally:
            close_jails()
        if failure:
            raise failure[0]
        return outcome[0]

    def _carry_out_calls(self) -> None:
        while True:
            try:
                call = self._calls.get()
                if call is None:
                    return
                if not self._interrupted:
                    answer = frames.carry_out(call.function, call.payload)
                    with suppress(RuntimeError):  # the loop has closed: nobody waits for it any more
                        call.loop.call_soon_threadsafe(_settle, call.answer, answer)
            except KeyboardInterrupt:
                if self._interrupted:
                    raise
                self._interrupt()

    def _interrupt(self) -> None:
        self._interrupted = True
        if self._driver is not None:
            self._driver.ask_to_stop("interrupted")


def _settle(future: asyncio.Future[dict[str, Any]], answer: dict[str, Any]) -> None:
    if not future.done():
        future.set_result(answer)


@contextmanager
def working_at(desk: Desk) -> Iterator[None]:
    """In the driving thread: workers of this kind are that desk."""
    _desks.current = desk
    try:
        yield
    finally:
        del _desks.current


def _open(_size: int, _address: str) -> Workers:
    desk: Desk = _desks.current
    return desk


register(KIND, _open)
