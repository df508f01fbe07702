"""A run so small that a round takes milliseconds, and what its tests share."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from quiltwork.pretrain.effects import Apply, Load, Train, Trained
from quiltwork.pretrain.entries import Committed
from quiltwork.pretrain.facts import Closed, Commit
from quiltwork.pretrain.home import Home
from quiltwork.pretrain.recipe import RunConfig, recipe_of
from quiltwork.pretrain.trainer import Trainer

TOML = """run_id = "tiny"
seed = 1

[config]
init_min_clients = 3
min_clients = 1
total_steps = 6
global_batch_size_start = 6
global_batch_size_end = 6
unit_sequences = 2
max_round_train_time = 20.0
round_witness_time = 20.0
warmup_time = 60.0
cooldown_time = 20.0
epoch_time = 3600.0
waiting_for_members_extra_time = 0.2
checkpoint_rounds = 4
verification_percent = 20.0

[model]
kind = "gpt"
hidden = 32
layers = 1
heads = 2
mlp_hidden = 64
context = 16

[optimizer]
kind = "demo_exact"

[lr_schedule]
kind = "constant"
base_lr = 0.002

[data]
sequence_length = 16

[[data.sources]]
name = "text"
files = ["text.bin"]
dtype = "uint8"
"""

TEXT = b"".join(b"line %d says that %d times 7 is %d\n" % (n, n, 7 * n) for n in range(2_000))


def data(folder: Path) -> Path:
    """Put the text that is trained on into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (
        folder / "text.bin"
    ).exists():  # who is trained on it has it mapped: it must not be cut short and written anew
        (folder / "text.bin").write_bytes(TEXT)
    return folder


def config(*, model: dict[str, Any] | None = None, **rules: Any) -> RunConfig:
    """The tiny run, with other rules and other sizes."""
    table = tomllib.loads(TOML)
    table["config"] |= rules
    table["model"] |= model or {}
    return RunConfig.model_validate(table)


def trainer(folder: Path, made: type[Trainer] = Trainer, wanted: RunConfig | None = None) -> Trainer:
    """A trainer whose home is `folder`; the data lie beside it."""
    data(folder.parent)
    recipe = recipe_of((wanted or config()).created(seed=bytes(32), version="0"))
    return made(
        recipe,
        unit_sequences=2,
        folder=folder,
        blobs=Home(folder).shelf,
        threads=1,
        root=folder.parent,
    )


def committed(trained: Trained, train: Train) -> Committed:
    return Committed(train.round, train.units, trained.payload, trained.size, bytes(32), trained.own, trained.loss)


def closed(round: int, bodies: list[Committed]) -> Closed:
    """A round in which all of these were accepted."""
    commits = tuple(Commit(bytes([number] * 32), body, 0, b"", 0) for number, body in enumerate(bodies))
    return Closed(
        number=round,
        step=round,
        base=round - 1,
        seed=bytes(32),
        since=0,
        opened=0,
        closed=0,
        roster=(),
        witnesses=(),
        assigned={},
        commits=commits,
        accepted=tuple(range(len(commits))),
        returned=(),
    )


class Alone:
    """One trainer that goes through rounds by itself: what it trains is accepted."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.round, self.own, self.next_unit = 0, b"", 0
        self.models = [trainer.load(Load(None, ()), trainer.blobs.get).model]

    def next_train(self, units: int = 2) -> Train:
        first, self.next_unit = self.next_unit, self.next_unit + units
        return Train(self.round + 1, self.round + 1, self.round, self.own, tuple(range(first, first + units)))

    def go_on(self) -> tuple[Train, Committed]:
        """Train and apply a round."""
        train = self.next_train()
        body = committed(self.trainer.train(train), train)
        self.models.append(self.trainer.apply(Apply(closed(self.round + 1, [body]))).model)
        self.round, self.own = self.round + 1, body.own
        return train, body
