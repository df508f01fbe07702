"""What a run's models are likely to cost, said before the first request."""

from __future__ import annotations

from quiltwork.evolve.budget import Budget
from quiltwork.evolve.likeness import text_of
from quiltwork.evolve.problem import Problem
from quiltwork.models import ModelConfig
from quiltwork.models.prices import price_of

CHARS_PER_TOKEN = 4
"""Of code and English, roughly: an estimate is no bound."""

RULES_CHARS = 3_000
"""What the rules of a format, the instruction and the frame add to a prompt."""

REMARK_TOKENS = 60
"""What a model says beside the program."""


def estimate(problem: Problem, budget: Budget, models: tuple[ModelConfig, ...]) -> str:
    """One line for people: how many requests of what size, and what they cost if all went to one model; "" without models."""
    if not models:
        return ""
    program = sum(map(len, problem.program.files.values()))
    shown = len(problem.readme) + program + problem.config.search.inspirations * len(text_of(problem.program))
    prompt = (RULES_CHARS + shown) // CHARS_PER_TOKEN
    answer = len(text_of(problem.program)) // CHARS_PER_TOKEN + REMARK_TOKENS
    said = [f"a request is about {prompt:,} + {answer:,} tokens"]
    if (evaluations := budget.limit("evals")) is not None:
        said.append(f"{evaluations:,.0f} of them, if every step asked, about {evaluations * (prompt + answer):,.0f}")
        for model in models:
            price = price_of(model)
            if price is None:
                said.append(f"the price of {model.name} is not known")
            elif price != (0.0, 0.0):
                said.append(f"${evaluations * price.of(prompt, answer):,.2f} with {model.name}")
    caps = [str(limit) for limit in budget.limits if limit.unit in ("tokens", "usd")]
    said.append(f"never more than {' or '.join(caps)}" if caps else "no limit in tokens or dollars is set")
    return f"estimate: {'; '.join(said)}"
