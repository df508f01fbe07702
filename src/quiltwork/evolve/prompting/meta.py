"""A model writes a better instruction for models: the instructions of a run evolve, as its programs do."""

from __future__ import annotations

import re
from collections.abc import Sequence

from quiltwork.evolve.editing.fences import fences
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.prompting.chat import problem_text
from quiltwork.evolve.prompting.fitting import Room, fitted, tokens_of
from quiltwork.evolve.prompting.material import RULE, Frame
from quiltwork.models import Message, ModelConfig, Request

SHORTEST = 20
LONGEST = 600
"""Characters of an instruction: below, it says nothing; above, it is a program or a speech."""

SHOWN = 12
"""Instructions that are shown, the best first."""

LENGTH = 512
"""Tokens of the answer."""

ROLE = (
    "You write instructions for a language model that improves programs. It is given one program with its scores, some other "
    "programs, feedback, and your instruction; it answers with a changed program. A good instruction makes it find better ones."
)

TASK = (
    "# What to do\nWrite one new instruction that leads to better programs than those above: name a direction of thought that "
    'they miss, for this problem. One paragraph in plain words, of 20 to 600 characters, addressed to the model (as: "Think '
    'about ..."). No code, no list, no quotation marks around it, nothing before or after it.'
)

_QUOTES = "\"'`*_ \t\u201c\u201d\u2018\u2019"
_LABEL = re.compile(r"^(?:\*\*|#+ *)?(?:new |better )?instructions?(?:\*\*)?:(?:\*\*)?[ \t\n]*", re.IGNORECASE)
_LIST = re.compile(r"^[ \t]*(?:[-*+]|\d+[.)])[ \t]", re.MULTILINE)
_CODE = re.compile(r"^[ \t]*(?:def |class |import |return |#include|<<<<<|>>>>>|[{}])", re.MULTILINE)


def instruction_request(problem: Problem, model: ModelConfig, instructions: Sequence[str], seed: int) -> Request:
    """Ask for a new instruction; `instructions` are those of the run, the one with the best programs first.

    Raises `NothingToPropose` for a context too small even for the question.
    """
    model = model.model_copy(update={"max_tokens": min(model.max_tokens, LENGTH)})
    shown = list(instructions[:SHOWN])
    frame = Frame(shown, seed)

    def write(room: Room) -> tuple[Message, ...]:
        listed = [
            frame.around(f"instruction {place}", text) for place, text in enumerate(shown[: room.inspirations], 1)
        ]
        parts = [
            frame.announcement,
            problem_text(problem, room.readme),
            "# The instructions so far\nThe one that led to the best programs comes first.",
            *listed,
            TASK,
        ]
        return (Message("system", f"{ROLE}\n\n{RULE}"), Message("user", "\n\n".join(parts)))

    room = Room(failures=0, inspirations=len(shown), artifacts=0, readme=len(problem.readme), surroundings=False)
    return Request(
        model=model.name,
        messages=fitted(write, tokens_of, room, model, "the problem"),
        temperature=model.temperature,
        top_p=model.top_p,
        max_tokens=model.max_tokens,
        seed=seed,
    )


def read_instruction(reply: str) -> str | None:
    """The instruction in an answer: one paragraph of 20 to 600 characters without code; None where there is none."""
    text = reply[: 4 * LONGEST].replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(reply) > len(text) + 2 * LONGEST or fences(text):
        return None
    text = _LABEL.sub("", text.strip(_QUOTES + "\n")).strip(_QUOTES + "\n")
    if "\n\n" in text or _LIST.search(text) or _CODE.search(text):
        return None
    text = " ".join(text.split())
    return text if SHORTEST <= len(text) <= LONGEST and text.isprintable() else None
