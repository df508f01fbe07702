"""The driver: reads the state, carries out the effects, appends the entries. The only place with a clock."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from quiltwork.errors import UserError
from quiltwork.evolve.entries import Cost, Evaluated, Planned, Proposed, Refused, Stopped
from quiltwork.evolve.library import Library, payload_for_evaluation
from quiltwork.evolve.plan import plan
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.program import Program
from quiltwork.evolve.proposers import NAMES, arms_for, proposer
from quiltwork.evolve.proposers.base import NothingToPropose, Proposal
from quiltwork.evolve.state import State, apply
from quiltwork.log import Body
from quiltwork.run import Run
from quiltwork.workers import WorkerDied, Workers, WorkerTimeout

HEAVY_PROPOSAL_LIMIT_S = 900.0
"""Wall seconds for one heavy proposal. They are bounded by their own iterations; this catches what is stuck."""

EVALUATOR_GRACE_S = 120.0
"""Wall seconds that an evaluator may use beside its candidate's own limit, on a machine that is ten times too busy."""

LOOK_EVERY_S = 0.25
"""How often the clock is compared with the budget while results are awaited."""

QUEUE_PER_WORKER = 2
"""Calls handed out per worker: one that runs and one that waits, so that no worker idles while the driver thinks."""


class SeedProgramFailed(UserError):
    """The program to start from does not pass its own evaluator."""


