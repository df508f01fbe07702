"""What a step needs done outside the fold: its proposal made, its program scored. Each effect ends as entries."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from quiltwork.evolve.config import NoveltyConfig
from quiltwork.evolve.entries import Cost, Evaluated, Planned, Proposed, Refused
from quiltwork.evolve.library import Library, payload_for_evaluation
from quiltwork.evolve.likeness import Neighbourhood, text_of
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.program import Program
from quiltwork.evolve.proposers import CONVERSERS, converser, kind_of, proposer
from quiltwork.evolve.proposers.base import NotApplicable, NothingToPropose, Proposal
from quiltwork.evolve.state import State
from quiltwork.evolve.switchboard import Switchboard
from quiltwork.log import Body
from quiltwork.models import RequestRefused
from quiltwork.run import Run
from quiltwork.workers import WorkerDied, Workers, WorkerTimeout

HEAVY_PROPOSAL_LIMIT_S = 900.0
"""Wall seconds for one heavy proposal. They are bounded by their own iterations; this catches what is stuck."""

EVALUATOR_GRACE_S = 120.0
"""Wall seconds that an evaluator may use beside its candidate's own limit, on a machine that is ten times too busy."""

TALKING = (*CONVERSERS, "meta")
"""Kinds of arms whose steps wait for others rather than for a worker."""


class Effects:
    """Carries out what steps of one run need."""

    def __init__(
        self, run: Run, problem: Problem, state: State, workers: Workers, switchboard: Switchboard, *, trust: bool
    ) -> None:
        self.library = Library(run.blobs, problem, workers.share(problem.path))
        self._run = run
        self._problem = problem
        self._state = state
        self._workers = workers
        self._switchboard = switchboard
        self._trust = trust
        self._neighbourhood = Neighbourhood(run.blobs)

    def propose_now(self, planned: Planned) -> tuple[Body, ...]:
        """The entries of a step whose proposal needs neither a worker nor anybody's reply; nothing for another one."""
        if planned.arm == "seed":
            return (self.library.proposed(planned, Proposal(self._problem.program, "the program to start from"), None),)
        if planned.arm == "again":
            elder = self._state.members[planned.parents[0]]
            assert elder.program is not None
            proposal = Proposal(self.library.program(elder.program), f"step {elder.step} again")
            return (self.library.proposed(planned, proposal, None),)
        if kind_of(planned.arm) in TALKING or (chosen := proposer(planned.arm)).heavy:
            return ()
        started = time.process_time()
        try:
            proposal = chosen.propose(self.library.brief(self._state, planned))
        except NothingToPropose as nothing:
            return (Refused(step=planned.step, reason="nothing", detail=str(nothing)),)
        body = self.library.proposed(planned, proposal, None)
        spent = time.process_time() - started
        return (msgspec.structs.replace(body, cost=Cost(cpu_s=spent, wall_s=spent)),)

    async def converse(self, planned: Planned) -> tuple[Body, ...]:
        """A step whose proposer asks others."""
        try:
            if kind_of(planned.arm) == "meta":
                from quiltwork.evolve.opinions import instruct

                return (await instruct(self._switchboard, self._problem, self._state, planned),)
            conversation = converser(planned.arm).converse(self.library.brief(self._state, planned))
            proposal = await self._switchboard.converse(planned.step, conversation)
        except NothingToPropose as nothing:
            return (Refused(step=planned.step, reason="nothing", detail=str(nothing)),)
        except NotApplicable as failure:
            return (Refused(step=planned.step, reason="answer", detail=str(failure)),)
        except RequestRefused as failure:
            return (Refused(step=planned.step, reason="request", detail=str(failure)),)
        body = self.library.proposed(planned, proposal, None)
        novelty = self._problem.config.novelty
        return await self._placed(body, proposal, novelty) if novelty.embedder else (body,)

    async def _placed(self, body: Proposed, proposal: Proposal, novelty: NoveltyConfig) -> tuple[Body, ...]:
        """A proposal with its place by meaning; refused at once where that is taken."""
        try:
            result = await self._workers.run(
                "quiltwork.evolve.likeness:place",
                {"embedder": novelty.embedder, "text": text_of(proposal.program)},
                timeout_s=HEAVY_PROPOSAL_LIMIT_S,
            )
        except (WorkerDied, WorkerTimeout) as failure:
            return (Refused(step=body.step, reason="worker", detail=str(failure)),)
        body = msgspec.structs.replace(
            body, embedding=self._run.blobs.put(result["vector"]), cost=Cost(cpu_s=result["cpu_s"])
        )
        known = self._state.pending[body.step].known
        near = self._neighbourhood.nearest(self._state, result["vector"], before=known)
        if near is None or near[1] < novelty.similar:
            return (body,)
        detail = f"as similar to step {near[0]} as {near[1]:.4f}; the limit is {novelty.similar:g}"
        return (body, Refused(step=body.step, reason="similar", detail=detail))

    async def propose_heavily(self, planned: Planned) -> tuple[Body, ...]:
        """A proposal that keeps a worker busy for long."""
        try:
            result = await self._workers.run(
                "quiltwork.evolve.evaluation:propose",
                self.library.heavy_brief(self._state, planned),
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

    async def evaluate(self, planned: Planned, proposed: Proposed, *, talks: Callable[[int], None]) -> tuple[Body, ...]:
        """A program's score. `talks` is told of the step once its worker has answered and a judge is asked."""
        config = self._problem.config
        runs = sum(stage.repeats for stage in config.stages)
        try:
            result = await self._workers.run(
                "quiltwork.evolve.evaluation:evaluate",
                payload_for_evaluation(self.library, self._state, planned, proposed, trust=self._trust),
                timeout_s=runs * config.limits.wall_s + EVALUATOR_GRACE_S,
            )
        except (WorkerDied, WorkerTimeout) as failure:
            return (Evaluated(step=planned.step, verdict="worker", detail=str(failure)),)
        if config.llm.judges and result["verdict"] == "ok":
            from quiltwork.evolve.opinions import judge

            talks(planned.step)
            try:
                result = await judge(
                    self._switchboard, self._problem, planned, self.library.program(proposed.program), result
                )
            except RequestRefused as failure:
                result = {**result, "verdict": "judge", "detail": str(failure), "metrics": {}}
        construction = result.get("construction")
        return (
            Evaluated(
                step=planned.step,
                verdict=result["verdict"],
                detail=result["detail"],
                metrics=result.get("metrics", {}),
                descriptors=result.get("descriptors", {}),
                artifacts=self.library.store_artifacts(result.get("artifacts", {})),
                construction=None if construction is None else self._run.blobs.put(construction),
                stage=result.get("stage", ""),
                repeats=result.get("repeats", 1),
                cost=Cost(cpu_s=result["cpu_s"], wall_s=result["wall_s"]),
            ),
        )
