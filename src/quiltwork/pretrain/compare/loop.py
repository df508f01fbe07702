"""Carries a comparison out: trains who has not been trained yet, keeps every point, and writes the page after each of them."""

from __future__ import annotations

import json
import os
import platform
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


def carry_out(comparison: Comparison, folder: Folder, watcher: Watcher, *, root: Path | None = None) -> Findings:
    """Train who has not been trained, and write the page and its data. Relative paths of data begin at `root`.

    Ended at any moment, it loses what came after the last point; called again, it goes on with the same numbers, but for
    the times. Raises UserError.
    """
    torch.set_num_threads(1)  # times are those of one core, and bits do not depend on how many there are
    ground = Ground(comparison, root)
    fingerprint = ground.data.fingerprint()
    curves: list[Curve] = []
    for contestant in comparison.contestants:
        standing = _trained(ground, contestant, folder, key_of(comparison, contestant, fingerprint), watcher)
        curves.append(Curve(contestant, tuple(standing.points), standing.diverged))
        found = Findings(comparison, tuple(curves), ground.dense_bytes, machine())
        folder.write(PAGE, render(found))
        folder.write(DATA, json.dumps(as_data(found), indent=1) + "\n")
    return found


def _trained(ground: Ground, contestant: Contestant, folder: Folder, key: str, watcher: Watcher) -> Standing:
    standing = folder.load(key) or begin(ground, contestant)
    watcher.begins(contestant, standing.step)
    if standing.step < ground.comparison.steps and not standing.diverged:
        for seen in train(ground, contestant, standing):
            folder.keep(key, seen, over=seen.step == ground.comparison.steps or bool(seen.diverged))
            watcher.looks(contestant, seen)
    watcher.ends(contestant, standing)
    return standing


def machine() -> str:
    """Name this machine as far as times depend on it."""
    return f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"
