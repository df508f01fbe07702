"""An external coding agent asked to change a program: it is sent out with a copy, and what it left behind is looked at."""

from __future__ import annotations

from quiltwork.evolve.editing import EditRefused
from quiltwork.evolve.editing.fences import NOTE_CHARS
from quiltwork.evolve.editing.refusal import one_line
from quiltwork.evolve.editing.splice import checked, touched_outside
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.program import Program, ProgramError, blocks
from quiltwork.evolve.prompting.task import context, task
from quiltwork.evolve.proposers.base import AgentWork, Brief, Conversation, Errand, NotApplicable, Proposal


class Agent:
    """One agent of the problem's configuration."""

    def __init__(self, agent: str) -> None:
        self.name = f"agent:{agent}"
        self._agent = agent

    def applies_to(self, problem: Problem) -> bool:
        """Whether the problem names this agent and its program has a block."""
        return any(agent.name == self._agent for agent in problem.config.agents) and bool(blocks(problem.program))

    def converse(self, brief: Brief) -> Conversation:
        """Send the agent out. A change that it finished counts even where it was stopped afterwards."""
        parent = brief.parent.program
        work: AgentWork = yield Errand(self._agent, dict(parent.files), context(brief), task(brief))
        try:
            child = _child(parent, work)
        except EditRefused as refusal:
            ending = f" ({work.failure})" if work.failure else ""
            raise NotApplicable(f"{refusal.reason}{ending}") from refusal
        return Proposal(child, self._note(work))

    def _note(self, work: AgentWork) -> str:
        """The last line of its output, unless that is one of ours in brackets; how it ended where it did not end well."""
        lines = [line.strip() for line in work.output[-4_000:].splitlines()]
        spoken = next((line for line in reversed(lines) if line and not line.startswith("[quiltwork:")), "")
        return one_line(work.failure or spoken, NOTE_CHARS) or self.name


def _child(parent: Program, work: AgentWork) -> Program:
    """The program that an agent left, if it may be evaluated."""
    if work.files == dict(parent.files):
        raise EditRefused("it changed nothing")
    try:
        child = Program(work.files)
        child.encode()
    except ProgramError as error:
        raise EditRefused(str(error)) from error
    gone = sorted(parent.files.keys() - child.files.keys())
    new = sorted(child.files.keys() - parent.files.keys())
    if gone or new:
        listed = [f"{path} is gone" for path in gone] + [f"{path} is new" for path in new]
        raise EditRefused(f"it changed which files there are: {', '.join(listed)}")
    if outside := touched_outside(parent, child):
        raise EditRefused(f"it changed what stands outside the EVOLVE blocks: {', '.join(outside)}")
    return checked(parent, child)
