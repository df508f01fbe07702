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
    """Those that were measured for pairs, and one for pairs that were not; without it, the room's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    measured: tuple[Measured, ...] = Field(default=(), max_length=1_000)
    otherwise: float | None = Field(
        default=None, ge=0, le=1, description="for all other pairs; without it, what was measured for the kind of work"
    )

    def find(self, one: Kind, other: Kind) -> float | None:
        """Give the threshold of a pair, None if nothing is written of it. Of several entries for one pair the first counts."""
        for entry in self.measured:
            if {one, other} == {entry.one, entry.other}:
                return entry.threshold
        return self.otherwise
