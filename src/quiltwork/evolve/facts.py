"""All that is known of one run. `state.py` folds the log into it."""

from __future__ import annotations

from dataclasses import dataclass, field

from quiltwork.evolve.bandit import Bandit
from quiltwork.evolve.budget import Budget, Unit
from quiltwork.evolve.campaign import Campaign
from quiltwork.evolve.config import ProblemConfig
from quiltwork.evolve.entries import Certified, Started
from quiltwork.evolve.islands import Island
from quiltwork.evolve.member import Asked, Improvement, Instruction, Member, Pending

INSTRUCTIONS_IN_USE = 16
"""Instructions that compete at a time: as many as a run of some hundred requests can tell apart."""


@dataclass(slots=True)
class State:
    """All that is known of one run. Read it freely; only `apply` changes it."""

    started: Started | None = None
    config: ProblemConfig | None = None
    budget: Budget = field(default_factory=lambda: Budget(0.0, "evals"))
    islands: list[Island] = field(default_factory=list)
    bandit: Bandit = field(default_factory=lambda: Bandit(1.0))
    members: dict[int, Member] = field(default_factory=dict)
    pending: dict[int, Pending] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    campaigns: dict[int, Campaign] = field(default_factory=dict)
    tuned: set[int] = field(default_factory=set)
    instructions: list[Instruction] = field(default_factory=list)
    credit: Bandit = field(default_factory=lambda: Bandit(1.0))
    """The instructions' own bandit; its arms are their numbers, as text."""
    asked: dict[str, Asked] = field(default_factory=dict)
    """Arm, "meta:MODEL" or "judge:NAME" -> what was asked on its behalf."""
    best: int | None = None
    improvements: list[Improvement] = field(default_factory=list)
    refusals: dict[str, int] = field(default_factory=dict)
    committed: int = 0
    planned: int = 0
    evaluations: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0
    tokens: int = 0
    usd: float = 0.0
    last_time: int = 0
    driven: bool = False
    stop_reason: str = ""
    held_out: dict[int, dict[str, float]] = field(default_factory=dict)
    certified: dict[int, Certified] = field(default_factory=dict)
    digest: bytes = bytes(32)
    issues: list[tuple[int, str]] = field(default_factory=list)
    issue_count: int = 0

    def wants_plan(self) -> bool:
        """Whether the next step is to be planned now: there is room in the pipeline and in the budget."""
        if self.config is None or len(self.pending) >= self.config.pipeline:
            return False
        if self.planned == 0:
            return True
        if self.committed == 0 or self.members[0].fitness is None:
            return False
        return all(
            self.spent_in(limit.unit) + (len(self.pending) if limit.unit == "evals" else 0) < limit.amount
            for limit in self.budget.limits
        )

    def finished(self) -> bool:
        """Whether nothing is left to do within the budget."""
        return self.planned > 0 and not self.pending and not self.wants_plan()

    def spent(self) -> float:
        """What has been spent of the budget, in its first unit."""
        return self.spent_in(self.budget.unit)

    def spent_in(self, unit: Unit) -> float:
        """What has been spent, in a unit."""
        match unit:
            case "evals":
                return float(self.evaluations)
            case "cpu-s":
                return self.cpu_s
            case "wall-s":
                return self.wall_s
            case "tokens":
                return float(self.tokens)
            case "usd":
                return self.usd

    def ranked_instructions(self) -> tuple[int, ...]:
        """The instructions that compete, the best first: those with the largest expected gain per cost."""
        order = sorted(range(len(self.instructions)), key=lambda number: (-self.credit.rate(str(number)), number))
        return tuple(order[:INSTRUCTIONS_IN_USE])

    def fitness_of(self, metrics: dict[str, float]) -> tuple[float, ...]:
        """The metrics that decide, in the problem's order, larger for better."""
        assert self.config is not None
        return tuple(metrics[m.name] if m.direction == "maximize" else -metrics[m.name] for m in self.config.metrics)
