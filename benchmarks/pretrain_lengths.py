"""How long honest updates are beside each other: what `most_times_median` may not touch.

    python benchmarks/pretrain_lengths.py            about a minute of a core
    python benchmarks/pretrain_lengths.py --json     the same as JSON

Five members train a byte-level GPT (hidden 32, one layer, sequences of 32 bytes, units of four sequences) on the sources of
CPython's standard library for 60 rounds, with one, two or four units each in turn. Every ten rounds one of them begins
anew, with a first state, as a newcomer or one that lost its disk does. Rates warm up from a hundredth and fall to nothing.
Lengths are those that `quiltwork.pretrain.optimizers.bounds` bounds: of diloco and sparseloco, by the unit.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from quiltwork.blobs import MemoryBlobs
from quiltwork.pretrain.codec.base import Kind
from quiltwork.pretrain.effects import Train
from quiltwork.pretrain.optimizers import dense
from quiltwork.pretrain.optimizers.chosen import read
from quiltwork.pretrain.optimizers.numbers import norm
from quiltwork.pretrain.recipe import Recipe
from quiltwork.pretrain.trainer import Model, Trainer

MEMBERS, ROUNDS, ANEW_EVERY, UNITS = 5, 60, 10, (1, 2, 4)
SETTINGS: dict[str, dict[str, Any]] = {
    "adamw": {"kind": "adamw"},
    "demo, floats": {"kind": "demo", "values": "floats"},
    "diloco, AdamW": {"kind": "diloco"},
    "diloco, Muon": {"kind": "diloco", "inner": "muon"},
    "sparseloco, Muon": {"kind": "sparseloco"},
    "sparseloco, AdamW": {"kind": "sparseloco", "inner": "adamw"},
}


def trainer(optimizer: dict[str, Any], folder: Path) -> Trainer:
    schedule = {"kind": "cosine", "base_lr": 2e-3, "warmup_steps": 10, "warmup_init_lr": 2e-5, "final_lr": 0.0}
    recipe = Recipe.model_validate(
        {
            "seed": 1,
            "model": {"kind": "gpt", "hidden": 32, "layers": 1, "heads": 2, "mlp_hidden": 96, "context": 32},
            "optimizer": {**optimizer, "most_times_median": 1_000.0},
            "lr_schedule": {**schedule, "total_steps": ROUNDS},
            "data": {"sequence_length": 32, "seed": 1, "sources": [{"name": "python", "corpus": "python"}]},
        }
    )
    return Trainer(recipe, unit_sequences=4, folder=folder, blobs=MemoryBlobs(), threads=1)


def length(made: Trainer, payload: bytes, units: int) -> float:
    """What of an update is compared with the median of the round."""
    values, optimizer = made.models[0].parameters, made.optimizer
    match optimizer.name:
        case "adamw":
            return norm(dense.decode(Kind.ADAMW, payload, values).values())
        case "diloco":
            return norm(dense.decode(Kind.DILOCO, payload, values).values()) / units
        case "demo":
            return norm(part.values for part in optimizer.coefficients.decode(payload, values).values())  # type: ignore[attr-defined]
        case _:
            sent = read(optimizer.codec, optimizer.layout(values), payload, values)  # type: ignore[attr-defined]
            return norm(part.values for part in sent.values()) / units


def measure(optimizer: dict[str, Any], folder: Path) -> list[list[float]]:
    """The lengths of every round's updates."""
    made = trainer(optimizer, folder)
    made.models[0] = made._first
    owns, unit, found = [b""] * MEMBERS, 0, []
    for round in range(1, ROUNDS + 1):
        if round % ANEW_EVERY == 0:
            owns[round // ANEW_EVERY % MEMBERS] = b""
        updates = []
        for member in range(MEMBERS):
            units = tuple(range(unit, unit + UNITS[(round + member) % len(UNITS)]))
            unit += len(units)
            trained = made.train(Train(round, round, round - 1, owns[member], units))
            owns[member] = trained.own
            updates.append((len(units), made.blobs.get(trained.payload.hex())))
        found.append([length(made, payload, units) for units, payload in updates])
        rate = made.recipe.lr_schedule.rate(round - 1)
        made.models[round] = Model(*made.optimizer.aggregate(*made.models[round - 1], updates, rate))
        made.blobs = MemoryBlobs()
        del made.models[round - 1]
        made.models[0] = made._first
        made.forget(0, frozenset(owns))
    return found


@dataclass
class Row:
    """Of the rounds of one optimizer: the longest update beside the lower median, and beside the shortest."""

    optimizer: str
    over_median: float
    over_median_usually: float
    over_shortest: float
    over_shortest_usually: float


def rows() -> Iterator[Row]:
    for name, optimizer in SETTINGS.items():
        with tempfile.TemporaryDirectory() as folder:
            rounds = [sorted(lengths) for lengths in measure(optimizer, Path(folder))]
        over = [lengths[-1] / lengths[(MEMBERS - 1) // 2] for lengths in rounds]
        spread = [lengths[-1] / lengths[0] for lengths in rounds]
        yield Row(name, max(over), statistics.median(over), max(spread), statistics.median(spread))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.json:
        print(json.dumps([asdict(row) for row in rows()], indent=1))
        return
    print("| optimizer | longest over the median: usually, at most | over the shortest: usually, at most |")
    print("|---|---|---|", flush=True)
    for row in rows():
        print(
            f"| {row.optimizer} | {row.over_median_usually:.2f}, {row.over_median:.2f} | "
            f"{row.over_shortest_usually:.2f}, {row.over_shortest:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
