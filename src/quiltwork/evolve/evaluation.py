"""What runs in a worker process: one candidate through the problem's stages, or one proposal by a heavy proposer.

Workers are trusted and the candidate is not: the evaluator runs here, the candidate in the worker's jail. Payloads and
results are plain data, so that a worker may as well live on another machine.
"""

from __future__ import annotations

import dataclasses
import linecache
import math
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from quiltwork.errors import UserError
from quiltwork.evolve.candidate import Candidate
from quiltwork.evolve.config import Stage
from quiltwork.evolve.draws import draw
from quiltwork.evolve.problem import Problem, ProblemError
from quiltwork.evolve.program import Program
from quiltwork.evolve.proposers import proposer
from quiltwork.evolve.proposers.base import Brief, NothingToPropose, Specimen
from quiltwork.evolve.racing import is_worse
from quiltwork.evolve.score import Data, InvalidScore, Score
from quiltwork.sandbox import CandidateFailed, Jail, Limits, Session, open_jail, wire
from quiltwork.workers import folders

DETAIL_LIMIT = 8_000
"""Characters of a traceback or of output that are kept: enough to see the cause, too few to fill a disk."""

ARTIFACT_LIMIT = 256 * 1024
"""Bytes of one artifact."""

_jails: dict[tuple[bool, tuple[str, ...]], Jail] = {}


@lru_cache(maxsize=4)
def _problem(path: str) -> Problem:
    return Problem.load(folders.find(path))


def jail_for(problem: Problem, *, trust: bool) -> Jail:
    """This process's warm jail for a problem; started at the first use and kept."""
    key = (trust, problem.config.program.preload)
    if key not in _jails:
        _jails[key] = open_jail(trust=trust, preload=key[1])
    return _jails[key]


def close_jails() -> None:
    """End this process's jails."""
    while _jails:
        _jails.popitem()[1].close()


