"""What a user writes under `[optimizer]`: `kind` names one of the six, the rest are its dials. No torch here.

Learning rates are not here: they come from the run's schedule. `docs/pretrain-optimizers.md` has measured values.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from quiltwork.pretrain.codec.subsets import limits_of

Decay = Annotated[float, Field(ge=0, lt=1)]


class Config(BaseModel):
    """The base of all that users write: unknown fields are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight_decay: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="share of a matrix lost per step, times the learning rate; vectors are not decayed",
    )
    clip: float = Field(
        default=1.0,
        gt=0,
        description="longest gradient (Euclidean norm) that one batch may have: guards against a bad one",
    )


class Lengths(Config):
    """Of what others send: where updates are numbers, a liar's could be of any length."""

    most_times_median: float = Field(
        default=10.0,
        ge=1,
        le=1_000,
        description="an accepted update that is longer than so many times the round's median is shortened to that; signs are "
        "all equally long. docs/pretrain-verification.md has the lengths of honest ones",
    )


class Moments(Config):
    """Of Adam."""

    beta1: Decay = Field(default=0.9, description="memory of the mean gradient, per step")
    beta2: Decay = Field(
        default=0.95, description="memory of its square; 0.95 as language models are trained, not 0.999"
    )
    epsilon: float = Field(default=1e-8, gt=0, le=1e-2, description="keeps a parameter without gradient from moving")


class AdamWConfig(Moments, Lengths):
    """`kind = "adamw"`."""

    kind: Literal["adamw"] = "adamw"


class Compression(Lengths):
    """Of momentum into its largest DCT coefficients."""

    beta: Decay = Field(
        default=0.95,
        description="memory of what was not sent, per step; 0.999 in the paper, for runs of 24,000 large steps",
    )
    chunk: int = Field(
        default=16,
        ge=1,
        le=256,
        description="longest side of a block; the paper's 64 sends each coefficient too rarely where runs are short",
    )
    kept: int = Field(default=12, ge=1, le=4_096, description="coefficients of a block that are sent, or all if fewer")
    values: Literal["signs", "floats"] = Field(
        default="signs", description="one bit a coefficient, as DisTrO, or fp32, as the paper"
    )

    @model_validator(mode="after")
    def _can_be_encoded(self) -> Compression:
        width = self.chunk * self.chunk
        if fault := limits_of(width, min(self.kept, width)):
            raise ValueError(f"chunk ({self.chunk}) and kept ({self.kept}): {fault}")
        return self


class DemoConfig(Compression):
    """`kind = "demo"`."""

    kind: Literal["demo"] = "demo"


class DistroConfig(Compression):
    """`kind = "distro"`: for rounds whose results are applied one round later (`overlap = 1`)."""

    kind: Literal["distro"] = "distro"


class DemoExactConfig(Compression):
    """`kind = "demo_exact"`."""

    kind: Literal["demo_exact"] = "demo_exact"
    values: Literal["signs"] = Field(default="signs", description="votes are signs")


class InnerSteps(Moments, Lengths):
    """Of what a member does alone, one step for each batch; `beta1`, `beta2`, `weight_decay` and `clip` are theirs."""

    inner: Literal["adamw", "muon"] = Field(
        default="muon",
        description="what steps are taken; muon: matrices by orthogonal momentum (MuLoCo, arXiv 2505.23725), the rest by AdamW",
    )
    muon_momentum: Decay = Field(default=0.95, description="memory of a matrix's gradient, per step; 0.95 as published")
    never_muon: tuple[str, ...] = Field(
        default=("embed", "lm_head"),
        description="matrices with one of these in their names take AdamW's steps: rows of embeddings are rarely used",
    )


class DilocoConfig(InnerSteps):
    """`kind = "diloco"`."""

    kind: Literal["diloco"] = "diloco"
    inner: Literal["adamw", "muon"] = Field(
        default="adamw", description="what steps are taken; adamw: as published; muon: MuLoCo (arXiv 2505.23725)"
    )
    outer_lr: float = Field(
        default=0.7, gt=0, le=10, description="share of the mean change that is made; 0.7 in the paper"
    )
    outer_momentum: Decay = Field(default=0.9, description="Nesterov's, over rounds; 0.9 in the paper")


class SparselocoConfig(InnerSteps):
    """`kind = "sparseloco"`."""

    kind: Literal["sparseloco"] = "sparseloco"
    outer_lr: float = Field(
        default=1.0, gt=0, le=10, description="share of the mean change that is made; 1 in the paper"
    )
    memory: float = Field(
        default=0.95,
        ge=0,
        le=1,
        description="of what was not sent, from round to round (error feedback); 0.95 in the paper",
    )
    chunk: int = Field(default=64, ge=1, le=65_536, description="numbers in a row among which the largest are sought")
    kept: int = Field(default=16, ge=1, le=65_536, description="numbers of a row that are sent, or all if fewer")

    @model_validator(mode="after")
    def _can_be_encoded(self) -> SparselocoConfig:
        if fault := limits_of(self.chunk, min(self.kept, self.chunk)):
            raise ValueError(f"chunk ({self.chunk}) and kept ({self.kept}): {fault}")
        return self


OptimizerConfig = Annotated[
    AdamWConfig | DemoConfig | DistroConfig | DemoExactConfig | DilocoConfig | SparselocoConfig,
    Field(discriminator="kind"),
]
