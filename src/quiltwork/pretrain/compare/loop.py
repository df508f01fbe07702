"""Carries a comparison out: trains who has not been trained yet, keeps every point, and writes the page after each of them."""

from __future__ import annotations

import json
import os
import platform
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from quiltwork.pretrain.compare.comparison import Comparison
from quiltwork.pretrain.compare.contestants import Contestant
from quiltwork.pretrain.compare.folder import Folder, key_of
from quiltwork.pretrain.compare.page import Findings, as_data, render
from quiltwork.pretrain.compare.series import Curve
from quiltwork.pretrain.compare.told import Watcher
from quiltwork.pretrain.compare.training import Ground, Standing, begin, train

PAGE, DATA = "compare.html", "compare.json"


def carry_out(
    comparison: Comparison,
    folder: Folder,
    watcher: Watcher,
    *,
    root: Path | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Findings:
    """Train who has not been trained, and write the page and its data. Relative paths of data begin at `root`.

    Ended at any moment, it loses what came after the last point; called again, it goes on with the same numbers, but for
    the times. Raises UserError, and KeyboardInterrupt once `stop` says so: then nothing is lost.
    """
    torch.set_num_threads(1)  # times are those of one core, and bits do not depend on how many there are
    ground = Ground(comparison, root)
    fingerprint = ground.data.fingerprint()
    curves: list[Curve] = []
    for contestant in comparison.contestants:
        standing = _trained(ground, contestant, folder, key_of(comparison, contestant, fingerprint), watcher, stop)
        curves.append(Curve(contestant, tuple(standing.points), standing.diverged))
        found = Findings(comparison, tuple(curves), ground.dense_bytes, machine())
        folder.write(PAGE, render(found))
        folder.write(DATA, json.dumps(as_data(found), indent=1) + "\n")
    return found


def _trained(
    ground: Ground, contestant: Contestant, folder: Folder, key: str, watcher: Watcher, stop: Callable[[], bool]
) -> Standing:
    standing = folder.load(key) or begin(ground, contestant)
    watcher.begins(contestant, standing.step)
    if standing.step < ground.comparison.steps and not standing.diverged:
        for seen in train(ground, contestant, standing):
            over = seen.step == ground.comparison.steps or bool(seen.diverged)
            looked, stopped = seen.points[-1].step == seen.step, stop()
            if over or looked or stopped:
                folder.keep(key, seen, over=over)
            if over or looked:
                watcher.looks(contestant, seen)
            if stopped:
                raise KeyboardInterrupt
    watcher.ends(contestant, standing)
    return standing


@contextmanager
def ctrl_c() -> Iterator[Callable[[], bool]]:
    """Give what says whether Ctrl-C was pressed while the block goes on; pressed again, it ends the program at once.

    Raised in the midst of a computation, KeyboardInterrupt can come out of numpy as another error. For the main thread.
    """
    pressed = []

    def press(number: int, frame: object) -> None:
        pressed.append(number)
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, press)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


def machine() -> str:
    """Name this machine as far as times depend on it."""
    return f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"