def evaluate(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Score one program. Payload and result are described by `request` and by the entry `Evaluated`."""
    problem = _problem(payload["problem"])
    meter = _Meter()
    try:
        outcome = _run_stages(problem, payload, meter)
    except CandidateFailed as failure:
        outcome = {"verdict": failure.verdict, "detail": failure.detail}
    except InvalidScore as refusal:
        outcome = {"verdict": "invalid", "detail": str(refusal)}
    except UserError:
        raise  # a jail that cannot be had, or a problem that is not one, is nobody's program
    except Exception:  # noqa: BLE001  an evaluator that trips over a candidate's data refuses the candidate, not the run
        outcome = {"verdict": "evaluator", "detail": _evaluator_traceback(problem)}
    outcome["detail"] = outcome.get("detail", "")[-DETAIL_LIMIT:]
    if meter.output and outcome["verdict"] != "ok":
        outcome.setdefault("artifacts", {})["output.txt"] = meter.output[-DETAIL_LIMIT:]
    return {**outcome, "cpu_s": meter.cpu_s(), "wall_s": meter.wall_s()}


def propose(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Let a heavy proposer make one child. A result without "files" says in "nothing" why there is none."""
    problem = _problem(payload["problem"])
    meter = _Meter()
    brief = Brief(
        problem=problem,
        parent=_specimen(payload["parent"]),
        inspirations=[_specimen(each) for each in payload["inspirations"]],
        rng=draw(payload["seed"], payload["step"], "propose"),
        start=_decoded(payload["start"]),
    )
    result: dict[str, Any]
    try:
        proposal = proposer(payload["arm"]).propose(brief)
    except NothingToPropose as nothing:
        result = {"nothing": str(nothing)}
    else:
        result = {
            "files": dict(proposal.program.files),
            "note": proposal.note,
            "construction": None if proposal.construction is None else wire.encode(proposal.construction),
        }
    return {**result, "cpu_s": meter.cpu_s(), "wall_s": meter.wall_s()}


def judge_held_out(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Run the problem's `held_out(candidate)` on one program."""
    problem = _problem(payload["problem"])
    judge = problem.hook("held_out")
    if judge is None:
        return {}
    with _candidate(problem, payload, _Meter(), stage="held_out", seed=payload["seed"]) as candidate:
        return {"metrics": _plain(judge(candidate).metrics)}


def _run_stages(problem: Problem, payload: Mapping[str, Any], meter: _Meter) -> dict[str, Any]:
    outcome: dict[str, Any] = {}
    for stage in problem.config.stages:
        scores = _repeat(problem, payload, meter, stage)
        metrics = _means([_plain(score.metrics) for score in scores])
        later = problem.config.judged
        missing = [m.name for m in problem.config.metrics if m.name not in metrics and m.name not in later]
        if missing:
            raise ProblemError(
                f"{problem.path / 'evaluate.py'}: stage {stage.name}: the score lacks {', '.join(missing)}, "
                f"which problem.toml names; it has {', '.join(sorted(metrics)) or 'nothing'}"
            )
        outcome = {
            "verdict": "ok",
            "metrics": metrics,
            "descriptors": _descriptors(problem, scores[0]),
            "artifacts": {name: _bounded(value) for name, value in scores[-1].artifacts.items()},
            "construction": None if scores[-1].construction is None else wire.encode(scores[-1].construction),
            "stage": stage.name,
            "repeats": len(scores),
        }
        lead = problem.config.metrics[0]
        if stage.threshold is not None:
            reached = metrics[lead.name] >= stage.threshold
            if lead.direction == "minimize":
                reached = metrics[lead.name] <= stage.threshold
            if not reached:
                detail = (
                    f"{lead.name} = {metrics[lead.name]:g} does not reach {stage.threshold:g} in stage {stage.name}"
                )
                return {"verdict": "threshold", "detail": detail, "stage": stage.name, "repeats": len(scores)}
    return outcome


def _repeat(problem: Problem, payload: Mapping[str, Any], meter: _Meter, stage: Stage) -> list[Score]:
    lead = problem.config.metrics[0]
    sign = 1.0 if lead.direction == "maximize" else -1.0
    scores: list[Score] = []
    for repeat in range(stage.repeats):
        with _candidate(problem, payload, meter, stage=stage.name, seed=payload["seed"] + repeat) as candidate:
            score = problem.evaluator.evaluate(candidate)
        if not isinstance(score, Score):
            raise ProblemError(
                f"{problem.path / 'evaluate.py'}: evaluate() returned {type(score).__name__}; it must return a Score"
            )
        scores.append(score)
        values = [sign * float(each.metrics[lead.name]) for each in scores if lead.name in each.metrics]
        if payload["incumbent"] is not None and is_worse(values, payload["incumbent"], looks=stage.repeats):
            break
    return scores


@contextmanager
def _candidate(
    problem: Problem, payload: Mapping[str, Any], meter: _Meter, *, stage: str, seed: int
) -> Iterator[Candidate]:
    limits = Limits(**problem.config.limits.model_dump())
    jail = jail_for(problem, trust=payload["trust"])
    entry = problem.config.program.entry

    def open_session() -> Session:
        return jail.start({**payload["files"], **problem.beside}, entry, limits, seed)

    candidate = Candidate(
        open_session,
        limits=limits,
        seed=seed,
        stage=stage,
        start=_decoded(payload["start"]),
        construction=_decoded(payload["construction"]),
    )
    try:
        yield candidate
    finally:
        if candidate.session is not None:
            candidate.session.close()
            meter.charge(candidate.session)


def _descriptors(problem: Problem, score: Score) -> dict[str, float]:
    found = _plain(score.descriptors)
    for descriptor in problem.config.descriptors:
        if descriptor.name not in found and not descriptor.name.startswith("program."):
            raise ProblemError(
                f"{problem.path / 'evaluate.py'}: the score lacks the descriptor {descriptor.name!r} that problem.toml names"
            )
    return found


def _plain(values: Mapping[str, float]) -> dict[str, float]:
    return {str(name): float(value) for name, value in values.items()}


def _means(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: math.fsum(run[name] for run in runs) / len(runs) for name in runs[0]} if len(runs) > 1 else runs[0]


def _bounded(artifact: str | bytes) -> str | bytes:
    return artifact[:ARTIFACT_LIMIT]


def _decoded(blob: bytes | None) -> Data:
    return None if blob is None else wire.decode(blob)


def _specimen(payload: Mapping[str, Any]) -> Specimen:
    return Specimen(
        program=Program(payload["files"]),
        fitness=tuple(payload["fitness"]),
        metrics=payload["metrics"],
        artifacts=payload["artifacts"],
        construction=_decoded(payload["construction"]),
    )


def _evaluator_traceback(problem: Problem) -> str:
    linecache.checkcache()
    return f"{problem.path.name}/evaluate.py failed on what the candidate returned:\n{traceback.format_exc()}"


@dataclasses.dataclass(slots=True)
class _Meter:
    """Processor and wall time of this worker's own work and of the jailed sessions under it."""

    started_cpu: float = dataclasses.field(default_factory=time.process_time)
    started_wall: float = dataclasses.field(default_factory=time.monotonic)
    jailed_cpu: float = 0.0
    output: str = ""

    def charge(self, session: Session) -> None:
        self.jailed_cpu += session.usage.cpu_s
        self.output += session.output

    def cpu_s(self) -> float:
        return time.process_time() - self.started_cpu + self.jailed_cpu

    def wall_s(self) -> float:
        return time.monotonic() - self.started_wall
