"""The fold: what is known of a run, from its entries alone.

Results reach the log in whatever order workers finish; `_drain` commits steps in their own order, and only while the next
step to plan has been planned. So every plan is made from the same state, whatever the number of workers, their speed, or
how often the run was interrupted.

The state is owned by whoever folds: `apply` changes it in place and gives it back, since copying 100,000 programs per
entry would serve nobody. An entry that does not fit is a recorded no-op with a reason.
"""

from __future__ import annotations

from quiltwork.evolve.bandit import Bandit
from quiltwork.evolve.budget import parse_budget
from quiltwork.evolve.campaign import Campaign
from quiltwork.evolve.commit import commit, new_archive, tend_islands
from quiltwork.evolve.config import ProblemConfig
from quiltwork.evolve.entries import (
    Certified,
    Evaluated,
    HeldOut,
    Instructed,
    Planned,
    Proposed,
    Refused,
    Replied,
    Resumed,
    Started,
    Stopped,
)
from quiltwork.evolve.facts import State
from quiltwork.evolve.islands import Island
from quiltwork.evolve.member import Asked, Instruction, Pending
from quiltwork.log import Body, Entry, decode

__all__ = ["State", "apply", "apply_body"]

ISSUES_KEPT = 1_000
"""Entries that did not fit are counted for ever; the reasons of the first ones are kept."""


def apply(state: State, entry: Entry) -> State:
    """Fold one entry of the log into the state."""
    return apply_body(state, decode(entry), entry.seq, entry.time)


def apply_body(state: State, body: object, seq: int, time: int) -> State:
    """Fold a decoded body; `time` is the entry's, in nanoseconds since 1970."""
    if state.driven and not isinstance(body, Resumed | Started) and time > state.last_time:
        state.wall_s += (time - state.last_time) / 1e9
    state.last_time = time
    issue = _dispatch(state, body)
    if issue:
        state.issue_count += 1
        if len(state.issues) < ISSUES_KEPT:
            state.issues.append((seq, issue))
    return state


def _dispatch(state: State, body: object) -> str:
    """Apply one body; returns why it was not applied, or nothing."""
    match body:
        case Started():
            return _start(state, body)
        case _ if state.started is None:
            return "the run has not started"
        case Planned():
            return _plan(state, body)
        case Proposed():
            return _propose(state, body)
        case Replied():
            return _reply(state, body)
        case Evaluated() | Refused() | Instructed():
            return _conclude(state, body)
        case Resumed():
            state.budget, state.driven, state.stop_reason = parse_budget(body.budget), True, ""
        case Stopped():
            state.cpu_s += body.host_cpu_s + body.ended_cpu_s
            state.driven, state.stop_reason = False, body.reason
        case HeldOut():
            state.held_out[body.step] = body.metrics
        case Certified():
            state.certified[body.step] = body
        case Body():
            return f"{type(body).__name__} is not an entry of evolve"
        case _:
            return f"unreadable entry: {body}"
    return ""


def _start(state: State, body: Started) -> str:
    if state.started is not None:
        return "the run has started already"
    config = ProblemConfig.model_validate_json(body.config)
    state.started, state.config, state.budget, state.driven = body, config, parse_budget(body.budget), True
    count = config.search.islands if config.search.kind == "quilt" else 1
    state.islands = [Island(new_archive(state, index)) for index in range(count)]
    state.bandit = Bandit(config.search.discount)
    state.credit = Bandit(config.search.discount)
    state.instructions = [Instruction(text) for text in config.llm.instructions]
    return ""


def _plan(state: State, body: Planned) -> str:
    if body.step != state.planned:
        return f"step {body.step} was planned when step {state.planned} was next"
    if not 0 <= body.island < len(state.islands):
        return f"step {body.step} was planned for island {body.island} of {len(state.islands)}"
    missing = [parent for parent in (*body.parents, *body.inspirations, *body.failures) if parent not in state.members]
    if missing:
        return f"step {body.step} was planned from steps that are not known: {missing}"
    if body.instruction is not None and not 0 <= body.instruction < len(state.instructions):
        return f"step {body.step} was planned with instruction {body.instruction} of {len(state.instructions)}"
    if body.campaign is not None:
        if body.campaign == body.step and body.parents and body.dimensions > 0:
            state.tuned.add(body.parents[0])
            state.campaigns[body.step] = Campaign(body.step, body.island, body.parents[0], body.dimensions)
        if body.campaign not in state.campaigns:
            return f"step {body.step} was planned for campaign {body.campaign}, which is not open"
        state.campaigns[body.campaign].asked += 1
    state.planned += 1
    state.cpu_s += body.host_cpu_s
    state.pending[body.step] = Pending(body, state.committed)
    _drain(state)
    return ""


def _propose(state: State, body: Proposed) -> str:
    pending = state.pending.get(body.step)
    if pending is None:
        return f"step {body.step} is not pending, yet a program was proposed for it"
    if pending.proposed is not None:
        return f"step {body.step} has a proposal already"
    pending.proposed = body
    state.cpu_s += body.cost.cpu_s
    return ""


def _reply(state: State, body: Replied) -> str:
    # What was paid is spent, whether or not the step still waits for it.
    state.tokens += body.prompt_tokens + body.completion_tokens
    state.usd += body.usd
    pending = state.pending.get(body.step)
    if pending is None:
        return f"step {body.step} is not pending, yet a reply came"
    name = pending.planned.arm if not body.purpose.startswith("judge ") else body.purpose.replace(" ", ":")
    state.asked.setdefault(name, Asked()).count(body)
    pending.count(body)
    return ""


def _conclude(state: State, body: Evaluated | Refused | Instructed) -> str:
    pending = state.pending.get(body.step)
    if pending is None:
        return f"step {body.step} is not pending, yet a verdict came"
    if pending.outcome is not None:
        return f"step {body.step} has a verdict already"
    if isinstance(body, Evaluated) and pending.proposed is None:
        return f"step {body.step} was evaluated before a program was proposed for it"
    pending.outcome = body
    if not isinstance(body, Instructed):
        state.cpu_s += body.cost.cpu_s
    _drain(state)
    return ""


def _drain(state: State) -> None:
    while not state.wants_plan():
        pending = state.pending.get(state.committed)
        if pending is None or pending.outcome is None:
            return
        del state.pending[state.committed]
        commit(state, pending)
        state.committed += 1
        tend_islands(state)
