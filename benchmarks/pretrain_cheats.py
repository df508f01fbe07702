"""What audits by recomputation find: how alike honest work and every cheat are to what a verifier computes, and who is accused.

    python benchmarks/pretrain_cheats.py                      the sets that are not in the results yet, one after the other
    python benchmarks/pretrain_cheats.py --only demo_exact-1  only these
    python benchmarks/pretrain_cheats.py --table              the tables of the results, also into docs/pretrain-verification.md
    python benchmarks/pretrain_cheats.py --json               the same as JSON

Four honest members, two in fp32 and two in bf16, train a byte-level GPT (hidden 64, two layers, sequences of 64 bytes, units of
four sequences) on the sources of CPython's standard library for 60 rounds. They are given one, two or four units in turn. In
every fourth round one member of each precision is audited under every honest condition; in every tenth, each cheat of
`quiltwork.pretrain.cheats` takes its place, with its state, and is audited by both precisions. All of it is `Trainer.train`,
`disclose` and `audit`, in one process.

A set is one run from one seed. Thresholds are chosen on the sets of the first half of the seeds and reported on those of the
second half. A finished set is in benchmarks/results/pretrain_cheats.json; an interrupted one begins anew. Several processes may
be started, with other sets each.
"""

from __future__ import annotations

import argparse
import datetime
import fcntl
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch

from quiltwork.audit import Kind
from quiltwork.audit.calibration import Proportion, choose, proportion, trials_needed
from quiltwork.blobs import MemoryBlobs
from quiltwork.pretrain.cheats import CHEATS
from quiltwork.pretrain.effects import Audit, Disclose, Train, Trained
from quiltwork.pretrain.entries import Committed
from quiltwork.pretrain.recipe import Recipe
from quiltwork.pretrain.trainer import LEAST_STATE_LIKENESS, Model, Trainer, Worked, state_likeness

AnyTrainer = TypeVar("AnyTrainer", bound=Trainer)

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "pretrain_cheats.json"
PAGE = HERE.parent / "docs" / "pretrain-verification.md"
MARKERS = ("<!-- pretrain_cheats -->", "<!-- /pretrain_cheats -->")

ROUNDS, HONEST_EVERY, CHEAT_EVERY = 60, 4, 10
UNITS = (1, 2, 4)
MEMBERS = ("fp32", "fp32", "bf16", "bf16")
PRECISIONS = ("fp32", "bf16")
KEPT_MODELS = 6
"""What `very-stale` needs."""

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "demo_exact": {"kind": "demo_exact", "beta": 0.95, "chunk": 16, "kept": 8},
    "sparseloco": {"kind": "sparseloco"},
}
CHOOSING = {"demo_exact": (1, 2, 3), "sparseloco": (1,)}
REPORTED = {"demo_exact": (4, 5, 6), "sparseloco": (4,)}

HONEST = {"as the author": (0, 1), "micro_batch 1": (1, 1), "two threads": (0, 2)}
"""A verifier's `micro_batch` and threads. The author has a unit's and one."""


@dataclass
class Cell:
    """The audits of one condition in one set, in their order."""

    condition: str
    author: str
    verifier: str
    rounds: list[int] = field(default_factory=list)
    units: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    """Of the updates: `Finding.score`."""
    states: list[float] = field(default_factory=list)
    """Of the states after the step: `state_likeness`."""


@dataclass
class Set:
    """One run, audited."""

    optimizer: str
    seed: int
    cells: list[Cell]
    cpu_s: float
    date: str
    machine: str
    torch: str

    @property
    def name(self) -> str:
        """By which it is asked for."""
        return f"{self.optimizer}-{self.seed}"


class Verifier(Trainer):
    """Remembers what it computed last, so that the likeness of states can be noted beside the finding."""

    last: Worked

    def step(self, *given: Any) -> Worked:
        """See Trainer."""
        self.last = super().step(*given)
        return self.last


