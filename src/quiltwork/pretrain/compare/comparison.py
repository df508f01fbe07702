"""What is compared, whole: everything that the curves depend on, and the link over which time is reckoned. No torch here."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from quiltwork.errors import UserError
from quiltwork.pretrain.architectures.config import Architecture, OwnConfig
from quiltwork.pretrain.architectures.sizes import parameter_count
from quiltwork.pretrain.compare.contestants import ALL, Contestant, chosen, with_every, with_own, with_rates
from quiltwork.pretrain.data.config import DataConfig
from quiltwork.pretrain.recipe import RunConfig, load
from quiltwork.pretrain.schedules import Cosine

SMALL = Path(__file__).parent / "small.toml"

MOST_MEMBERS = 64
"""All of them take turns in one process."""

MOST_STEPS = 100_000

MOST_PARAMETERS = 100_000_000
"""Every member has states as large as the model, in the memory of this one machine."""

LEAST_WARMUP_STEPS = 10

FASTEST_MBIT = 1e7
LONGEST_DELAY_MS = 60_000.0

_LINK = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*([kmg]?)(?:bit/s|bps)", re.IGNORECASE)
_MBIT = {"": 1e-6, "k": 1e-3, "m": 1.0, "g": 1e3}


class Link(BaseModel):
    """What every member sends and receives over."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mbit: float = Field(default=20.0, gt=0, le=FASTEST_MBIT, description="Mbit/s in each direction")
    delay_ms: float = Field(default=0.0, ge=0, le=LONGEST_DELAY_MS, description="one way; 0: bytes alone take time")

    @property
    def words(self) -> str:
        """As people write it."""
        unit, factor = ("G", 1e3) if self.mbit >= 1e3 else ("M", 1.0) if self.mbit >= 1 else ("k", 1e-3)
        delay = f", {self.delay_ms:g} ms" if self.delay_ms else ""
        return f"{self.mbit / factor:g} {unit}bit/s{delay}"


def mbit_of(text: str) -> float:
    """Read a bandwidth, such as 20Mbit/s, 1.5 Gbit/s or 500kbps, in Mbit/s. Raises UserError."""
    found = _LINK.fullmatch(text.strip())
    mbit = float(found[1]) * _MBIT[found[2].lower()] if found else 0.0
    if not 0 < mbit <= FASTEST_MBIT:
        raise UserError(f"--link {text}: that is not a bandwidth. Write it as 20Mbit/s, 1Gbit/s or 500kbit/s.")
    return mbit


class Comparison(BaseModel):
    """All of it. Equal comparisons of equal data give equal losses and equal bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    model: Architecture
    data: DataConfig
    micro_batch: int = 0
    seed: int
    steps: int = Field(ge=1, le=MOST_STEPS)
    members: int = Field(ge=1, le=MOST_MEMBERS)
    batch: int = Field(ge=1, description="sequences of all members together in a step")
    contestants: tuple[Contestant, ...] = Field(min_length=1)
    link: Link = Link()

    @property
    def sequences(self) -> int:
        """Of each member in a step."""
        return self.batch // self.members

    def schedule(self, contestant: Contestant) -> Cosine:
        """Say how fast a contestant learns: a line up over a twentieth of the steps, then a cosine down to a tenth."""
        warmup = min(max(LEAST_WARMUP_STEPS, self.steps // 20), self.steps)
        return Cosine(
            base_lr=contestant.lr,
            warmup_steps=warmup,
            warmup_init_lr=contestant.lr / warmup,
            total_steps=self.steps,
            final_lr=contestant.lr / 10,
        )


class Asked(BaseModel):
    """What a user wrote on the command line; None and empty: nothing."""

    model_config = ConfigDict(frozen=True)

    config: str | None = None
    optimizers: str | None = None
    rates: tuple[str, ...] = ()
    every: int | None = None
    steps: int | None = None
    members: int | None = None
    seed: int | None = None
    link: str | None = None
    delay_ms: float | None = None


def arranged(asked: Asked, before: Comparison | None = None) -> Comparison:
    """Say what is to be compared; what is not said is as `before`, or as the file or preset has it. Raises UserError.

    Of a run's file, all members together train `global_batch_size_end` sequences in a step, and its `[optimizer]` and rate
    stand for the contestant of that kind.
    """
    known: tuple[Contestant, ...] = ALL
    if asked.config is not None or before is None:
        run = load(asked.config if asked.config is not None else SMALL)
        known = with_own(ALL, run.optimizer, run.lr_schedule.base_lr)
        before = _of_run(run, known)
    contestants = before.contestants
    if asked.optimizers is not None:
        kept = {contestant.name: contestant for contestant in before.contestants}
        contestants = chosen(asked.optimizers, [kept.get(contestant.name, contestant) for contestant in known])
    if asked.every is not None:
        contestants = with_every(contestants, _within("--every", asked.every, 10_000))
    members = before.members if asked.members is None else _within("--members", asked.members, MOST_MEMBERS)
    data = before.data if asked.seed is None else before.data.model_copy(update={"seed": asked.seed})
    if before.batch < members:
        raise UserError(
            f"{members} members share {before.batch} sequences of a step, so some would have none: lower --members, or raise "
            "config.global_batch_size_end in the file."
        )
    return before.model_copy(
        update={
            "contestants": with_rates(contestants, asked.rates),
            "members": members,
            "steps": before.steps if asked.steps is None else _within("--steps", asked.steps, MOST_STEPS),
            "data": data,
            "seed": before.seed if asked.seed is None else asked.seed,
            "link": _link(asked, before.link),
        }
    )


def _of_run(run: RunConfig, contestants: tuple[Contestant, ...]) -> Comparison:
    if not isinstance(run.model, OwnConfig) and (count := parameter_count(run.model)) > MOST_PARAMETERS:
        raise UserError(
            f"The model of {run.run_id} has {count / 1e6:,.0f} million parameters. Here all members are trained in turn on this "
            f"machine, so {MOST_PARAMETERS / 1e6:,.0f} million are the most. Compare a smaller one of its kind, and ask "
            "`quiltwork pretrain plan` for the times of this one."
        )
    return Comparison(
        name=run.run_id,
        model=run.model,
        data=run.data,
        micro_batch=run.micro_batch,
        seed=run.seed,
        steps=min(run.rules.total_steps, MOST_STEPS),
        members=min(run.rules.init_min_clients, MOST_MEMBERS),
        batch=run.rules.global_batch_size_end,
        contestants=contestants,
    )


def _within(option: str, value: int, most: int) -> int:
    if not 1 <= value <= most:
        raise UserError(f"{option} {value}: from 1 to {most:,} are possible.")
    return value


def _link(asked: Asked, before: Link) -> Link:
    delay = before.delay_ms if asked.delay_ms is None else asked.delay_ms
    if not 0 <= delay <= LONGEST_DELAY_MS:
        raise UserError(f"--delay-ms {delay:g}: from 0 to {LONGEST_DELAY_MS:,.0f} are possible.")
    return Link(mbit=before.mbit if asked.link is None else mbit_of(asked.link), delay_ms=delay)
