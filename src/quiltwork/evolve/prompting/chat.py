"""The chat that shows a problem, a parent, inspirations, artifacts, failures, and says what to do.

What is the same for a whole run comes first, in the system message, so that servers may keep what they computed of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from quiltwork.evolve.editing.refusal import one_line
from quiltwork.evolve.editing.splice import block_text
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.program import Program, blocks
from quiltwork.evolve.prompting.fitting import Room, cut, fitted, tokens_of
from quiltwork.evolve.prompting.material import RULE, Frame, number, scores
from quiltwork.evolve.proposers.base import Brief, Failure, Specimen
from quiltwork.models import Message, ModelConfig

ROLE = (
    "You improve programs. Each program is run and scored by an evaluator that nobody can change; a better score is all that "
    "counts. You are shown one program with its scores and asked for a changed one."
)

FAILURE_CHARS = 2_000
"""How much of a refused program's blocks is shown."""

DETAIL_CHARS = 600
"""How much of a failure's detail is shown: the end, where a traceback says what it was."""


def chat(
    brief: Brief, model: ModelConfig, rules: str, seed: int, *, prefill: str = "", kept: int = 0
) -> tuple[Message, ...]:
    """Write the chat, cut to fit; raises `NothingToPropose` where the parent's blocks alone do not fit.

    `rules` say how to answer, `prefill` is how the answer begins, `kept` how many inspirations must be shown.
    """
    artifacts = brief.parent.artifacts
    room = Room(
        failures=len(brief.failures),
        inspirations=len(brief.inspirations),
        artifacts=min(brief.problem.config.llm.artifact_chars, max(map(len, artifacts.values()), default=0)),
        readme=len(brief.problem.readme),
        kept=kept,
    )

    def write(room: Room) -> tuple[Message, ...]:
        told = brief.instruction or brief.problem.config.llm.instructions[0]
        return (
            Message("system", system_text(brief.problem, ROLE, room.readme)),
            Message("user", "\n\n".join([*_shown(brief, room, seed), f"# What to do\n{told}", rules.strip()])),
            *([Message("assistant", prefill)] if prefill else []),
        )

    return fitted(write, tokens_of, room, model, "the program")


def system_text(problem: Problem, role: str, readme_chars: int) -> str:
    """What is the same in all requests of a run: the role, the frame of material, the problem."""
    return "\n\n".join([role, RULE, problem_text(problem, readme_chars)])


def problem_text(problem: Problem, readme_chars: int) -> str:
    """The problem in words: summary, metrics, known values, README."""
    config = problem.config
    lines = [f"# The problem: {config.name}", config.summary, metrics_text(problem)]
    if problem.known:
        listed = "; ".join(f"{number(known.value)} ({known.who})" for known in problem.known)
        lines.append(f"Values of {config.metrics[0].name} that others reached: {listed}.")
    if readme_chars and problem.readme.strip():
        lines.append(f"\n{cut(problem.readme.strip(), readme_chars)}")
    return "\n".join(line for line in lines if line)


def metrics_text(problem: Problem) -> str:
    """Which metrics decide, and in which direction."""
    better: dict[Literal["maximize", "minimize"], str] = {"maximize": "larger", "minimize": "smaller"}
    listed = ", ".join(f"{m.name} ({better[m.direction]} is better)" for m in problem.config.metrics)
    return f"What counts: {listed}."


def program_text(program: Program, frame: Frame, name: str, *, surroundings: bool = True) -> str:
    """All files of a program, or its blocks alone, framed."""
    if surroundings:
        return "\n".join(frame.around(f"{name} {path}", text) for path, text in program.files.items())
    return "\n".join(
        frame.around(f"{name} BLOCK {n} of {block.path}", block_text(program, block))
        for n, block in enumerate(blocks(program), start=1)
    )


def _shown(brief: Brief, room: Room, seed: int) -> Iterator[str]:
    """The parts of the user's message before what to do."""
    parent = brief.parent
    others = best_first(brief.inspirations)
    frame = Frame(_texts(brief), seed)
    yield frame.announcement
    yield f"# Program A: the one to change\nScores: {scores(parent.metrics)}"
    yield program_text(parent.program, frame, "A", surroundings=room.surroundings)
    if room.artifacts and parent.artifacts:
        yield "# What the evaluator said of it"
        yield from (
            frame.around(name, cut(parent.artifacts[name], room.artifacts)) for name in sorted(parent.artifacts)
        )
    if others:
        yield "# Other programs for the same problem, the best first"
    for place, other in enumerate(others, start=1):
        yield f"Program B{place}. Scores: {scores(other.metrics)}"
        if place <= room.inspirations:
            yield program_text(other.program, frame, f"B{place}", surroundings=False)
    failures = brief.failures[: room.failures]
    if failures:
        yield "# Changes that were refused lately"
        yield from (_failure(failure, frame) for failure in failures)


def best_first(inspirations: Sequence[Specimen]) -> list[Specimen]:
    """The inspirations, the best first; equals in the order they came in."""
    return sorted(inspirations, key=lambda each: each.fitness, reverse=True)


def _failure(failure: Failure, frame: Frame) -> str:
    program = failure.program
    text = "\n".join(block_text(program, block) for block in blocks(program))
    why = f"{failure.verdict}: {failure.detail.strip()[-DETAIL_CHARS:]}"
    said = f"it was meant to: {one_line(failure.note, 120)}"
    return frame.around("refused", f"{cut(text, FAILURE_CHARS)}\n\n{said}\nit was refused: {why}")


def _texts(brief: Brief) -> Iterator[str]:
    """Everything that strangers wrote."""
    for specimen in (brief.parent, *brief.inspirations):
        yield from specimen.program.files.values()
        yield from specimen.artifacts.values()
    for failure in brief.failures:
        yield from failure.program.files.values()
        yield from (failure.note, failure.verdict, failure.detail)
