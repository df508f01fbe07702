"""Data sets to test with: tokens that tell where they are from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quiltwork.pretrain.data.dataset import Mixture, Source
from quiltwork.pretrain.data.tokens import ArrayFile

LENGTH = 4


def counting(name: str, counts: Sequence[int], first: int = 0, length: int = LENGTH) -> Source:
    """Files in memory, with so many tokens each, that count from `first` on: a sequence is known by its first token."""
    starts = np.cumsum([first, *counts[:-1]])
    files = [
        ArrayFile(f"{name}/{number}", np.arange(start, start + count, dtype=np.uint32), 2**32)
        for number, (start, count) in enumerate(zip(starts.tolist(), counts, strict=True))
    ]
    return Source(name, files, length)


def mixed(*sources: Source, weights: Sequence[float] | None = None, seed: int = 0) -> Mixture:
    return Mixture(sources, weights or [1.0] * len(sources), seed)
