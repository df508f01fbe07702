"""Who takes part: optimizers with their dials, their learning rates, and when their members exchange updates. No torch here."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ConfigDict, Field

from quiltwork.errors import UserError
from quiltwork.pretrain.optimizers.config import (
    AdamWConfig,
    DemoConfig,
    DemoExactConfig,
    DilocoConfig,
    DistroConfig,
    InnerSteps,
    OptimizerConfig,
    SparselocoConfig,
)

HIGHEST_RATE = 10.0
"""No optimizer here learns with a hundredth of it."""


class Contestant(BaseModel):
    """One line of the picture."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="as `--optimizers` takes it")
    label: str = Field(description="as people read it")
    optimizer: OptimizerConfig
    lr: float = Field(gt=0, le=HIGHEST_RATE, description="highest learning rate")
    every: int = Field(default=1, ge=1, le=10_000, description="steps of a member between two exchanges")
    late: bool = Field(default=False, description="updates are applied a round later, and the network works meanwhile")

    @property
    def alone(self) -> bool:
        """Whether members step alone between exchanges."""
        return isinstance(self.optimizer, InnerSteps)


ALL = (
    Contestant(name="adamw", label="Dense AdamW", optimizer=AdamWConfig(), lr=4e-3),
    Contestant(name="demo", label="DeMo", optimizer=DemoConfig(values="floats"), lr=2e-3),
    Contestant(name="distro", label="DisTrO", optimizer=DistroConfig(), lr=2e-3, late=True),
    Contestant(name="demo_exact", label="DeMo-exact", optimizer=DemoExactConfig(), lr=2e-3),
    Contestant(name="diloco", label="DiLoCo", optimizer=DilocoConfig(outer_momentum=0.5), lr=4e-3, every=5),
    Contestant(name="sparseloco", label="SparseLoCo", optimizer=SparselocoConfig(inner="adamw"), lr=8e-3, every=5),
    Contestant(
        name="sparseloco_muon", label="SparseLoCo + Muon", optimizer=SparselocoConfig(inner="muon"), lr=3e-2, every=5
    ),
)
"""In the order in which they are trained and drawn. Rates were chosen in runs of another seed: docs/pretrain-optimizers.md."""

NAMES = tuple(contestant.name for contestant in ALL)


def chosen(text: str, among: Sequence[Contestant] = ALL) -> tuple[Contestant, ...]:
    """Give the contestants of a list such as "adamw,demo", in the order of the picture. Raises UserError."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UserError(f"--optimizers names none; there are {', '.join(NAMES)}.")
    for name in names:
        _require(name, "--optimizers")
    return tuple(contestant for contestant in among if contestant.name in names)


def with_rates(contestants: Iterable[Contestant], given: Sequence[str]) -> tuple[Contestant, ...]:
    """Give contestants with other learning rates, from words such as "demo=0.001". Raises UserError."""
    rates = dict(map(_rate, given))
    found = tuple(contestants)
    if absent := sorted(rates.keys() - {contestant.name for contestant in found}):
        raise UserError(f"--lr {absent[0]}: it does not take part; --optimizers says who does.")
    return tuple(
        contestant.model_copy(update={"lr": rates.get(contestant.name, contestant.lr)}) for contestant in found
    )


def with_every(contestants: Iterable[Contestant], every: int) -> tuple[Contestant, ...]:
    """Give contestants of which those that step alone exchange every so many steps."""
    return tuple(each.model_copy(update={"every": every}) if each.alone else each for each in contestants)


def with_own(contestants: Iterable[Contestant], optimizer: OptimizerConfig, lr: float) -> tuple[Contestant, ...]:
    """Give contestants of which the one of this kind has the dials and the rate of a run's file."""
    return tuple(
        each.model_copy(update={"optimizer": optimizer, "lr": lr}) if _kin(each.optimizer, optimizer) else each
        for each in contestants
    )


def _kin(one: OptimizerConfig, other: OptimizerConfig) -> bool:
    inner = [config.inner if isinstance(config, SparselocoConfig) else "" for config in (one, other)]
    return one.kind == other.kind and inner[0] == inner[1]


def _rate(text: str) -> tuple[str, float]:
    name, _, number = (part.strip() for part in text.partition("="))
    try:
        rate = float(number)
    except ValueError:
        rate = math.nan
    if not 0 < rate <= HIGHEST_RATE:
        raise UserError(
            f"--lr {text}: a name and a learning rate above 0, at most {HIGHEST_RATE:g}, are wanted, as demo=0.002."
        )
    _require(name, "--lr")
    return name, rate


def _require(name: str, option: str) -> None:
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, 1)
        meant = f" Did you mean {near[0]}?" if near else ""
        raise UserError(f"{option}: there is no optimizer {name!r}.{meant} There are {', '.join(NAMES)}.")
