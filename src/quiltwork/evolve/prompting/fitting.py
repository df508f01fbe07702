"""How many tokens a text takes, and what is left out first when a context is too small.

The order, until the prompt fits into `context_tokens` less `max_tokens`: failures, the last one first; the inspirations'
programs, the worst first (their scores stay); artifacts, to half as much each time; the README likewise; at the end the
parent's text around its blocks. The blocks themselves are never cut.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from quiltwork.evolve.proposers.base import NothingToPropose
from quiltwork.models import Message, ModelConfig

Prompt = TypeVar("Prompt")

BYTES_PER_TOKEN = 3
"""Code takes 3 to 4 bytes per token in the vocabularies of today's models, and each digit a token of its own in some."""

PER_MESSAGE = 16
"""Tokens that a chat template wraps around one message, at most."""

WORTH_SHOWING = 200
"""Characters: what would be cut to less is left out."""


def tokens(text: str) -> int:
    """Estimate the tokens of a text, rather too many than too few."""
    digits = sum(map(text.count, "0123456789"))
    return digits + -(-(len(text.encode("utf-8", "replace")) - digits) // BYTES_PER_TOKEN)


def tokens_of(messages: Sequence[Message]) -> int:
    """Estimate the tokens of a chat."""
    return sum(tokens(message.content) + PER_MESSAGE for message in messages)


@dataclass(frozen=True, slots=True)
class Room:
    """How much of what a prompt shows: characters of `artifacts` (each) and `readme`, else how many.

    Of the inspirations, `kept` ones are never left out.
    """

    failures: int
    inspirations: int
    artifacts: int
    readme: int
    surroundings: bool = True
    kept: int = 0

    def less(self) -> Room | None:
        """The next smaller prompt; None where nothing more may be left out."""
        if self.failures:
            return replace(self, failures=self.failures - 1)
        if self.inspirations > self.kept:
            return replace(self, inspirations=self.inspirations - 1)
        if self.artifacts:
            return replace(self, artifacts=_half(self.artifacts))
        if self.readme:
            return replace(self, readme=_half(self.readme))
        return replace(self, surroundings=False) if self.surroundings else None


def fitted(
    write: Callable[[Room], Prompt], size: Callable[[Prompt], int], room: Room, model: ModelConfig, what: str
) -> Prompt:
    """The largest prompt that fits the model's context; raises `NothingToPropose` where not even the smallest does."""
    limit = model.context_tokens - model.max_tokens
    smaller: Room | None = room
    needed = 0
    while smaller is not None:
        prompt = write(smaller)
        needed = size(prompt)
        if needed <= limit:
            return prompt
        smaller = smaller.less()
    raise NothingToPropose(
        f"{what} does not fit the context of {model.name}: some {needed} tokens are needed, and context_tokens "
        f"({model.context_tokens}) less max_tokens ({model.max_tokens}) leaves {max(limit, 0)}"
    )


def cut(text: str, characters: int) -> str:
    """The beginning of a text, with a word where something is left out."""
    if len(text) <= characters:
        return text
    return f"{text[:characters].rstrip()}\n[... {len(text) - characters} more characters are left out]"


def _half(characters: int) -> int:
    return characters // 2 if characters // 2 >= WORTH_SHOWING else 0
