"""FunSearch's prompt (Romera-Paredes et al., Nature 625, 2024): earlier versions of a function, then the header of the next.

The model sees nothing but Python and goes on writing. Measured on a model of 1.5 billion parameters, all of 30 answers could
be used, against 3 of 25 edits (see docs/proposers.md). The instruction, artifacts and failures have no place in this form.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from quiltwork.evolve.editing.functions import Target, targets
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.program import Program
from quiltwork.evolve.prompting.chat import metrics_text
from quiltwork.evolve.prompting.fitting import Room, fitted, tokens
from quiltwork.evolve.prompting.material import printable
from quiltwork.evolve.proposers.base import Brief, Specimen
from quiltwork.evolve.source import parse
from quiltwork.models import ModelConfig

STOP = ("\ndef ", "\n#", "\nif ", "\nprint(")
"""What begins the next statement at the margin. Servers take four at most; what else follows is cut off with `ast`."""

PREAMBLE_CHARS = 2_000
"""Of the imports and constants above the function."""

CONSTANT_CHARS = 200
"""A longer constant is data, which says little and costs much."""


def completion(brief: Brief, model: ModelConfig, target: Target) -> tuple[str, int]:
    """Write the prompt and say which version it asks for; raises `NothingToPropose` where the parent alone does not fit."""
    earlier = _earlier(brief, target)
    room = Room(failures=0, inspirations=len(earlier), artifacts=0, readme=0)

    def write(room: Room) -> tuple[str, int]:
        versions = [*earlier[len(earlier) - room.inspirations :], target]
        preamble = _preamble(brief.problem, brief.parent.program, target.path) if room.surroundings else ""
        parts = [preamble, *(_version(each, number) for number, each in enumerate(versions))]
        return printable("\n\n".join(filter(None, [*parts, _next(target, len(versions))]))) + "\n", len(versions)

    return fitted(write, lambda prompt: tokens(prompt[0]), room, model, f"the function {target.name}")


def _earlier(brief: Brief, target: Target) -> list[Target]:
    """The same function in the inspirations, worse before better, no two the same."""
    found: list[Target] = []
    seen = {target.text}
    ordered: Sequence[Specimen] = sorted(brief.inspirations, key=lambda each: each.fitness)
    for specimen in ordered:
        for other in targets(specimen.program):
            if (other.path, other.name) == (target.path, target.name) and other.text not in seen:
                seen.add(other.text)
                found.append(other)
    return found


def _version(target: Target, number: int) -> str:
    """One version under its number; the first keeps its docstring, the others say what they are."""
    text = target.text if number == 0 else target.with_body(target.body, _improves(target, number))
    return target.renamed(text, target.version(number))


def _next(target: Target, number: int) -> str:
    return target.renamed(target.with_body("", _improves(target, number)), target.version(number))


def _improves(target: Target, number: int) -> str:
    return f'"""Improved version of `{target.version(number - 1)}`."""'


def _preamble(problem: Problem, program: Program, path: str) -> str:
    """The problem as a docstring, then the file's imports and short constants."""
    words = "\n".join(
        part for part in (f"{problem.config.name}. {problem.config.summary}".strip(), metrics_text(problem)) if part
    )
    kept = ['"""' + re.sub(r'["\\]', "'", words) + '\n"""']
    text = program.files[path]
    tree = parse(text)
    size = 0
    for statement in tree.body if tree else ():
        if not isinstance(statement, ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign):
            continue
        source = ast.unparse(statement)
        size += len(source)
        if len(source) <= CONSTANT_CHARS and size <= PREAMBLE_CHARS:
            kept.append(source)
    return "\n".join(kept)
