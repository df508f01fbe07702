"""What a user writes of a model, in `models.toml` or in a problem's `problem.toml`, under `[[models]]`."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

Format = Literal["diff", "rewrite", "cross", "complete", "prefill"]
"""How a model is asked to change a program: see `quiltwork.evolve.proposers.llm`."""

FOR_SERVERS: tuple[Format, ...] = ("diff", "rewrite", "cross")
FOR_SMALL_MODELS: tuple[Format, ...] = ("complete", "prefill")

LOCAL_DEFAULTS = {"max_tokens": 1_024, "context_tokens": 8_192, "in_flight": 4, "timeout_s": 1_800.0}
"""What a local model gets where the user says nothing. Every request in flight has memory for its whole context (0.23 GB
each for 8,192 tokens of the 1.5B model), batching pays up to four requests on a processor, and a slow machine answers late.
"""

MOST_SLOTS = 8
"""Sequences that a local model works on at once; more than four gain nothing on a processor, but share one prompt."""


class ModelConfig(BaseModel):
    """One model: behind an OpenAI-compatible server (`url` and `id`), or local (`local`, a name of the catalogue)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
    url: str = Field(default="", description="the server's base, such as https://host/v1")
    id: str = Field(default="", description="what the server calls the model; its name where nothing is said")
    local: str = Field(
        default="", description="a local model that `quiltwork models list` names, or a GGUF file's path"
    )
    key_env: str = Field(
        default="", description="the environment variable that holds the key; the key itself is never kept"
    )
    formats: tuple[Format, ...] = Field(default=(), description="how it may be asked; empty means what suits its kind")
    temperature: float = Field(default=0.8, ge=0.0, le=2.0)
    top_p: float = Field(default=0.95, gt=0.0, le=1.0)
    max_tokens: int = Field(default=4_096, ge=16, le=1_000_000, description="length of one answer, in tokens")
    context_tokens: int = Field(
        default=32_768, ge=512, description="prompt and answer together; prompts are cut to fit"
    )
    in_flight: int = Field(default=32, ge=1, le=1_024, description="requests that may be open at once")
    requests_per_min: float = Field(default=0.0, ge=0.0, description="0: no limit")
    tokens_per_min: float = Field(default=0.0, ge=0.0, description="0: no limit")
    timeout_s: float = Field(default=300.0, gt=0.0, description="for one attempt")
    patience_s: float = Field(default=600.0, ge=0.0, description="how long retries go on before the run is laid down")
    usd_per_mtok_in: float | None = Field(default=None, ge=0.0, description="else from the price table, by `id`")
    usd_per_mtok_out: float | None = Field(default=None, ge=0.0)
    threads: int = Field(
        default=0, ge=0, le=256, description="of a local model; 0: one less than the cores, at least one"
    )

    @model_validator(mode="before")
    @classmethod
    def _suits_a_local_model(cls, data: Any) -> Any:
        return {**LOCAL_DEFAULTS, **data} if isinstance(data, dict) and data.get("local") else data

    @model_validator(mode="after")
    def _is_somewhere(self) -> ModelConfig:
        if bool(self.url) == bool(self.local):
            raise ValueError("a model has a url (of an OpenAI-compatible server) or is local, one of the two")
        if self.url and not self.url.startswith(("http://", "https://")):
            raise ValueError(f"url {self.url!r} must begin with http:// or https://")
        if "@" in urlsplit(self.url).netloc or "?" in self.url or "#" in self.url:
            raise ValueError(
                "url is written into every run: no user, key or query in it; key_env is the place for a key"
            )
        return self

    @property
    def asked_in(self) -> tuple[Format, ...]:
        """The formats that a run uses this model in."""
        return self.formats or (FOR_SMALL_MODELS if self.local else FOR_SERVERS)

    @property
    def answers_per_call(self) -> int:
        """How many answers one call may ask for: a local model has a slot for each, a server says itself."""
        return min(self.in_flight, MOST_SLOTS) if self.local else 1_000_000
