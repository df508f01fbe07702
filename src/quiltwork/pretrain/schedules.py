"""How fast is learned and how much at once: Psyche's learning-rate schedules and batch-size ramp, under its names.

Every member computes these for itself, and one bit of difference in a learning rate is another model. So nothing here is left
to a machine: IEEE 754 fixes the results of + - x / in double precision, but not of `cos`, which C libraries round
differently in the last bit. Rounding to fp32 would hide such a difference almost always, but not always: two doubles that
differ in the last bit round to different floats once in 2^29 times, so at worst once in 3,600 runs of 150,000 steps. So the
cosine is made of those four operations too, and only then rounded to fp32, which is what trainers multiply by.
"""

from __future__ import annotations

import math
import struct
from abc import abstractmethod
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Rate = Annotated[float, Field(ge=0, le=1_000)]
"""A learning rate. SGD without momentum uses some above 1, nothing that learns has ever used 1,000."""

Steps = Annotated[int, Field(ge=0, le=10**9)]
"""A number of steps; 10^9 of a second each are 32 years."""

_SINE = tuple((-1.0) ** n / math.factorial(2 * n + 1) for n in range(8))
"""Taylor's series of sin(x) / x in x^2. Up to pi/4 the next term is below 5e-17, half of a double's last bit."""


class _Schedule(BaseModel):
    """Linear warm-up, then what the kind says. `rate(step)` counts steps from 0."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_lr: Rate = Field(description="the learning rate at the end of the warm-up")
    warmup_steps: Steps = Field(default=0, description="steps of the warm-up; 0: none")
    warmup_init_lr: Rate = Field(default=0.0, description="the learning rate of step 0, where there is a warm-up")

    def rate(self, step: int) -> float:
        """Give the learning rate of a step, as a number that fp32 holds exactly. Steps before 0 are step 0."""
        step = max(step, 0)
        if step < self.warmup_steps:
            return _fp32(_line(self.warmup_init_lr, self.base_lr, step, self.warmup_steps))
        return _fp32(self._after_warmup(step - self.warmup_steps))

    @abstractmethod
    def _after_warmup(self, step: int) -> float:
        """The rate `step` steps after the warm-up, before it is rounded."""


class Constant(_Schedule):
    """The base rate for ever."""

    kind: Literal["constant"] = "constant"

    def _after_warmup(self, step: int) -> float:
        return self.base_lr


class _Decaying(_Schedule):
    total_steps: Steps = Field(description="the step, warm-up included, from which on the rate is final_lr")
    final_lr: Rate = Field(default=0.0, description="the learning rate at the end")

    @model_validator(mode="after")
    def _warmup_is_a_part(self) -> _Decaying:
        if self.warmup_steps > self.total_steps:
            raise ValueError(f"warmup_steps ({self.warmup_steps}) is more than total_steps ({self.total_steps})")
        return self


class Linear(_Decaying):
    """A straight line from the base rate to the final one."""

    kind: Literal["linear"] = "linear"

    def _after_warmup(self, step: int) -> float:
        length = self.total_steps - self.warmup_steps
        return _line(self.base_lr, self.final_lr, step, length) if step < length else self.final_lr


class Cosine(_Decaying):
    """Half a cosine from the base rate to the final one. It stays there; Psyche's would rise again after total_steps."""

    kind: Literal["cosine"] = "cosine"

    def _after_warmup(self, step: int) -> float:
        length = self.total_steps - self.warmup_steps
        return _half_cosine(self.base_lr, self.final_lr, step, length) if step < length else self.final_lr


class WarmupStableDecay(_Schedule):
    """The base rate for a while, half a cosine down, then a straight line down (Consilience's)."""

    kind: Literal["warmup_stable_decay"] = "warmup_stable_decay"
    stable_steps: Steps = Field(description="steps at base_lr")
    cosine_decay_steps: Steps = Field(description="steps from base_lr to cosine_decay_final_lr")
    cosine_decay_final_lr: Rate = Field(description="the learning rate between cosine and line")
    linear_decay_steps: Steps = Field(
        default=0, description="steps from cosine_decay_final_lr to linear_decay_final_lr"
    )
    linear_decay_final_lr: Rate = Field(default=0.0, description="the learning rate at the end")

    @model_validator(mode="after")
    def _falls(self) -> WarmupStableDecay:
        if not self.base_lr >= self.cosine_decay_final_lr >= self.linear_decay_final_lr:
            raise ValueError(
                f"the rates do not fall: base_lr {self.base_lr:g}, cosine_decay_final_lr {self.cosine_decay_final_lr:g}, "
                f"linear_decay_final_lr {self.linear_decay_final_lr:g}"
            )
        return self

    def _after_warmup(self, step: int) -> float:
        if step < self.stable_steps:
            return self.base_lr
        step -= self.stable_steps
        if step < self.cosine_decay_steps:
            return _half_cosine(self.base_lr, self.cosine_decay_final_lr, step, self.cosine_decay_steps)
        step -= self.cosine_decay_steps
        if step < self.linear_decay_steps:
            return _line(self.cosine_decay_final_lr, self.linear_decay_final_lr, step, self.linear_decay_steps)
        return self.linear_decay_final_lr


Schedule = Annotated[Constant | Linear | Cosine | WarmupStableDecay, Field(discriminator="kind")]
"""Any of them, as a field of a config: `kind` says which."""


def batch_size(tokens: int, *, start: int, end: int, warmup_tokens: int) -> int:
    """Give the sequences of the next batch, when `tokens` have been trained: round(start + (end - start) x T / warmup_tokens).

    From `warmup_tokens` on it is `end`. In whole numbers, so that it is exact; halves are rounded up, as Psyche's are.
    """
    if tokens >= warmup_tokens:
        return end
    grown = start * warmup_tokens + (end - start) * max(tokens, 0)
    return (2 * grown + warmup_tokens) // (2 * warmup_tokens)


def _line(start: float, end: float, step: int, steps: int) -> float:
    return start + (end - start) * (step / steps)


def _half_cosine(start: float, end: float, step: int, steps: int) -> float:
    """From start to end, as (1 + cos(pi x)) / 2 falls from 1 to 0, where x = step / steps."""
    return end + (start - end) * raised_cosine(step, steps)


def raised_cosine(step: int, steps: int) -> float:
    """Give (1 + cos(pi step / steps)) / 2, from 1 to 0: the same double everywhere, within 2 x 10^-16 of the exact value.

    It is cos^2(y) and sin^2(z) for the halved angles y + z = pi / 2, of which one is at most pi / 4.
    """
    return 1.0 - _sine_squared(step, steps) if 2 * step <= steps else _sine_squared(steps - step, steps)


def _sine_squared(step: int, steps: int) -> float:
    angle = math.pi / 2 * (step / steps)
    square = angle * angle
    series = 0.0
    for factor in reversed(_SINE):
        series = series * square + factor
    sine = angle * series
    return sine * sine


def _fp32(rate: float) -> float:
    rounded: float = struct.unpack("<f", struct.pack("<f", rate))[0]
    return rounded
