"""The driver: reads the state, carries out the effects, appends the entries. The only place with a clock."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec

from quiltwork.errors import UserError
from quiltwork.evolve.effects import TALKING, Effects
from quiltwork.evolve.entries import Planned, Proposed, Refused, Stopped
from quiltwork.evolve.plan import plan
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.proposers import NAMES, arms_for, kind_of
from quiltwork.evolve.state import State, apply
from quiltwork.evolve.switchboard import LaidDown, Spent, Switchboard
from quiltwork.log import Body
from quiltwork.models import ModelUnavailable
from quiltwork.models.base import Models
from quiltwork.run import Run
from quiltwork.workers import Workers

LOOK_EVERY_S = 0.25
"""How often the clock is compared with the budget while results are awaited."""

QUEUE_PER_WORKER = 2
"""Calls handed out per worker: one that runs and one that waits, so that no worker idles while the driver thinks."""


PAID_GRACE_S = 10.0
"""How long a run that is being laid down waits for open requests: their answers are paid for. Another Ctrl-C ends the wait."""


class Call(NamedTuple):
    """Work in flight for a step. What `talks` waits for others; what does not keeps a worker busy."""

    step: int
    started: float
    talks: bool


class SeedProgramFailed(UserError):
    """The program to start from does not pass its own evaluator."""


class Driver:
    """One run, driven by this process. `workers` may be of any number and speed: the history does not depend on them."""

    def __init__(
        self,
        run: Run,
        problem: Problem,
        state: State,
        workers: Workers,
        *,
        trust: bool,
        models: Models | None = None,
    ) -> None:
        self.run = run
        self.problem = problem
        self.state = state
        self.workers = workers
        self.arms = allowed_arms(problem, state)
        self.switchboard = Switchboard(state, run.blobs, models, self.record, problem.config)
        self.effects = Effects(run, problem, state, workers, self.switchboard, trust=trust)
        self.trouble = ""
        """Why a model could not be asked, where that ended the drive."""
        self._calls: dict[asyncio.Task[tuple[Body, ...]], Call] = {}
        self._called: set[int] = set()
        self._stop_asked = ""
        self._wake = asyncio.Event()
        self._host_cpu = time.process_time()

    def ask_to_stop(self, reason: str) -> None:
        """End the drive soon, from a signal handler or a page. What was in flight is done again on resume."""
        self._stop_asked = self._stop_asked or reason
        self.switchboard.lay_down()
        self._wake.set()

    def live_cpu_s(self) -> float:
        """Processor seconds spent, with an upper bound for what is in flight now."""
        return self.state.cpu_s + (time.process_time() - self._host_cpu) + self._in_flight_s()

    def _in_flight_s(self) -> float:
        """As many of the calls as can run at once, the oldest: what they can have used since they were handed out."""
        now = time.monotonic()
        ages = sorted((now - call.started for call in self._calls.values() if not call.talks), reverse=True)
        return sum(ages[: self.workers.size])

    def _workers_have_room(self) -> bool:
        busy = sum(not call.talks for call in self._calls.values())
        return busy < QUEUE_PER_WORKER * self.workers.size

    async def drive(self) -> str:
        """Run until the budget is spent or someone asks to stop; closes the workers and returns why it ended."""
        try:
            with _signals(self.ask_to_stop):
                reason = await self._loop()
                await self._let_paid_replies_in()
            self.record(Stopped(reason=reason, host_cpu_s=self._host_cpu_since(), ended_cpu_s=self._in_flight_s()))
        finally:
            await self._abandon_calls()
        return reason

    def record(self, *bodies: Body) -> None:
        """Append entries and fold them in: nothing is known that the log does not hold."""
        for entry in self.run.writer.append(*bodies):
            apply(self.state, entry)

    async def _loop(self) -> str:
        while True:
            self._advance()
            if reason := self._reason_to_stop():
                return reason
            if not self._calls:
                raise AssertionError("steps are pending, yet nothing is in flight: a defect of the driver")
            waker = asyncio.ensure_future(self._wake.wait())
            done, _ = await asyncio.wait(
                {*self._calls, waker}, timeout=LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED
            )
            waker.cancel()
            self._collect([task for task in self._calls if task in done])

    def _advance(self) -> None:
        """Plan, propose and hand out until nothing more can be done without waiting."""
        moved = True
        while moved:
            moved = self._plan_steps()
            moved |= self._hand_out()

    def _plan_steps(self) -> bool:
        moved = False
        while self.state.wants_plan() and not self._stop_asked:
            planned = plan(self.state, self.arms, self.effects.library.dimensions)
            planned = msgspec.structs.replace(planned, host_cpu_s=self._host_cpu_since())
            self.record(planned, *self._propose_now(planned))
            moved = True
        return moved

    def _hand_out(self) -> bool:
        """Give free workers the steps that gate the others: the lowest first."""
        moved = False
        for step in sorted(self.state.pending):
            pending = self.state.pending.get(step)
            if pending is None or pending.outcome is not None or step in self._called:
                continue
            if pending.proposed is None:
                if kind_of(pending.planned.arm) in TALKING:
                    self._call(step, self.effects.converse(pending.planned), talks=True)
                    continue
                bodies = self._propose_now(pending.planned)
                if bodies:
                    self.record(*bodies)
                    return True
                if self._workers_have_room():
                    self._call(step, self.effects.propose_heavily(pending.planned))
                continue
            if pending.planned.arm != "again" and (twin := self._twin(step, pending.proposed.normal)) is not None:
                if twin in self.state.members:
                    self.record(Refused(step=step, reason="duplicate", detail=f"the same program as step {twin}"))
                    moved = True
                continue
            if self._workers_have_room():
                work = self.effects.evaluate(pending.planned, pending.proposed, talks=self._talks_from_now_on)
                self._call(step, work)
        return moved

    def _twin(self, step: int, normal: str) -> int | None:
        """An earlier step with the same program: committed, or on its way (then this one waits for it)."""
        if normal in self.state.seen:
            return self.state.seen[normal]
        for other, pending in self.state.pending.items():
            if other < step and pending.proposed is not None and pending.proposed.normal == normal:
                return other
        return None

    def _call(self, step: int, work: Any, *, talks: bool = False) -> None:
        self._called.add(step)
        self._calls[asyncio.ensure_future(work)] = Call(step, time.monotonic(), talks)

    def _talks_from_now_on(self, step: int) -> None:
        """A call has its worker's answer, and waits for a model now."""
        for task, call in self._calls.items():
            if call.step == step:
                self._calls[task] = call._replace(talks=True)

    def _collect(self, tasks: list[asyncio.Task[tuple[Body, ...]]]) -> None:
        for task in tasks:
            self._called.discard(self._calls.pop(task).step)
            try:
                self.record(*task.result())
            except LaidDown:
                pass  # the step stays as it is, to be taken up on resume
            except Spent:
                self.ask_to_stop("budget")
            except ModelUnavailable as error:
                self.trouble = str(error)
                self.ask_to_stop("model")
        self._check_seed()

    def _check_seed(self) -> None:
        if self.state.committed and self.state.members[0].fitness is None:
            seed = self.state.members[0]
            raise SeedProgramFailed(
                f"{self.problem.config.name}: the program to start from was refused ({seed.verdict}):\n{seed.detail}\n"
                f"Mend program/ or evaluate.py; `quiltwork evolve check DIR` shows more."
            )

    def _propose_now(self, planned: Planned) -> tuple[Body, ...]:
        bodies = self.effects.propose_now(planned)
        # Charged to the step, hence not to the driver.
        self._host_cpu += sum(body.cost.cpu_s for body in bodies if isinstance(body, Proposed))
        return bodies

    # --- ending -------------------------------------------------------------------------------------------------

    def _reason_to_stop(self) -> str:
        if self._stop_asked:
            return self._stop_asked
        if self.state.finished():
            return "budget"
        cpu_s, wall_s = self.state.budget.limit("cpu-s"), self.state.budget.limit("wall-s")
        if cpu_s is not None and self.live_cpu_s() >= cpu_s:
            return "budget"
        since = max(0.0, (time.time_ns() - self.state.last_time) / 1e9)
        if wall_s is not None and self.state.wall_s + since >= wall_s:
            return "budget"
        return ""

    def _host_cpu_since(self) -> float:
        now = time.process_time()
        spent, self._host_cpu = now - self._host_cpu, now
        return spent

    async def _let_paid_replies_in(self) -> None:
        """Wait a little for what models were asked already; nothing new is asked meanwhile."""
        self.switchboard.lay_down()
        self._wake.clear()
        until = time.monotonic() + PAID_GRACE_S
        while talks := [task for task, call in self._calls.items() if call.talks]:
            left = until - time.monotonic()
            if left <= 0 or self._wake.is_set():
                return
            waker = asyncio.ensure_future(self._wake.wait())
            done, _ = await asyncio.wait({*talks, waker}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            waker.cancel()
            self._collect([task for task in talks if task in done])

    async def _abandon_calls(self) -> None:
        """End the workers first, so that none is started again for a call that nobody waits for."""
        self.workers.close()
        for task in self._calls:
            task.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        self._calls.clear()
        self._called.clear()
        await self.switchboard.close()


def allowed_arms(problem: Problem, state: State) -> tuple[str, ...]:
    """The proposers of a run: those that the settings name, or all, as far as the problem has what they need."""
    assert state.config is not None
    wanted = state.config.search.arms or NAMES
    allowed = arms_for(problem, wanted)
    if not allowed:
        raise UserError(f"no proposer can work on this problem; search.arms names {', '.join(wanted)}")
    return allowed


@contextmanager
def _signals(stop: Callable[[str], None]) -> Iterator[None]:
    """Ctrl-C and a polite kill end the drive between two entries, not in the middle of one."""
    loop = asyncio.get_running_loop()
    handled = (signal.SIGINT, signal.SIGTERM)
    try:
        for number in handled:
            loop.add_signal_handler(number, stop, "interrupted")
    except (RuntimeError, ValueError):
        # Not the main thread: whoever embeds the driver has the signals.
        yield
        return
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
