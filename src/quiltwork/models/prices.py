"""What tokens cost, and the most that a request can cost."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from quiltwork.keys import home
from quiltwork.models.base import Bound, Reply, Request
from quiltwork.models.config import ModelConfig
from quiltwork.models.wire import prompt_bytes
from quiltwork.toml import read_toml

GUIDE = "docs/models.md"

TEMPLATE_TOKENS = 256
"""What a chat template may add to a prompt by itself: a default system message, dates, markers."""

TEMPLATE_TOKENS_PER_MESSAGE = 64
"""Markers around one message, were they spelled out byte by byte: the longest that we know take 50 bytes."""


class Price(NamedTuple):
    """USD per million tokens."""

    per_mtok_in: float
    per_mtok_out: float

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """What so many tokens cost, in USD."""
        return (prompt_tokens * self.per_mtok_in + completion_tokens * self.per_mtok_out) / 1e6


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    per_mtok_in: float = Field(alias="in", ge=0.0)
    per_mtok_out: float = Field(alias="out", ge=0.0)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    models: dict[str, _Row] = Field(default_factory=dict)


def price_of(config: ModelConfig) -> Price | None:
    """What a model costs: its own `usd_per_mtok_*`, else the user's `prices.toml`, else ours; None where nobody says.

    A local model costs nothing. Raises `TomlError` for a `prices.toml` that cannot be used.
    """
    if config.local:
        return Price(0.0, 0.0)
    listed = _listed(config.id or config.name)
    ins = config.usd_per_mtok_in if config.usd_per_mtok_in is not None else listed and listed.per_mtok_in
    outs = config.usd_per_mtok_out if config.usd_per_mtok_out is not None else listed and listed.per_mtok_out
    return Price(ins, outs) if ins is not None and outs is not None else None


def price_is_known(config: ModelConfig) -> bool:
    """Whether a budget in dollars can be kept with this model."""
    return price_of(config) is not None


def bound(config: ModelConfig, request: Request) -> Bound:
    """The most that a request can use. `usd` is 0 where no price is known.

    A token is at least one byte of UTF-8, and a chat template adds a bounded number of its own.
    """
    prompt = prompt_bytes(request) + TEMPLATE_TOKENS + TEMPLATE_TOKENS_PER_MESSAGE * (len(request.messages) + 1)
    calls = -(-request.n // config.answers_per_call)
    prompt_tokens, completion_tokens = calls * prompt, request.n * request.max_tokens
    price = price_of(config)
    return Bound(
        tokens=prompt_tokens + completion_tokens, usd=price.of(prompt_tokens, completion_tokens) if price else 0.0
    )


def cost(price: Price | None, reply: Reply) -> float:
    """What a reply cost in USD, by the server's count of tokens; 0 where no price is known."""
    return price.of(reply.prompt_tokens, reply.completion_tokens) if price else 0.0


def _listed(model: str) -> Price | None:
    own = home() / "prices.toml"
    changed = own.stat().st_mtime_ns if own.is_file() else 0
    row = (_read(own, changed).get(model) if changed else None) or _read(
        Path(__file__).with_name("prices.toml"), 0
    ).get(model)
    return Price(row.per_mtok_in, row.per_mtok_out) if row else None


@lru_cache(maxsize=8)
def _read(path: Path, changed: int) -> dict[str, _Row]:
    """Read a table once for each time that it changed."""
    return read_toml(path, _Table, guide=GUIDE).models
