"""What audits by recomputation find: how alike honest work and every cheat are to what a verifier computes, and who is accused.

    python benchmarks/pretrain_cheats.py                      the sets that are not in the results yet, one after the other
    python benchmarks/pretrain_cheats.py --only demo_exact-1  only these
    python benchmarks/pretrain_cheats.py --table              the tables of the results, also into docs/pretrain-verification.md
    python benchmarks/pretrain_cheats.py --json               the same as JSON

Four honest members, two in fp32 and two in bf16, train a byte-level GPT (hidden 32, one layer, sequences of 32 bytes, units of
four sequences) on the sources of CPython's standard library for 30 rounds. They are given one, two or four units in turn. Every
commitment is audited once, by a verifier that differs from its author: in precision, in micro-batch, in both, or in threads.
Every fourteenth round, each cheat of `quiltwork.pretrain.cheats` takes the place of one member of each precision, with its
state, and is audited by both precisions. All of it is `Trainer.train`, `disclose` and `audit`, in one process.

A set is one run from one seed. Thresholds are chosen on the sets of some seeds and reported on those of others. A finished set
is in benchmarks/results/pretrain_cheats.json; an interrupted one begins anew. Several processes may be started, each with
other sets.
"""

from __future__ import annotations

import argparse
import datetime
import fcntl
import functools
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

from quiltwork.audit.calibration import Proportion, choose, proportion, trials_needed
from quiltwork.blobs import MemoryBlobs
from quiltwork.pretrain.cheats import CHEATS, SUBTLE
from quiltwork.pretrain.effects import Audit, Disclose, Train, Trained
from quiltwork.pretrain.entries import Committed
from quiltwork.pretrain.optimizers.base import Alike, optimizer_of
from quiltwork.pretrain.recipe import Recipe
from quiltwork.pretrain.trainer import Model, Trainer

AnyTrainer = TypeVar("AnyTrainer", bound=Trainer)

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "pretrain_cheats.json"
PAGE = HERE.parent / "docs" / "pretrain-verification.md"
MARKERS = ("<!-- pretrain_cheats -->", "<!-- /pretrain_cheats -->")

ROUNDS, CHEAT_EVERY = 30, 14
UNITS = (1, 2, 4)
MEMBERS = ("fp32", "fp32", "bf16", "bf16")
PRECISIONS = ("fp32", "bf16")
KEPT_MODELS = 6
"""What `very-stale` needs."""

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "demo_exact": {"kind": "demo_exact", "beta": 0.95, "chunk": 16, "kept": 8},
    "sparseloco": {"kind": "sparseloco"},
}
CHOOSING = {"demo_exact": (1,), "sparseloco": (1,)}
REPORTED = {"demo_exact": tuple(range(2, 22)), "sparseloco": tuple(range(2, 13))}

HONEST = {"precision": (True, 0, 1), "both": (True, 2, 1), "micro_batch 2": (False, 2, 1), "two threads": (False, 0, 2)}
"""In what a verifier differs: whether in precision, its `micro_batch` (0: a unit; so has the author), its threads."""
TURNS = ("precision", "both") * 4 + ("micro_batch 2",) * 2 + ("two threads",)
"""One for each commitment, in turn; eleven, so that each comes to every member. Precision differs most, so most have it."""
EVERY_CHEAT = {**CHEATS, **SUBTLE}


@dataclass
class Cell:
    """The audits of one condition in one set, in their order."""

    condition: str
    author: str
    verifier: str
    units: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    """Of the updates: `Finding.score`."""
    states: list[float] = field(default_factory=list)
    """Of the states after the step: `Optimizer.compare_states`."""


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
    """Remembers what it found last, so that the likeness of states can be noted beside the finding."""

    last: Alike

    def compare(self, *given: Any) -> Alike:
        """See Trainer."""
        self.last = super().compare(*given)
        return self.last


