"""What a user writes: the TOML file of a run. Psyche's operators will recognise the keys of `[config]`.

Times are in seconds, as in Psyche. What a fold needs stands in `Coordinator`; the rest (`Work`) is for trainers, and to the
fold it is text.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from quiltwork.audit import AuditConfig

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]

MOST_MEMBERS = 2_048
"""A bitmap of witnesses stays below what one entry on Solana can carry beside its other fields."""

WINDOW_MARGIN = 3
"""Rounds beyond an audit's longest: its model is that of one or two rounds before, and rounds go on while one computes."""

MOST_WITNESSES = 32
"""As in Psyche: more attestations than these add delay and no safety that their quorum does not give."""


class Config(BaseModel):
    """The base of all that users write: unknown fields are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Coordinator(Config):
    """`[config]`: the rules by which the fold leads the run. All members have the same, since it is in the log."""

    init_min_clients: int = Field(
        default=2, ge=1, le=MOST_MEMBERS, description="members with whom the run begins, and begins again after a pause"
    )
    min_clients: int = Field(
        default=1, ge=1, le=MOST_MEMBERS, description="healthy members below which the run waits for more"
    )
    max_clients: int = Field(default=256, ge=1, le=MOST_MEMBERS, description="members at once; the next are refused")
    witness_nodes: int = Field(
        default=0, ge=0, le=MOST_WITNESSES, description="witnesses of a round; 0: everybody, at most 32"
    )
    warmup_time: float = Field(default=60.0, gt=0, le=86_400, description="to load the model; ends early when all have")
    cooldown_time: float = Field(
        default=30.0, gt=0, le=86_400, description="for the checkpoint at an epoch's end; ends early when it is there"
    )
    epoch_time: float = Field(default=3_600.0, gt=0, le=31_536_000, description="from one such checkpoint to the next")
    max_round_train_time: float = Field(
        default=60.0,
        gt=0,
        le=86_400,
        description="a round waits no longer for units; adaptive deadlines end it earlier",
    )
    round_witness_time: float = Field(
        default=10.0, gt=0, le=86_400, description="a round waits no longer for attestations"
    )
    waiting_for_members_extra_time: float = Field(
        default=3.0, ge=0, le=86_400, description="once enough are there, for those who come at the same moment"
    )
    total_steps: int = Field(default=1_000, ge=1, le=10**9, description="rounds in which something was accepted")
    global_batch_size_start: int = Field(default=16, ge=1, le=10**7, description="sequences per round at first")
    global_batch_size_end: int = Field(default=16, ge=1, le=10**7, description="sequences per round after the ramp")
    global_batch_size_warmup_tokens: int = Field(default=0, ge=0, le=10**15, description="length of the ramp in tokens")
    sequence_length: int = Field(
        default=128, ge=1, le=10**6, description="tokens of a sequence; counts the ramp's tokens"
    )
    verification_percent: float = Field(
        default=10.0, ge=0, le=100, description="share of commitments that others compute again (Psyche: always 0)"
    )

    unit_sequences: int = Field(
        default=4,
        ge=1,
        le=10**6,
        description="sequences of a unit, the smallest piece of work that is given to a member",
    )
    overlap: Literal[0, 1] = Field(
        default=0, description="1: updates are applied a round later, so that the network works while members train"
    )
    deadline_mads: float = Field(
        default=6.0,
        ge=1,
        le=100,
        description="a late member is waited for this many median deviations beyond the median",
    )
    max_misses: int = Field(
        default=2, ge=1, le=100, description="rounds in a row without a word from a member, after which it is dropped"
    )
    checkpoint_rounds: int = Field(
        default=50, ge=1, le=10**6, description="rounds between checkpoints; newcomers replay what came after the last"
    )
    audit: AuditConfig = Field(
        default_factory=AuditConfig, description="`[config.audit]`: who checks, and what a lie costs"
    )
    max_payload_bytes: int = Field(
        default=64 << 20, ge=1, le=1 << 40, description="a larger update is refused before anybody fetches it"
    )
    clock: Literal["owner", "members"] = Field(
        default="owner",
        description="whose ticks are the time: the run's owner's, or the median of the members' (a log without a server)",
    )
    admit: tuple[str, ...] = Field(
        default=(), description="public keys (64 hexadecimal digits) that may join; empty: whoever can write to the log"
    )

    @model_validator(mode="after")
    def _can_work(self) -> Coordinator:
        if self.min_clients > self.init_min_clients:
            raise ValueError(
                f"min_clients ({self.min_clients}) is more than init_min_clients ({self.init_min_clients})"
            )
        if self.init_min_clients > self.max_clients:
            raise ValueError(
                f"init_min_clients ({self.init_min_clients}) is more than max_clients ({self.max_clients})"
            )
        if self.witness_nodes > self.min_clients:
            raise ValueError(
                f"witness_nodes ({self.witness_nodes}) is more than min_clients ({self.min_clients}): rounds would want "
                "witnesses that are not there; 0 takes everybody"
            )
        if self.global_batch_size_start > self.global_batch_size_end:
            raise ValueError(
                f"global_batch_size_start ({self.global_batch_size_start}) is more than global_batch_size_end "
                f"({self.global_batch_size_end}): a ramp only rises"
            )
        if self.unit_sequences > self.global_batch_size_start:
            raise ValueError(
                f"unit_sequences ({self.unit_sequences}) is more than global_batch_size_start "
                f"({self.global_batch_size_start}): a round would hold no unit"
            )
        if self.max_round_train_time >= self.epoch_time:
            raise ValueError(f"max_round_train_time ({self.max_round_train_time:g} s) must be less than epoch_time")
        if self.audit.rate != AuditConfig().rate:
            raise ValueError("audit.rate is said by verification_percent; leave it out")
        if bad := [key for key in self.admit if not _is_key(key)]:
            raise ValueError(f"admit holds {bad[0]!r}, which is not a public key of 64 hexadecimal digits")
        return self

    @cached_property
    def audit_rules(self) -> AuditConfig:
        """The rules of audits, with the rate that `verification_percent` says."""
        return self.audit.model_copy(update={"rate": self.verification_percent / 100})

    @property
    def window(self) -> int:
        """Rounds for which models, states and payloads are kept, because an audit may still need them."""
        return self.audit.case_rounds + WINDOW_MARGIN


def _is_key(text: str) -> bool:
    return len(text) == 64 and all(digit in "0123456789abcdef" for digit in text)
