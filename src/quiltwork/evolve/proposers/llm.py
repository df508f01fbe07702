"""A language model asked to change a program, in one of the formats of `formats.py`.

    chat        diff       SEARCH/REPLACE edits
                rewrite    the whole text of a block
                cross      the whole text of a block, made of two programs
                prefill    a Python function; the answer begins with its header
    completion  complete   a Python function continued after its earlier versions

An answer to one of the first three that cannot be used is asked for once more, with what was wrong with it.
"""

from __future__ import annotations

from collections.abc import Generator

import msgspec

from quiltwork.errors import UserError
from quiltwork.evolve.editing import EditRefused
from quiltwork.evolve.editing.fences import said
from quiltwork.evolve.problem import Problem
from quiltwork.evolve.program import Program
from quiltwork.evolve.prompting import rules
from quiltwork.evolve.prompting.fitting import tokens_of
from quiltwork.evolve.prompting.material import Frame, printable
from quiltwork.evolve.proposers.base import Brief, Conversation, NotApplicable, NothingToPropose, Proposal
from quiltwork.evolve.proposers.formats import FORMATS, Question
from quiltwork.models import Message, ModelConfig, Reply, Request

SEEDS = 2**31
"""Servers keep a request's seed in 32 bits with a sign."""


class Llm:
    """One model in one format. Raises `UserError` for a format that does not exist."""

    def __init__(self, model: str, form: str) -> None:
        if form not in FORMATS:
            raise UserError(f"models cannot be asked in the format {form!r}; there are {', '.join(FORMATS)}")
        self.name = f"llm:{model}:{form}"
        self._model = model
        self._form = form
        self._format = FORMATS[form]

    def applies_to(self, problem: Problem) -> bool:
        """Whether the program has what the format changes: a block, or a Python function in one."""
        return self._format.applies_to(problem)

    def converse(self, brief: Brief) -> Conversation:
        """Ask for a child, once more where its text cannot be used and can be mended."""
        model = next((each for each in brief.problem.config.models if each.name == self._model), None)
        if model is None:
            raise NothingToPropose(f"there is no model {self._model!r} in this run")
        seed = _seed(brief)
        question = self._format.ask(brief, model, seed)
        request = _request(model, question, seed)
        reply: Reply = yield request
        text = reply.texts[0] if reply.texts else ""
        try:
            program = _read(question, reply, model)
        except EditRefused as refusal:
            mendable = self._format.talks and brief.problem.config.llm.repair and not _cut_off(reply)
            if not mendable:
                raise NotApplicable(refusal.reason) from refusal
            return (yield from self._once_more(brief, model, question, request, text, refusal))
        return Proposal(program, said(text, self._form) if self._format.talks else self._form)

    def _once_more(
        self, brief: Brief, model: ModelConfig, question: Question, request: Request, text: str, refusal: EditRefused
    ) -> Generator[Request, Reply, Proposal]:
        """The repair turn: what was wrong with the answer, and the lines that it is about."""
        again = _repair(request, text, refusal, _seed(brief))
        if tokens_of(again.messages) > model.context_tokens - model.max_tokens:
            raise NotApplicable(f"{refusal.reason} (no room in the context to ask once more)") from refusal
        reply: Reply = yield again
        try:
            program = _read(question, reply, model)
        except EditRefused as second:
            raise NotApplicable(f"{second.reason} (asked twice; at first: {refusal.reason})") from second
        return Proposal(program, said(reply.texts[0], said(text, self._form)))


def _seed(brief: Brief) -> int:
    return int(brief.rng.integers(SEEDS))


def _request(model: ModelConfig, question: Question, seed: int) -> Request:
    return Request(
        model=model.name,
        messages=question.messages,
        prompt=question.prompt,
        temperature=model.temperature,
        top_p=model.top_p,
        max_tokens=model.max_tokens,
        stop=question.stop,
        seed=seed,
    )


def _repair(request: Request, text: str, refusal: EditRefused, seed: int) -> Request:
    """The chat so far, the answer, and the complaint. What a refusal shows may quote anybody, so it is framed."""
    frame = Frame([text, refusal.shown], seed)
    shown = f"{frame.announcement}\n{frame.around('what it is about', refusal.shown)}" if refusal.shown else ""
    turns = (
        Message("assistant", printable(text) or "(nothing)"),
        Message("user", rules.repair(refusal.reason, shown)),
    )
    return msgspec.structs.replace(request, messages=(*request.messages, *turns), seed=seed)


def _read(question: Question, reply: Reply, model: ModelConfig) -> Program:
    if not reply.texts or not reply.texts[0].strip():
        raise EditRefused("the answer is empty")
    try:
        return question.read(reply.texts[0], _cut_off(reply))
    except EditRefused as refusal:
        if not _cut_off(reply):
            raise
        raise EditRefused(
            f"{refusal.reason} (it was cut off at max_tokens = {model.max_tokens})", refusal.shown
        ) from refusal


def _cut_off(reply: Reply) -> bool:
    return reply.finish[:1] == ("length",)
