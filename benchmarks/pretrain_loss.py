"""What compression costs in loss: every optimizer of `pretrain` trains the same model on the same text, and bytes are counted.

    python benchmarks/pretrain_loss.py                        the runs that are not in the results yet, one after the other
    python benchmarks/pretrain_loss.py --only adamw demo      only these
    python benchmarks/pretrain_loss.py --tune                 the short runs by which learning rates were chosen
    python benchmarks/pretrain_loss.py --table                the table of the results, also into docs/pretrain-optimizers.md

A byte-level GPT of 1.08 million parameters reads the sources of CPython's standard library (without its tests). Every 20th
block of 64 KiB is held out: half of these blocks choose learning rates (`--tune`, another seed), the other half are reported.
Four members train on four sequences of 128 bytes each in a step; equal seeds give equal first parameters and equal batches to
all optimizers. Bytes are those of the encoded payload, per member and step; where members exchange every H steps, 1/H of it.

A finished run is a row in benchmarks/results/pretrain_loss.json; an interrupted one goes on from its last 100 steps. Several
processes may be started: each takes runs that no other has. A run takes 15 to 40 minutes of a core.
"""

from __future__ import annotations

import argparse
import datetime
import fcntl
import json
import math
import os
import platform
import statistics
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from blake3 import blake3
from pydantic import TypeAdapter

from quiltwork.pretrain.architectures.config import GptConfig
from quiltwork.pretrain.architectures.model import build, evaluate, gradient, parameters
from quiltwork.pretrain.optimizers.base import Optimizer, Tensors, Update, optimizer_of, root
from quiltwork.pretrain.optimizers.config import OptimizerConfig

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "pretrain_loss.json"
PAGE = HERE.parent / "docs" / "pretrain-optimizers.md"
CACHE = HERE.parent / ".cache" / "pretrain_loss"
MARKERS = ("<!-- pretrain_loss -->", "<!-- /pretrain_loss -->")

MEMBERS, SEQUENCES, LENGTH = 4, 4, 128
MODEL = GptConfig(context=LENGTH)
BLOCK = 1 << 16
STEPS, SEEDS = 2_000, (1, 2, 3)
TUNE_STEPS, TUNE_SEED = 400, 100
HELD_OUT_SEQUENCES = 1_024
SAVE_EVERY = 100


@dataclass(frozen=True)
class Setting:
    """One line of the table: an optimizer, its peak learning rate, and how many steps lie between two exchanges."""

    optimizer: dict[str, Any]
    lr: float
    inner_steps: int = 1
    late: bool = False
    """Results are applied a round later than they were sent."""
    tried: tuple[float, ...] = ()
    """Learning rates of the short runs."""
    seeds: tuple[int, ...] = SEEDS


SETTINGS = {
    "adamw": Setting({"kind": "adamw"}, lr=4e-3, tried=(2e-3, 3e-3, 4e-3, 8e-3)),
    "sparseloco": Setting({"kind": "sparseloco"}, lr=4e-3, inner_steps=5, tried=(2e-3, 4e-3, 8e-3)),
    "demo_exact": Setting({"kind": "demo_exact"}, lr=2e-3, tried=(1e-3, 2e-3, 4e-3)),
    "adamw_three_quarters": Setting({"kind": "adamw"}, lr=3e-3, seeds=(1,)),
    "adamw_half": Setting({"kind": "adamw"}, lr=2e-3, seeds=(1,)),
    "demo": Setting({"kind": "demo"}, lr=2e-3, seeds=(1,)),
    "distro": Setting({"kind": "distro"}, lr=1e-3, late=True, tried=(1e-3, 2e-3), seeds=(1,)),
    "muloco": Setting(
        {"kind": "diloco", "inner": "muon", "outer_lr": 1.0, "outer_momentum": 0.0}, lr=4e-3, inner_steps=5, seeds=(1,)
    ),
    "diloco": Setting({"kind": "diloco", "outer_momentum": 0.5}, lr=4e-3, inner_steps=5, seeds=(1,)),
    "sparseloco_adamw": Setting({"kind": "sparseloco", "inner": "adamw"}, lr=4e-3, inner_steps=5, seeds=(1,)),
}


@dataclass(frozen=True)
class Row:
    """A finished run."""

    name: str
    optimizer: dict[str, Any]
    lr: float
    inner_steps: int
    late: bool
    seed: int
    steps: int
    part: str
    """Of the held-out text: "test", or "validation" where learning rates are chosen."""
    loss: float
    """Nats per byte there, after the last step."""
    train_loss: float
    """Mean of the last tenth of the steps."""
    bytes_per_step: float
    dense_bytes: int
    """fp32 gradients of all parameters."""
    parameters: int
    root: str
    cpu_s: float
    date: str
    machine: str
    torch: str
    corpus: str