class Driver:
    """One run, driven by this process. `workers` may be of any number and speed: the history does not depend on them."""

    def __init__(self, run: Run, problem: Problem, state: State, workers: Workers, *, trust: bool) -> None:
        self.run = run
        self.problem = problem
        self.state = state
        self.workers = workers
        self.trust = trust
        self.library = Library(run.blobs, problem)
        self.arms = allowed_arms(problem, state)
        self._calls: dict[asyncio.Task[tuple[Body, ...]], tuple[int, float]] = {}
        self._called: set[int] = set()
        self._stop_asked = ""
        self._wake = asyncio.Event()
        self._host_cpu = time.process_time()

    def ask_to_stop(self, reason: str) -> None:
        """End the drive soon, from a signal handler or a page. What was in flight is done again on resume."""
        self._stop_asked = self._stop_asked or reason
        self._wake.set()

    def live_cpu_s(self) -> float:
        """Processor seconds spent, with an upper bound for what is in flight now."""
        return self.state.cpu_s + (time.process_time() - self._host_cpu) + self._in_flight_s()

    def _in_flight_s(self) -> float:
        """As many of the calls as can run at once, the oldest: what they can have used since they were handed out."""
        now = time.monotonic()
        return sum(sorted((now - started for _, started in self._calls.values()), reverse=True)[: self.workers.size])

    async def drive(self) -> str:
        """Run until the budget is spent or someone asks to stop; closes the workers and returns why it ended."""
        try:
            with _signals(self.ask_to_stop):
                reason = await self._loop()
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
            planned = plan(self.state, self.arms, self.library.dimensions)
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
                bodies = self._propose_now(pending.planned)
                if bodies:
                    self.record(*bodies)
                    return True
                if len(self._calls) < QUEUE_PER_WORKER * self.workers.size:
                    self._call(step, self._propose_heavily(pending.planned))
                continue
            if pending.planned.arm != "again" and (twin := self._twin(step, pending.proposed.normal)) is not None:
                if twin in self.state.members:
                    self.record(Refused(step=step, reason="duplicate", detail=f"the same program as step {twin}"))
                    moved = True
                continue
            if len(self._calls) < QUEUE_PER_WORKER * self.workers.size:
                self._call(step, self._evaluate(pending.planned, pending.proposed))
        return moved

    def _twin(self, step: int, normal: str) -> int | None:
        """An earlier step with the same program: committed, or on its way (then this one waits for it)."""
        if normal in self.state.seen:
            return self.state.seen[normal]
        for other, pending in self.state.pending.items():
            if other < step and pending.proposed is not None and pending.proposed.normal == normal:
                return other
        return None

    def _call(self, step: int, work: Any) -> None:
        self._called.add(step)
        self._calls[asyncio.ensure_future(work)] = (step, time.monotonic())

    def _collect(self, tasks: list[asyncio.Task[tuple[Body, ...]]]) -> None:
        for task in tasks:
            step, _ = self._calls.pop(task)
            self._called.discard(step)
            self.record(*task.result())
        self._check_seed()

    def _check_seed(self) -> None:
        if self.state.committed and self.state.members[0].fitness is None:
            seed = self.state.members[0]
            raise SeedProgramFailed(
                f"{self.problem.config.name}: the program to start from was refused ({seed.verdict}):\n{seed.detail}\n"
                f"Mend program/ or evaluate.py; `quiltwork evolve check DIR` shows more."
            )

    # --- effects ------------------------------------------------------------------------------------------------

    def _propose_now(self, planned: Planned) -> tuple[Body, ...]:
        """The entries of a step whose proposal needs no worker; nothing for a heavy proposer."""
        if planned.arm == "seed":
            return (self.library.proposed(planned, Proposal(self.problem.program, "the program to start from"), None),)
        if planned.arm == "again":
            elder = self.state.members[planned.parents[0]]
            assert elder.program is not None
            proposal = Proposal(self.library.program(elder.program), f"step {elder.step} again")
            return (self.library.proposed(planned, proposal, None),)
        chosen = proposer(planned.arm)
        if chosen.heavy:
            return ()
        started = time.process_time()
        try:
            proposal = chosen.propose(self.library.brief(self.state, planned))
        except NothingToPropose as nothing:
            return (Refused(step=planned.step, reason="nothing", detail=str(nothing)),)
        body = self.library.proposed(planned, proposal, None)
        spent = time.process_time() - started
        self._host_cpu += spent  # charged to the step, hence not to the driver
        return (msgspec.structs.replace(body, cost=Cost(cpu_s=spent, wall_s=spent)),)

    async def _propose_heavily(self, planned: Planned) -> tuple[Body, ...]:
        try:
            result = await self.workers.run(
                "quiltwork.evolve.evaluation:propose",
                self.library.heavy_brief(self.state, planned),
                timeout_s=HEAVY_PROPOSAL_LIMIT_S,
            )
        except (WorkerDied, WorkerTimeout) as failure:
            return (Refused(step=planned.step, reason="worker", detail=str(failure)),)
        cost = Cost(cpu_s=result["cpu_s"], wall_s=result["wall_s"])
        if "nothing" in result:
            return (Refused(step=planned.step, reason="nothing", detail=result["nothing"], cost=cost),)
        proposal = Proposal(Program(result["files"]), result["note"])
        body = self.library.proposed(planned, proposal, result["construction"])
        return (msgspec.structs.replace(body, cost=cost),)

    async def _evaluate(self, planned: Planned, proposed: Proposed) -> tuple[Body, ...]:
        config = self.problem.config
        runs = sum(stage.repeats for stage in config.stages)
        try:
            result = await self.workers.run(
                "quiltwork.evolve.evaluation:evaluate",
                payload_for_evaluation(self.library, self.state, planned, proposed, trust=self.trust),
                timeout_s=runs * config.limits.wall_s + EVALUATOR_GRACE_S,
            )
        except (WorkerDied, WorkerTimeout) as failure:
            return (Evaluated(step=planned.step, verdict="worker", detail=str(failure)),)
        construction = result.get("construction")
        return (
            Evaluated(
                step=planned.step,
                verdict=result["verdict"],
                detail=result["detail"],
                metrics=result.get("metrics", {}),
                descriptors=result.get("descriptors", {}),
                artifacts=self.library.store_artifacts(result.get("artifacts", {})),
                construction=None if construction is None else self.run.blobs.put(construction),
                stage=result.get("stage", ""),
                repeats=result.get("repeats", 1),
                cost=Cost(cpu_s=result["cpu_s"], wall_s=result["wall_s"]),
            ),
        )

    # --- ending -------------------------------------------------------------------------------------------------

    def _reason_to_stop(self) -> str:
        if self._stop_asked:
            return self._stop_asked
        if self.state.finished():
            return "budget"
        budget = self.state.budget
        if budget.unit == "cpu-s" and self.live_cpu_s() >= budget.amount:
            return "budget"
        if budget.unit == "wall-s":
            since = max(0.0, (time.time_ns() - self.state.last_time) / 1e9)
            if self.state.wall_s + since >= budget.amount:
                return "budget"
        return ""

    def _host_cpu_since(self) -> float:
        now = time.process_time()
        spent, self._host_cpu = now - self._host_cpu, now
        return spent

    async def _abandon_calls(self) -> None:
        """End the workers first, so that none is started again for a call that nobody waits for."""
        self.workers.close()
        for task in self._calls:
            task.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        self._calls.clear()
        self._called.clear()


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