def recipe(optimizer: str, seed: int, micro_batch: int = 0) -> Recipe:
    return Recipe.model_validate(
        {
            "seed": seed,
            "micro_batch": micro_batch,
            "model": {"kind": "gpt", "hidden": 64, "layers": 2, "heads": 2, "mlp_hidden": 192, "context": 64},
            "optimizer": OPTIMIZERS[optimizer],
            "lr_schedule": {
                "kind": "cosine",
                "base_lr": 2e-3,
                "warmup_steps": 10,
                "warmup_init_lr": 2e-4,
                "total_steps": ROUNDS,
                "final_lr": 2e-4,
            },
            "data": {"sequence_length": 64, "seed": seed, "sources": [{"name": "python", "corpus": "python"}]},
        }
    )


def _as(kind: type[AnyTrainer], trainer: Trainer) -> AnyTrainer:
    """Give a trainer of another kind with the same model and data, which take a second to open."""
    made = kind.__new__(kind)
    made.__dict__.update(vars(trainer))
    return made


class Audited:
    """A run of honest members, and those who audit them or cheat in their place."""

    def __init__(self, optimizer: str, seed: int, folder: Path) -> None:
        self.optimizer, self.seed, self.folder = optimizer, seed, folder
        self.models: dict[int, Model] = {}
        self.authors = {kind: self._trainer(kind) for kind in PRECISIONS}
        self.verifiers = {
            (micro, kind): _as(Verifier, self._trainer(kind, micro)) for micro in (0, 1) for kind in PRECISIONS
        }
        self.cheats = {
            (name, kind): _as(cls, self.authors[kind]) for name, cls in CHEATS.items() for kind in PRECISIONS
        }
        self.everybody = [*self.authors.values(), *self.verifiers.values(), *self.cheats.values()]
        self.models[0] = self.authors["fp32"]._first
        self.cells: dict[tuple[str, str, str], Cell] = {}

    def _trainer(self, precision: str, micro_batch: int = 0) -> Trainer:
        made = Trainer(
            recipe(self.optimizer, self.seed, micro_batch),
            unit_sequences=4,
            folder=self.folder,
            blobs=MemoryBlobs(),
            precision=precision,
            threads=1,
        )
        made.models = self.models
        return made

    def run(self) -> None:
        """Train all rounds, and audit on the way."""
        owns, unit = [b""] * len(MEMBERS), 0
        lead = self.authors["fp32"]
        for round in range(1, ROUNDS + 1):
            for each in self.everybody:
                each.blobs = lead.blobs
            updates = []
            for place, kind in enumerate(MEMBERS):
                units = tuple(range(unit, unit + UNITS[(round + place) % len(UNITS)]))
                unit += len(units)
                train = Train(round, round, round - 1, owns[place], units)
                trained = self.authors[kind].train(train)
                updates.append((len(units), lead.blobs.get(trained.payload.hex())))
                if round % HONEST_EVERY == 0 and place % 2 == round // HONEST_EVERY % 2:
                    self._honest(kind, train, trained)
                if round % CHEAT_EVERY == 0 and place % 2 == round // CHEAT_EVERY % 2:
                    self._cheating(kind, train)
                owns[place] = trained.own
            rate = lead.recipe.lr_schedule.rate(round - 1)
            self.models[round] = Model(*lead.optimizer.aggregate(*self.models[round - 1], updates, rate))
            lead.blobs = MemoryBlobs()
            lead.forget(round - KEPT_MODELS + 1, frozenset(owns))

    def _honest(self, kind: str, train: Train, trained: Trained) -> None:
        for condition, (micro, threads) in HONEST.items():
            for other in PRECISIONS:
                torch.set_num_threads(threads)
                self._audit(condition, kind, self.authors[kind], self.verifiers[micro, other], train, trained)
                torch.set_num_threads(1)

    def _cheating(self, kind: str, train: Train) -> None:
        for name in CHEATS:
            cheat = self.cheats[name, kind]
            trained = cheat.train(train)
            for other in PRECISIONS:
                self._audit(name, kind, cheat, self.verifiers[0, other], train, trained)

    def _audit(
        self, condition: str, kind: str, author: Trainer, verifier: Verifier, train: Train, trained: Trained
    ) -> None:
        disclosed = author.disclose(Disclose(train.round, train.own, trained.own))
        committed = Committed(train.round, train.units, trained.payload, trained.size, b"", trained.own, trained.loss)
        audit = Audit(b"", train.step, train.base, committed, train.own, disclosed.disclosure)
        finding = verifier.audit(audit, author.kind)
        likeness = state_likeness(verifier.last[1], author.own(trained.own, 0))
        key = (condition, kind, verifier.kind.dtype)
        cell = self.cells.setdefault(key, Cell(*key))
        cell.rounds.append(train.round)
        cell.units.append(len(train.units))
        cell.scores.append(round(finding.score, 5))
        cell.states.append(round(likeness, 5))


