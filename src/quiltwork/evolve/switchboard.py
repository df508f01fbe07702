"""Who answers a conversation: the log where it was answered before, else a model or an agent, within the budget.

Every reply is an entry before anybody reads it. So what was paid for is never paid for again, whatever ends the driver.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec

from quiltwork.blobs import BlobStore
from quiltwork.evolve.config import ProblemConfig
from quiltwork.evolve.entries import Replied
from quiltwork.evolve.proposers.base import AgentWork, Conversation, Errand, Proposal
from quiltwork.evolve.state import State
from quiltwork.log import Body
from quiltwork.models import Reply, Request
from quiltwork.models.base import Bound, Models, decode_reply


class LaidDown(Exception):
    """The run is being laid down: nothing new is asked. The step is taken up again on resume."""


class Spent(Exception):
    """What is left of the budget does not cover the most that the next request can cost."""


class Purse:
    """What is left for tokens and dollars. A request is made only once the most that it can cost is set aside.

    Requests are served in the order in which they come, so that a cheap one never overtakes what it might starve.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._tokens, self._usd, self._open = 0, 0.0, 0
        self._turnstile = asyncio.Lock()
        self._settled = asyncio.Event()

    @asynccontextmanager
    async def reserve(self, bound: Bound) -> AsyncIterator[None]:
        """Hold `bound` back while the request is open. Raises `Spent` when it would not fit even if nothing else were open."""
        async with self._turnstile:
            while not self._covers(bound):
                if not self._open:
                    raise Spent
                self._settled.clear()
                await self._settled.wait()
            self._hold(bound, 1)
        try:
            yield
        finally:
            self._hold(bound, -1)
            self._settled.set()

    def _covers(self, bound: Bound) -> bool:
        tokens, usd = self._state.budget.limit("tokens"), self._state.budget.limit("usd")
        return (tokens is None or self._state.tokens + self._tokens + bound.tokens <= tokens) and (
            usd is None or self._state.usd + self._usd + bound.usd <= usd
        )

    def _hold(self, bound: Bound, sign: int) -> None:
        self._tokens += sign * bound.tokens
        self._usd += sign * bound.usd
        self._open += sign


class Switchboard:
    """Carries a run's conversations to those who answer. `models` is None where the run has none."""

    def __init__(
        self, state: State, blobs: BlobStore, models: Models | None, record: Callable[..., None], config: ProblemConfig
    ) -> None:
        self._state = state
        self._blobs = blobs
        self._models = models
        self._record: Callable[[Body], None] = record
        self._agents = {agent.name: agent for agent in config.agents}
        self._purse = Purse(state)
        self._slots = {f"model {model.name}": asyncio.Semaphore(model.in_flight) for model in config.models}
        self._slots |= {f"agent {agent.name}": asyncio.Semaphore(agent.at_once) for agent in config.agents}
        self._laid_down = False

    def lay_down(self) -> None:
        """Ask nothing new from now on. What is open may still be answered, and is recorded."""
        self._laid_down = True

    async def close(self) -> None:
        """Hang up."""
        if self._models is not None:
            await self._models.close()

    async def converse(self, step: int, conversation: Conversation) -> Proposal:
        """Carry a conversation to its end. Raises what it raises, and what `ask` and `send` raise."""
        answer: Reply | AgentWork | None = None
        purpose = "propose"
        while True:
            try:
                effect = conversation.send(answer)
            except StopIteration as ended:
                proposal: Proposal = ended.value
                return proposal
            if isinstance(effect, Request):
                answer, purpose = await self.ask(step, purpose, effect), "repair"
            else:
                answer = await self.send(step, effect)

    async def ask(self, step: int, purpose: str, request: Request) -> Reply:
        """A model's reply, recorded. Raises `LaidDown`, `Spent`, `ModelUnavailable`, `RequestRefused`."""
        if (known := self._recorded(step, request.id)) is not None:
            return decode_reply(known)
        assert self._models is not None
        async with self._slots[f"model {request.model}"], self._purse.reserve(self._models.bound(request)):
            self._check()
            reply = await self._models.ask(request)
            self._record(
                Replied(
                    step=step,
                    purpose=purpose,
                    model=request.model,
                    request=self._blobs.put(request.encode()),
                    reply=self._blobs.put(reply.encode()),
                    prompt_tokens=reply.prompt_tokens,
                    completion_tokens=reply.completion_tokens,
                    usd=reply.usd,
                    wall_s=reply.wall_s,
                    attempts=reply.attempts,
                )
            )
        return reply

    async def send(self, step: int, errand: Errand) -> AgentWork:
        """An agent's work, recorded. Raises `LaidDown` and `Spent`."""
        from quiltwork.evolve.errands import carry_out

        asked = self._blobs.put(msgspec.json.encode(errand, order="deterministic"))
        if (known := self._recorded(step, asked)) is not None:
            again: AgentWork = msgspec.json.decode(known, type=AgentWork)
            return again
        agent = self._agents[errand.agent]
        async with self._slots[f"agent {agent.name}"], self._purse.reserve(Bound(tokens=0, usd=agent.usd_per_call)):
            self._check()
            started = time.monotonic()
            work = await carry_out(errand, agent)
            self._record(
                Replied(
                    step=step,
                    purpose="agent",
                    model=agent.name,
                    request=asked,
                    reply=self._blobs.put(msgspec.json.encode(work, order="deterministic")),
                    usd=agent.usd_per_call,
                    wall_s=time.monotonic() - started,
                )
            )
        return work

    def _recorded(self, step: int, request: str) -> bytes | None:
        reply = self._state.pending[step].replies.get(request)
        return None if reply is None else self._blobs.get(reply)

    def _check(self) -> None:
        if self._laid_down:
            raise LaidDown
