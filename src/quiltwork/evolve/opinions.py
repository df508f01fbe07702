"""What models write beside programs: new instructions for one another, and judgements of programs that passed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quiltwork.evolve.draws import draw
from quiltwork.evolve.entries import Instructed, Planned, Refused
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.program import Program
from quiltwork.evolve.prompting.judge import judge_request, read_judgement
from quiltwork.evolve.prompting.meta import instruction_request, read_instruction
from quiltwork.evolve.state import State
from quiltwork.evolve.switchboard import Switchboard
from quiltwork.models import ModelConfig


async def instruct(switchboard: Switchboard, problem: Problem, state: State, planned: Planned) -> Instructed | Refused:
    """A new instruction, made from those that did best so far; refused where the reply holds none, or one that is known."""
    assert state.started is not None
    ranked = [state.instructions[number].text for number in planned.ranking]
    model = model_named(problem, planned.arm.partition(":")[2])
    seed = int(draw(state.started.seed, planned.step, "instruct").integers(2**31 - 1))
    reply = await switchboard.ask(planned.step, "meta", instruction_request(problem, model, ranked, seed))
    text = read_instruction(reply.texts[0])
    if text is None or text in ranked:
        return Refused(step=planned.step, reason="answer", detail=f"no new instruction in: {reply.texts[0][:400]}")
    return Instructed(step=planned.step, text=text, parent=planned.ranking[0])


async def judge(
    switchboard: Switchboard, problem: Problem, planned: Planned, program: Program, result: Mapping[str, Any]
) -> dict[str, Any]:
    """An evaluation's result with the opinion of every judge added. A judge that cannot be understood adds no metric."""
    metrics, artifacts = dict(result["metrics"]), dict(result["artifacts"])
    texts = {name: value for name, value in result["artifacts"].items() if isinstance(value, str)}
    for asked in problem.config.llm.judges:
        model = model_named(problem, asked.model)
        request = judge_request(problem, asked, program, texts, result["metrics"], model)
        reply = await switchboard.ask(planned.step, f"judge {asked.name}", request)
        opinion = read_judgement(reply.texts[0])
        if opinion is not None:
            metrics[f"judge.{asked.name}"] = opinion[0]
        said = opinion[1] if opinion is not None else f"not understood: {reply.texts[0][:400]}"
        artifacts[f"judge_{asked.name}.txt"] = f"The opinion of a model ({model.name}), not a measurement:\n{said}\n"
    return {**result, "metrics": metrics, "artifacts": artifacts}


def model_named(problem: Problem, name: str) -> ModelConfig:
    """One of the run's models; the first where no name is given."""
    models = problem.config.models
    return next(model for model in models if not name or model.name == name)
