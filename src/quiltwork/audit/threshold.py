"""How alike two computations of the same thing must be.

A verifier on another device, in another dtype, does not get the same bits as an honest author. What counts as the same is
measured for each pair of (dtype, device class), and chosen by `calibration`.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Kind(BaseModel):
    """What a member computes with: a dtype and a class of devices, within which the results are equally far apart."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dtype: str = Field(default="fp32", min_length=1, max_length=32, description='as "fp32" or "bf16"')
    device: str = Field(default="cpu", min_length=1, max_length=64, description='as "cpu" or "cuda:sm_90"')


class Measured(BaseModel):
    """The threshold of one pair of kinds, in either order: at or above this similarity, the author passes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    one: Kind
    other: Kind
    threshold: float = Field(ge=0, le=1)


class Thresholds(BaseModel):
    """All that were measured, and one for pairs that were not."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    measured: tuple[Measured, ...] = Field(default=(), max_length=1_000)
    otherwise: float = Field(
        default=0.95,
        ge=0,
        le=1,
        description="0.95 lay between all of 72 honest and 96 cheating trials on processors, in fp32 and bf16",
    )

    def find(self, one: Kind, other: Kind) -> tuple[float, bool]:
        """Give the threshold of a pair, and whether it was measured. Of several entries for one pair the first counts."""
        for entry in self.measured:
            if {one, other} == {entry.one, entry.other}:
                return entry.threshold, True
        return self.otherwise, False