def measure(optimizer: str, seed: int) -> Set:
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        audited = Audited(optimizer, seed, Path(folder))
        audited.run()
    return Set(
        optimizer,
        seed,
        list(audited.cells.values()),
        round(time.process_time() - start),
        datetime.datetime.now(datetime.UTC).date().isoformat(),
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        torch.__version__,
    )


def sets() -> list[Set]:
    if not RESULTS.exists():
        return []
    return [
        Set(**{**found, "cells": [Cell(**cell) for cell in found["cells"]]})
        for found in json.loads(RESULTS.read_text())
    ]


def keep(found: Set) -> None:
    """Add a set to the results, a cell a line."""
    with (Path(tempfile.gettempdir()) / "quiltwork_pretrain_cheats.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _keep(found)


def _keep(found: Set) -> None:
    every = sorted([*sets(), found], key=lambda each: (each.optimizer, each.seed))
    texts = []
    for each in every:
        head = {name: value for name, value in asdict(each).items() if name != "cells"}
        cells = ",\n  ".join(json.dumps(asdict(cell), separators=(",", ":")) for cell in each.cells)
        texts.append(json.dumps(head)[:-1] + f', "cells": [\n  {cells}\n]}}')
    new = RESULTS.with_suffix(".new")
    new.write_text("[\n" + ",\n".join(texts) + "\n]\n")
    os.replace(new, RESULTS)


@dataclass
class Line:
    """A line of the table: trials of the reported half, and how many of them are accused."""

    optimizer: str
    condition: str
    author: str
    verifier: str
    honest: bool
    least: float
    most: float
    least_state: float
    most_state: float
    accused: Proportion


def threshold(optimizer: str, author: str, verifier: str) -> float:
    """What `Trainer.audit` asks of updates."""
    return recipe(optimizer, 0).thresholds.find(Kind(dtype=author), Kind(dtype=verifier))[0]


def accused(optimizer: str, cell: Cell) -> list[bool]:
    """Whether each trial is accused, by the thresholds of today."""
    least = threshold(optimizer, cell.author, cell.verifier)
    return [
        not (score >= least and state >= LEAST_STATE_LIKENESS)
        for score, state in zip(cell.scores, cell.states, strict=True)
    ]


def cells(every: Sequence[Set], optimizer: str, seeds: Sequence[int]) -> Iterator[Cell]:
    """The cells of several sets, those of a kind made one."""
    joined: dict[tuple[str, str, str], Cell] = {}
    for each in every:
        if each.optimizer == optimizer and each.seed in seeds:
            for cell in each.cells:
                into = joined.setdefault(key := (cell.condition, cell.author, cell.verifier), Cell(*key))
                for name in ("rounds", "units", "scores", "states"):
                    getattr(into, name).extend(getattr(cell, name))
    order = [*HONEST, *CHEATS]
    yield from sorted(joined.values(), key=lambda cell: order.index(cell.condition))


def lines(every: Sequence[Set], optimizer: str) -> list[Line]:
    found = []
    for cell in cells(every, optimizer, REPORTED[optimizer]):
        verdicts = accused(optimizer, cell)
        found.append(
            Line(
                optimizer,
                cell.condition,
                cell.author,
                cell.verifier,
                cell.condition in HONEST,
                min(cell.scores),
                max(cell.scores),
                min(cell.states),
                max(cell.states),
                proportion(sum(verdicts), len(verdicts)),
            )
        )
    return found


def chosen(every: Sequence[Set], optimizer: str) -> str:
    """What the first half of the seeds says of thresholds."""
    text = [
        "| author, verifier | honest scores from | states from | `choose` gives, updates | in use | states | in use |",
        "|---|---|---|---|---|---|---|",
    ]
    first = list(cells(every, optimizer, CHOOSING[optimizer]))
    for author in PRECISIONS:
        for verifier in PRECISIONS:
            of = [cell for cell in first if (cell.author, cell.verifier) == (author, verifier)]
            good, bad = ([cell for cell in of if (cell.condition in HONEST) is honest] for honest in (True, False))
            scores, states = (
                [[value for cell in part for value in getattr(cell, name)] for part in (good, bad)]
                for name in ("scores", "states")
            )
            text.append(
                f"| {author}, {verifier} | {min(scores[0]):.4f} | {min(states[0]):.4f} | {choose(*scores):.3f} | "
                f"{threshold(optimizer, author, verifier)} | {choose(*states):.3f} | {LEAST_STATE_LIKENESS} |"
            )
    return "\n".join(text)


def bounded(found: Proportion) -> str:
    return f"{found.happened}/{found.trials} | {100 * found.low:.2f} to {100 * found.high:.2f} %"


def table(every: Sequence[Set], optimizer: str) -> str:
    text = [
        "| condition | author, verifier | updates alike | states alike | accused | 95 % interval |",
        "|---|---|---|---|---|---|",
    ]
    for line in lines(every, optimizer):
        text.append(
            f"| {line.condition} | {line.author}, {line.verifier} | {line.least:.4f}..{line.most:.4f} | "
            f"{line.least_state:.4f}..{line.most_state:.4f} | {bounded(line.accused)} |"
        )
    return "\n".join(text)


def summary(every: Sequence[Set], optimizer: str) -> str:
    """All honest conditions together, and every cheat over the pairs, by the units of the commitment."""
    found = lines(every, optimizer)
    honest = [line.accused for line in found if line.honest]
    total = proportion(sum(each.happened for each in honest), sum(each.trials for each in honest))
    text = [
        "| who | accused | 95 % interval | of 1 unit | of 2 | of 4 |",
        "|---|---|---|---|---|---|",
        f"| all honest | {bounded(total)} | | | |",
    ]
    reported = list(cells(every, optimizer, REPORTED[optimizer]))
    for name in CHEATS:
        verdicts = [
            (units, verdict)
            for cell in reported
            if cell.condition == name
            for units, verdict in zip(cell.units, accused(optimizer, cell), strict=True)
        ]
        parts = [[verdict for of, verdict in verdicts if of == units] for units in UNITS]
        whole = proportion(sum(verdict for _, verdict in verdicts), len(verdicts))
        text.append(f"| {name} | {bounded(whole)} | " + " | ".join(f"{sum(part)}/{len(part)}" for part in parts) + " |")
    return "\n".join(text)


def report(every: Sequence[Set]) -> str:
    text = []
    for optimizer in OPTIMIZERS:
        mine = [each for each in every if each.optimizer == optimizer]
        if {each.seed for each in mine} < {*CHOOSING[optimizer], *REPORTED[optimizer]}:
            continue
        text += [
            f"### {optimizer}",
            f"Seeds {', '.join(map(str, REPORTED[optimizer]))}; {mine[-1].machine}, torch {mine[-1].torch}, "
            f"{mine[-1].date}; {sum(each.cpu_s for each in mine):.0f} s of processor time for all seeds.",
            summary(every, optimizer),
            "By condition:",
            table(every, optimizer),
            f"Thresholds, from seeds {', '.join(map(str, CHOOSING[optimizer]))}:",
            chosen(every, optimizer),
        ]
    text.append(f"To bound a rate below 0.1 % takes {trials_needed(0.001):,} independent trials without an accusation.")
    return "\n\n".join(text)


def publish(text: str) -> None:
    page = PAGE.read_text()
    start, end = (page.index(marker) for marker in MARKERS)
    PAGE.write_text(page[: start + len(MARKERS[0])] + f"\n\n{text}\n\n" + page[end:])


def main() -> None:
    names = [f"{name}-{seed}" for name in OPTIMIZERS for seed in (*CHOOSING[name], *REPORTED[name])]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    if given.json:
        print(json.dumps([asdict(line) for name in OPTIMIZERS for line in lines(sets(), name)], indent=1))
        return
    if given.table:
        print(text := report(sets()))
        publish(text)
        return
    for name in given.only:
        if name in {each.name for each in sets()}:
            continue
        optimizer, seed = name.rsplit("-", 1)
        keep(found := measure(optimizer, int(seed)))
        print(f"{name}: {sum(len(cell.scores) for cell in found.cells)} audits, {found.cpu_s:.0f} s", flush=True)


if __name__ == "__main__":
    main()
