"""Looking a problem over before a run: does it load, does its own program pass, is its score repeatable."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quiltwork.evolve.budget import parse_budget
from quiltwork.evolve.evaluation import close_jails, evaluate
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.program import blocks
from quiltwork.evolve.proposers import NAMES, arms_for


@dataclass(slots=True)
class Report:
    """What was found. `problems` stop a run, `remarks` do not."""

    name: str
    summary: str = ""
    verdict: str = ""
    detail: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    blocks: int = 0
    proposers: list[str] = field(default_factory=list)
    budget: str = ""
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether a run could start."""
        return not self.problems

    def as_data(self) -> dict[str, Any]:
        """For `--json`."""
        return {name: getattr(self, name) for name in self.__slots__} | {"passed": self.passed}

    def as_text(self) -> str:
        """For people."""
        score = ", ".join(f"{name} = {value:.10g}" for name, value in self.metrics.items())
        lines = [
            f"{self.name}: {'ready' if self.passed else 'not ready'}",
            *([f"  {self.summary}"] if self.summary else []),
            f"  program to start from: {score or self.verdict}, {self.seconds:.2f} s per evaluation",
            f"  {self.blocks} block(s) may change; proposers: {', '.join(self.proposers) or 'none'}",
            f"  budget when nothing else is said: {self.budget}{self._estimate()}",
        ]
        lines += [f"  problem: {problem}" for problem in self.problems]
        lines += [f"  remark: {remark}" for remark in self.remarks]
        return "\n".join(lines)

    def _estimate(self) -> str:
        """How long the budget takes if all programs are as fast as the first one."""
        budget = parse_budget(self.budget)
        if budget.unit != "evals":
            return ""
        seconds = budget.amount * self.seconds / len(os.sched_getaffinity(0))
        return f", about {seconds:.0f} s if all programs are as fast as this one"


def check_problem(folder: Path, *, trust: bool) -> Report:
    """Load a folder (raises `UserError` where it cannot be) and evaluate its own program twice."""
    problem = Problem.load(folder)
    report = Report(
        name=problem.config.name,
        summary=problem.config.summary,
        blocks=len(blocks(problem.program)),
        proposers=list(arms_for(problem, NAMES)),
        budget=str(parse_budget(problem.config.budget)),
        remarks=[] if problem.imported is None else [problem.imported.notice, *problem.imported.remarks],
    )
    payload = {
        "problem": str(problem.path),
        "files": dict(problem.program.files),
        "construction": None,
        "start": None,
        "seed": 0,
        "incumbent": None,
        "trust": trust,
    }
    try:
        first, second = evaluate(payload), evaluate(payload)
    finally:
        close_jails()
    report.verdict, report.detail = first["verdict"], first["detail"]
    report.seconds = min(first["wall_s"], second["wall_s"])
    report.metrics = first.get("metrics", {})
    if first["verdict"] != "ok":
        report.problems.append(f"the program to start from was refused ({first['verdict']}):\n{first['detail']}")
    elif first["metrics"] != second.get("metrics") and not problem.config.noisy:
        report.problems.append(
            f"two evaluations with the same seed differ: {first['metrics']} and {second.get('metrics')}; seed what is "
            "random from candidate.seed, or set noisy = true in problem.toml"
        )
    if not problem.known:
        report.remarks.append("no known.toml: the run cannot say where it stands")
    if not report.proposers:
        report.problems.append("no proposer can work on it: give program/ a block, or add blocks/ or polish.py")
    return report
