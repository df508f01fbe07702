"""Text to train on that is there without a download, as bytes, split into what is trained on and what is held out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from quiltwork.pretrain.data.tokens import ArrayFile, DataError

BLOCK_BYTES = 1 << 16
HELD_OUT_EVERY = 20
"""Every 20th block of 64 KiB is held out: 5 %, spread over the text, in pieces too long to be neighbours' echoes."""

VOCABULARY = 256
_TESTS = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__"}


def corpus(name: str, part: str) -> ArrayFile:
    """Give the "train" or "held_out" part of the corpus "python" or "bible". Raises DataError where it is not installed."""
    text = np.frombuffer(python_sources() if name == "python" else bible(), dtype=np.uint8)
    blocks = (text[start : start + BLOCK_BYTES] for start in range(0, len(text), BLOCK_BYTES))
    chosen = [
        block
        for number, block in enumerate(blocks)
        if (number % HELD_OUT_EVERY == HELD_OUT_EVERY - 1) == (part == "held_out")
    ]
    return ArrayFile(f"corpus {name} ({part})", np.concatenate([text[:0], *chosen]), VOCABULARY)


@cache
def python_sources() -> bytes:
    """The standard library of this Python without its tests, files in order of their paths, a zero after each.

    Another version of Python has another text; members see that by the fingerprint of their data.
    """
    root = Path(sysconfig.get_paths()["stdlib"])
    text = b"".join(file.read_bytes() + b"\0" for file in sorted(_sources(root)))
    if not text:
        raise DataError(f"corpus 'python': there are no sources in {root}; some systems leave them out")
    return text


def _sources(root: Path) -> Iterator[Path]:
    """Below `root`, but not in `_TESTS`: what else is installed there may be twenty times as much, and takes time to list."""
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if name not in _TESTS]
        yield from (Path(folder, file) for file in files if file.endswith(".py"))


@cache
def bible() -> bytes:
    """The King James Version, as Debian's `bible-kjv` prints it, one verse a line."""
    command = shutil.which("bible")
    if command is None:
        raise DataError("corpus 'bible': the command `bible` is not here. Install it: apt install bible-kjv")
    done = subprocess.run([command, "-f", "gen1:1-rev22:21"], capture_output=True, timeout=60, check=False)  # noqa: S603
    if done.returncode or not done.stdout:
        raise DataError(f"corpus 'bible': {command} failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
