"""Chance as a function: a generator of its own for every decision of a run."""

from __future__ import annotations

import blake3
import numpy as np


def draw(seed: int, step: int, purpose: str) -> np.random.Generator:
    """Make the generator of one decision, the same on every machine and in any order of asking.

    It is Philox4x64 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011), a counter-based generator,
    keyed by 128 bits of the BLAKE3 hash of the three arguments. Two decisions that differ in one of them share nothing.
    """
    digest = blake3.blake3(f"{seed} {step} {purpose}".encode()).digest(16)
    return np.random.Generator(np.random.Philox(key=np.frombuffer(digest, dtype="<u8")))
