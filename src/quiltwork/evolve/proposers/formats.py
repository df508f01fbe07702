"""The formats that a model is asked in: for each, what it needs, what is asked, and how the answer becomes a program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from quiltwork.evolve.editing import EditRefused
from quiltwork.evolve.editing.functions import Target, continued, targets
from quiltwork.evolve.editing.rewrite import rewritten
from quiltwork.evolve.editing.search_replace import edited
from quiltwork.evolve.editing.splice import block_text
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.program import Program, blocks
from quiltwork.evolve.prompting import rules
from quiltwork.evolve.prompting.chat import chat
from quiltwork.evolve.prompting.completion import STOP, completion
from quiltwork.evolve.proposers.base import Brief, NothingToPropose
from quiltwork.models import Message, ModelConfig

Reader = Callable[[str, bool], Program]
"""Text of an answer, and whether it was cut off at its greatest length -> the child; raises `EditRefused`."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: a chat or a raw prompt, where the answer stops, and how it is read."""

    read: Reader
    messages: tuple[Message, ...] = ()
    prompt: str = ""
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Format:
    """One way of asking. `ask` raises `NothingToPropose`; one that `talks` says what it did, and may be asked once more."""

    ask: Callable[[Brief, ModelConfig, int], Question]
    applies_to: Callable[[Problem], bool]
    talks: bool


def _has_block(problem: Problem) -> bool:
    return bool(blocks(problem.program))


def _has_function(problem: Problem) -> bool:
    return bool(targets(problem.program))


def _diff(brief: Brief, model: ModelConfig, seed: int) -> Question:
    parent = brief.parent.program
    return Question(
        lambda text, cut_off: edited(parent, text, cut_off=cut_off),
        chat(brief, model, rules.diff(len(parent.files)), seed),
    )


def _rewrite(brief: Brief, model: ModelConfig, seed: int) -> Question:
    return Question(_rewriter(brief.parent.program), chat(brief, model, _rewrite_rules(brief.parent.program), seed))


def _rewrite_rules(program: Program) -> str:
    places = blocks(program)
    first_lines = [next(iter(block_text(program, block).strip().split("\n")))[:80] for block in places]
    return rules.rewrite(places, first_lines)


def _rewriter(parent: Program) -> Reader:
    def read(text: str, cut_off: bool) -> Program:
        child = rewritten(parent, text, cut_off=cut_off)
        if any(rules.SOUP in new and rules.SOUP not in parent.files[path] for path, new in child.files.items()):
            raise EditRefused("it repeats the example of the form")
        return child

    return read


def _cross(brief: Brief, model: ModelConfig, seed: int) -> Question:
    parent = brief.parent.program
    others = [each for each in brief.inspirations if each.program != parent]
    if not others:
        raise NothingToPropose("no other program to combine with")
    other = others[int(brief.rng.random() * len(others))]
    told = rules.CROSS + _rewrite_rules(parent)
    return Question(_rewriter(parent), chat(replace(brief, inspirations=[other]), model, told, seed, kept=1))


def _prefill(brief: Brief, model: ModelConfig, seed: int) -> Question:
    parent, target = brief.parent.program, _drawn_function(brief)
    begun = f"```python\n{target.header}\n"
    return Question(
        lambda text, cut_off: continued(parent, target, text, 1, cut_off=cut_off),
        chat(brief, model, rules.prefill(target.name), seed, prefill=begun),
        stop=("```",),
    )


def _complete(brief: Brief, model: ModelConfig, seed: int) -> Question:
    parent, target = brief.parent.program, _drawn_function(brief)
    prompt, number = completion(brief, model, target)
    return Question(
        lambda text, cut_off: continued(parent, target, text, number, cut_off=cut_off), prompt=prompt, stop=STOP
    )


def _drawn_function(brief: Brief) -> Target:
    found = targets(brief.parent.program)
    if not found:
        raise NothingToPropose("no Python function lies wholly in a block")
    return found[int(brief.rng.random() * len(found))]


FORMATS: Mapping[str, Format] = {
    "diff": Format(_diff, _has_block, talks=True),
    "rewrite": Format(_rewrite, _has_block, talks=True),
    "cross": Format(_cross, _has_block, talks=True),
    "complete": Format(_complete, _has_function, talks=False),
    "prefill": Format(_prefill, _has_function, talks=False),
}
"""By the names that `quiltwork.models.config.Format` lists."""
