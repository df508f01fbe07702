"""A step, on its way and once it is history."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from quiltwork.evolve.entries import Evaluated, Instructed, Planned, Proposed, Refused, Replied


@dataclass(slots=True)
class Member:
    """A step that has been committed. `fitness` is None for a program that was refused."""

    step: int
    arm: str
    island: int
    parents: tuple[int, ...]
    verdict: str
    program: str | None = None
    fitness: tuple[float, ...] | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    descriptors: tuple[float, ...] = ()
    artifacts: dict[str, str] = field(default_factory=dict)
    construction: str | None = None
    start: str | None = None
    note: str = ""
    detail: str = ""
    cpu_s: float = 0.0
    samples: int = 1
    instruction: int | None = None
    embedding: str | None = None
    tokens: int = 0
    usd: float = 0.0
    waited_s: float = 0.0
    first: dict[str, float] | None = None
    """The metrics as first measured, where later runs of the same program have changed them."""

    @property
    def shown(self) -> dict[str, float]:
        """The metrics that proposers see: those of one moment, so that a proposal never depends on when it was made."""
        return self.metrics if self.first is None else self.first

    def history_line(self) -> bytes:
        """What two runs must agree on, step by step: everything but times, costs and the wording of failures."""
        return msgspec.msgpack.encode(
            (
                self.step,
                self.arm,
                self.island,
                self.parents,
                self.verdict,
                self.program,
                self.construction,
                self.metrics,
                self.descriptors,
            ),
            order="deterministic",
        )


@dataclass(slots=True)
class Pending:
    """A step on its way: planned when `known` steps were committed, perhaps proposed, perhaps with its outcome."""

    planned: Planned
    known: int = 0
    proposed: Proposed | None = None
    outcome: Evaluated | Refused | Instructed | None = None
    replies: dict[str, str] = field(default_factory=dict)
    """Blob of the request -> blob of the reply, for what was asked already."""
    repaired: bool = False
    tokens: int = 0
    usd: float = 0.0
    waited_s: float = 0.0

    def count(self, reply: Replied) -> None:
        """Take a reply over."""
        self.replies[reply.request] = reply.reply
        self.repaired |= reply.purpose == "repair"
        self.tokens += reply.prompt_tokens + reply.completion_tokens
        self.usd += reply.usd
        self.waited_s += reply.wall_s


@dataclass(slots=True)
class Asked:
    """What was asked on behalf of one arm, and what came of it.

    Of the `steps` that were committed, `applied` had a reply that made a program, `repaired` of them after a second request.
    """

    replies: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    wall_s: float = 0.0
    steps: int = 0
    applied: int = 0
    repaired: int = 0

    def count(self, reply: Replied) -> None:
        """Take a reply over."""
        self.replies += 1
        self.prompt_tokens += reply.prompt_tokens
        self.completion_tokens += reply.completion_tokens
        self.usd += reply.usd
        self.wall_s += reply.wall_s


@dataclass(frozen=True, slots=True)
class Instruction:
    """What a model may be told to do. `parent` is the number of the one that it was made from, `step` where it was made."""

    text: str
    parent: int | None = None
    step: int | None = None


@dataclass(frozen=True, slots=True)
class Improvement:
    """The run's best got better. `cpu_s` and `evaluations` are what had been spent by then."""

    step: int
    evaluations: int
    cpu_s: float
    value: float