def corpus() -> bytes:
    folder = Path(sysconfig.get_paths()["stdlib"])
    left_out = {"test", "tests", "idle_test", "site-packages", "dist-packages"}
    files = sorted(path for path in folder.rglob("*.py") if not left_out & set(path.relative_to(folder).parts))
    return b"\n".join(path.read_bytes() for path in files)


@dataclass
class Text:
    """The corpus, in its three parts."""

    data: bytes = field(default_factory=corpus, repr=False)

    def __post_init__(self) -> None:
        blocks = [np.frombuffer(self.data[at : at + BLOCK], np.uint8) for at in range(0, len(self.data) - BLOCK, BLOCK)]
        held_out = blocks[::20]
        self.hash = blake3(self.data).hexdigest()[:16]
        self.train = np.concatenate([block for number, block in enumerate(blocks) if number % 20])
        self.parts = {"test": np.concatenate(held_out[::2]), "validation": np.concatenate(held_out[1::2])}

    def batch(self, seed: int, step: int, member: int) -> torch.Tensor:
        """A member's sequences of a step, int64 [SEQUENCES, LENGTH + 1]: a function of these three numbers."""
        random = np.random.Generator(np.random.Philox(key=[seed, step * MEMBERS + member]))
        return _cut(self.train, random.integers(0, len(self.train) - LENGTH - 1, SEQUENCES))

    def held_out(self, part: str) -> Iterator[torch.Tensor]:
        """Sequences at even distances over a part of what was held out."""
        text = self.parts[part]
        starts = np.linspace(0, len(text) - LENGTH - 1, HELD_OUT_SEQUENCES).astype(np.int64)
        for batch in starts.reshape(-1, 16):
            yield _cut(text, batch)


def _cut(text: np.ndarray, starts: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack([text[start : start + LENGTH + 1] for start in starts]).astype(np.int64))


def rate(step: int, steps: int, peak: float) -> float:
    """Linear warm-up over a twentieth of the steps, then a cosine down to a tenth of the peak."""
    warmup = max(10, steps // 20)
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))))


@dataclass
class Run:
    """A run as it stands after `step` steps; all of it can be saved."""

    values: Tensors
    shared: Tensors
    owns: list[Tensors]
    waiting: list[list[Update]]
    step: int = 0
    sent: int = 0
    losses: list[float] = field(default_factory=list)
    cpu_s: float = 0.0


def train(setting: Setting, text: Text, seed: int, steps: int, snapshot: Path) -> Run:
    module = build(MODEL, seed)
    optimizer: Optimizer = optimizer_of(configured(setting))
    compute = gradient(module)
    if snapshot.exists():
        run = Run(**torch.load(snapshot, weights_only=True))
    else:
        values = parameters(module)
        owns = [optimizer.begin_own(values) for _ in range(MEMBERS)]
        run = Run(values, optimizer.begin(values), owns, [[]] if setting.late else [])
    previous = rate(run.step - 1, steps, setting.lr) if run.step else 0.0
    while run.step < steps:
        start, lr = time.process_time(), rate(run.step, steps, setting.lr)
        inner = range(run.step, min(run.step + setting.inner_steps, steps))
        results = [
            optimizer.local_step(
                run.values,
                run.shared,
                own,
                [text.batch(seed, step, member) for step in inner],
                compute,
                lr,
                previous,
            )
            for member, own in enumerate(run.owns)
        ]
        run.owns = [result.own for result in results]
        run.waiting.append([(len(inner), result.payload) for result in results])
        run.values, run.shared = optimizer.aggregate(run.values, run.shared, run.waiting.pop(0), lr)
        run.losses += [statistics.fmean(result.loss for result in results)] * len(inner)
        run.sent += len(results[0].payload)
        run.step, previous = inner.stop, lr
        run.cpu_s += time.process_time() - start
        if run.step % SAVE_EVERY < setting.inner_steps and run.step < steps:
            torch.save(vars(run), snapshot.with_suffix(".new"))
            os.replace(snapshot.with_suffix(".new"), snapshot)
            print(f"{snapshot.stem}: step {run.step}, {statistics.fmean(run.losses[-100:]):.4f} nats", flush=True)
    return run


def configured(setting: Setting) -> Any:
    """The optimizer's configuration, with its defaults."""
    return TypeAdapter(OptimizerConfig).validate_python(setting.optimizer)


def key_of(name: str, setting: Setting, seed: int, steps: int, part: str) -> str:
    """A run's name: equal only for equal settings."""
    written = json.dumps(
        [configured(setting).model_dump(), setting.lr, setting.inner_steps, setting.late], sort_keys=True
    )
    return f"{name}-{setting.lr:g}-{seed}-{steps}-{part}-{blake3(written.encode()).hexdigest()[:8]}"


def key_of_row(row: Row) -> str:
    setting = Setting(row.optimizer, row.lr, row.inner_steps, row.late)
    return key_of(row.name, setting, row.seed, row.steps, row.part)