class Remembered:
    """The batches of a run, each drawn once: everybody who trains or audits a unit wants the same."""

    def __init__(self, data: Any) -> None:
        self.data = data
        self.batch = functools.lru_cache(maxsize=256)(data.batch)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.data, name)


def recipe(optimizer: str, seed: int, micro_batch: int = 0) -> Recipe:
    return Recipe.model_validate(
        {
            "seed": seed,
            "micro_batch": micro_batch,
            "model": {"kind": "gpt", "hidden": 32, "layers": 1, "heads": 2, "mlp_hidden": 96, "context": 32},
            "optimizer": OPTIMIZERS[optimizer],
            "lr_schedule": {
                "kind": "cosine",
                "base_lr": 2e-3,
                "warmup_steps": 10,
                "warmup_init_lr": 2e-4,
                "total_steps": ROUNDS,
                "final_lr": 2e-4,
            },
            "data": {"sequence_length": 32, "seed": seed, "sources": [{"name": "python", "corpus": "python"}]},
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
        self.data: Remembered | None = None
        self.authors = {kind: self._trainer(kind) for kind in PRECISIONS}
        self.verifiers = {
            (micro, kind): _as(Verifier, self._trainer(kind, micro)) for micro in (0, 2) for kind in PRECISIONS
        }
        self.cheats = {
            (name, kind): _as(cls, self.authors[kind]) for name, cls in EVERY_CHEAT.items() for kind in PRECISIONS
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
        self.data = self.data or Remembered(made.data)
        made.models, made.data = self.models, self.data  # type: ignore[assignment]
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
                self._honest(TURNS[(len(MEMBERS) * round + place) % len(TURNS)], kind, train, trained)
                if round % CHEAT_EVERY == 0 and place % 2 == round // CHEAT_EVERY % 2:
                    self._cheating(kind, train)
                owns[place] = trained.own
            rate = lead.recipe.lr_schedule.rate(round - 1)
            self.models[round] = Model(*lead.optimizer.aggregate(*self.models[round - 1], updates, rate))
            lead.blobs = MemoryBlobs()
            lead.forget(round - KEPT_MODELS + 1, frozenset(owns))

    def _honest(self, condition: str, kind: str, train: Train, trained: Trained) -> None:
        differs, micro, threads = HONEST[condition]
        verifier = self.verifiers[micro, PRECISIONS[PRECISIONS.index(kind) ^ differs]]
        torch.set_num_threads(threads)
        self._audit(condition, kind, self.authors[kind], verifier, train, trained)
        torch.set_num_threads(1)

    def _cheating(self, kind: str, train: Train) -> None:
        for name in EVERY_CHEAT:
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
        verifier.audit(audit, author.kind)
        key = (condition, kind, verifier.kind.dtype)
        cell = self.cells.setdefault(key, Cell(*key))
        cell.units.append(len(train.units))
        cell.scores.append(round(verifier.last.updates, 5))
        cell.states.append(round(verifier.last.states, 5))


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
    """A line of the table: trials of the reported seeds, and how many of them are accused."""

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


def thresholds(optimizer: str) -> Alike:
    """What `Trainer.audit` asks for."""
    return optimizer_of(recipe(optimizer, 0).optimizer).least


def accused(optimizer: str, cell: Cell) -> list[bool]:
    """Whether each trial is accused, by the thresholds of today."""
    least = thresholds(optimizer)
    return [
        not (score >= least.updates and state >= least.states)
        for score, state in zip(cell.scores, cell.states, strict=True)
    ]


def cells(every: Sequence[Set], optimizer: str, seeds: Sequence[int]) -> Iterator[Cell]:
    """The cells of several sets, those of a kind made one."""
    joined: dict[tuple[str, str, str], Cell] = {}
    for each in every:
        if each.optimizer == optimizer and each.seed in seeds:
            for cell in each.cells:
                into = joined.setdefault(key := (cell.condition, cell.author, cell.verifier), Cell(*key))
                for name in ("units", "scores", "states"):
                    getattr(into, name).extend(getattr(cell, name))
    order = [*HONEST, *EVERY_CHEAT]
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
    """What the choosing seeds say of thresholds: of updates, and of states for those cheats that updates do not betray."""
    text = [
        "| author, verifier | honest updates from | states from | `choose` gives, updates | in use | states | in use |",
        "|---|---|---|---|---|---|---|",
    ]
    first = list(cells(every, optimizer, CHOOSING[optimizer]))
    for author in PRECISIONS:
        for verifier in PRECISIONS:
            of = [cell for cell in first if (cell.author, cell.verifier) == (author, verifier)]
            good, bad = (
                [pair for cell in of if cell.condition in names for pair in zip(cell.scores, cell.states, strict=True)]
                for names in (HONEST, CHEATS)
            )
            least = thresholds(optimizer)
            scores, states = ([pair[number] for pair in good] for number in (0, 1))
            updates = choose(scores, [score for score, _ in bad])
            after = choose(states, [state for score, state in bad if score >= least.updates])
            text.append(
                f"| {author}, {verifier} | {min(scores):.4f} | {min(states):.4f} | {updates:.3f} | {least.updates} | "
                f"{after:.3f} | {least.states} |"
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


def honest_of(every: Sequence[Set], optimizers: Sequence[str]) -> Proportion:
    """All honest trials of all conditions; each is of another commitment."""
    found = [line.accused for name in optimizers for line in lines(every, name) if line.honest]
    return proportion(sum(each.happened for each in found), sum(each.trials for each in found))


def summary(every: Sequence[Set], optimizer: str) -> str:
    """All honest conditions together, and every cheat over the pairs, by units of the commitment and by round."""
    events = range(CHEAT_EVERY, ROUNDS + 1, CHEAT_EVERY)
    text = [
        "| who | accused | 95 % interval | of 1 unit | of 2 | of 4 | "
        + " | ".join(f"round {at}" for at in events)
        + " |",
        "|---" * (6 + len(events)) + "|",
        f"| all honest | {bounded(honest_of(every, [optimizer]))}" + " |" * (4 + len(events)),
    ]
    reported = list(cells(every, optimizer, REPORTED[optimizer]))
    for title, names in {
        **{name: (name,) for name in CHEATS},
        "all of these": CHEATS,
        "all but stale": [name for name in CHEATS if name != "stale"],
        **{name: (name,) for name in SUBTLE},
    }.items():
        verdicts = [
            (units, events[number % len(events)], verdict)
            for cell in reported
            if cell.condition in names
            for number, (units, verdict) in enumerate(zip(cell.units, accused(optimizer, cell), strict=True))
        ]
        parts = [[verdict for of, _, verdict in verdicts if of == units] for units in UNITS]
        parts += [[verdict for _, at, verdict in verdicts if at == event] for event in events]
        whole = proportion(sum(verdict for *_, verdict in verdicts), len(verdicts))
        text.append(
            f"| {title} | {bounded(whole)} | " + " | ".join(f"{sum(part)}/{len(part)}" for part in parts) + " |"
        )
    return "\n".join(text)


def report(every: Sequence[Set]) -> str:
    """The tables of the optimizers all of whose seeds are there."""
    text, whole = [], []
    for optimizer in OPTIMIZERS:
        wanted = {*CHOOSING[optimizer], *REPORTED[optimizer]}
        mine = [each for each in every if each.optimizer == optimizer and each.seed in wanted]
        if not wanted <= {each.seed for each in mine}:
            continue
        whole.append(optimizer)
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
    text.append(
        f"All honest of {', '.join(whole)}: {bounded(honest_of(every, whole)).replace(' |', ' accused,')}. "
        f"To bound a rate below 0.1 % takes {trials_needed(0.001):,} independent trials without an accusation."
    )
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