def rows() -> list[Row]:
    return [Row(**row) for row in json.loads(RESULTS.read_text())] if RESULTS.exists() else []


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Hold a lock that ends with the process; says whether it was free."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def keep(row: Row) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "results.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        every = [asdict(other) for other in rows()] + [asdict(row)]
        every.sort(key=lambda other: (other["part"], other["name"], other["steps"], other["lr"], other["seed"]))
        new = RESULTS.with_suffix(".new")
        new.write_text(json.dumps(every, indent=1) + "\n")
        os.replace(new, RESULTS)


def finish(name: str, setting: Setting, text: Text, seed: int, steps: int, part: str) -> None:
    """Do one run, unless it is done already or another process is at it."""
    key = key_of(name, setting, seed, steps, part)
    with claimed(CACHE / f"{key}.lock") as free:
        if not free or key in map(key_of_row, rows()):
            return
        snapshot = CACHE / f"{key}.pt"
        run = train(setting, text, seed, steps, snapshot)
        loss = evaluate(build(MODEL, seed), run.values, text.held_out(part))
        row = Row(
            name=name,
            optimizer=configured(setting).model_dump(),
            lr=setting.lr,
            inner_steps=setting.inner_steps,
            late=setting.late,
            seed=seed,
            steps=steps,
            part=part,
            loss=loss,
            train_loss=statistics.fmean(run.losses[-steps // 10 :]),
            bytes_per_step=run.sent / steps,
            dense_bytes=4 * sum(value.numel() for value in run.values.values()),
            parameters=sum(value.numel() for value in run.values.values()),
            root=root(run.values).hex(),
            cpu_s=round(run.cpu_s),
            date=datetime.datetime.now(datetime.UTC).date().isoformat(),
            machine=f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
            torch=torch.__version__,
            corpus=text.hash,
        )
        keep(row)
        snapshot.unlink(missing_ok=True)
        print(f"{key}: {loss:.4f} nats per byte, {row.dense_bytes / row.bytes_per_step:.0f}x fewer bytes", flush=True)


def table(every: list[Row]) -> str:
    """Reported runs: loss over seeds, gap to AdamW with the same seed, bytes."""
    reported = [row for row in every if row.part == "test"]
    dense = {(row.seed, row.steps): row.loss for row in reported if row.name == "adamw"}
    lines = [
        "| optimizer | steps | seeds | loss, nats per byte | gap to AdamW | bytes per member and step | fewer than fp32 |",
        "|---|---|---|---|---|---|---|",
    ]
    groups: dict[tuple[str, int], list[Row]] = {}
    for row in reported:
        groups.setdefault((row.name, row.steps), []).append(row)
    for (name, steps), group in sorted(groups.items(), key=lambda item: statistics.fmean(row.loss for row in item[1])):
        gaps = [100 * (row.loss / dense[row.seed, steps] - 1) for row in group if (row.seed, steps) in dense]
        sent = group[0].bytes_per_step
        spread = f" ({min(gaps):+.2f} to {max(gaps):+.2f})" if len(gaps) > 1 and any(gaps) else ""
        lines.append(
            f"| {name} | {steps:,} | {len(group)} | {statistics.fmean(row.loss for row in group):.4f} | "
            + (f"{statistics.fmean(gaps):+.2f} %{spread} | " if gaps else " | ")
            + f"{sent:,.0f} | {group[0].dense_bytes / sent:,.0f}x |"
        )
    return "\n".join(lines)


def tuned(every: list[Row]) -> str:
    """The short runs: loss by learning rate."""
    lines = ["| optimizer | learning rate: loss, nats per byte (validation, 400 steps) |", "|---|---|"]
    names = sorted({row.name for row in every if row.part == "validation"})
    for name in names:
        found = sorted((row.lr, row.loss) for row in every if row.part == "validation" and row.name == name)
        lines.append(f"| {name} | " + ", ".join(f"{lr:g}: {loss:.4f}" for lr, loss in found) + " |")
    return "\n".join(lines)


def publish(text: str) -> None:
    page = PAGE.read_text()
    start, end = (page.index(marker) for marker in MARKERS)
    PAGE.write_text(page[: start + len(MARKERS[0])] + f"\n\n{text}\n\n" + page[end:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--seeds", nargs="+", type=int)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    if given.table:
        text = f"{table(rows())}\n\n{tuned(rows())}"
        print(text)
        publish(text)
        return
    torch.set_num_threads(1)
    text = Text()
    if given.tune:
        for name in given.only:
            for lr in SETTINGS[name].tried:
                setting = Setting(**{**vars(SETTINGS[name]), "lr": lr})
                finish(name, setting, text, TUNE_SEED, given.steps or TUNE_STEPS, "validation")
        return
    for seed in given.seeds or SEEDS:
        for name in given.only:
            if seed in SETTINGS[name].seeds:
                finish(name, SETTINGS[name], text, seed, given.steps or STEPS, "test")


if __name__ == "__main__":
    main()
