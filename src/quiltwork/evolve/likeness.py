"""Novelty by meaning: programs placed by a small local embedder, and refused when they lie too close to a known one.

Only what models and agents write is placed: the classical operators make small edits on purpose, and what they repeat
exactly is found by the normal form of the program.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from quiltwork.blobs import BlobStore
from quiltwork.evolve.program import Program, blocks, line_starts
from quiltwork.evolve.state import State

if TYPE_CHECKING:
    from quiltwork.models.embed import Embedder


def place(payload: Mapping[str, Any]) -> dict[str, Any]:
    """In a worker: the unit vector of a program's blocks, as float32 bytes, with the processor seconds it took."""
    started = time.process_time()
    vector = _embedder(payload["embedder"]).embed([payload["text"]])[0]
    return {"vector": vector.astype("<f4").tobytes(), "cpu_s": time.process_time() - started}


@cache
def _embedder(name: str) -> Embedder:
    from quiltwork.models.embed import open_embedder

    return open_embedder(name)


def text_of(program: Program) -> str:
    """What may change in a program: the rest is the same in all."""
    parts = []
    for block in blocks(program):
        text = program.files[block.path]
        starts = line_starts(text)
        parts.append(text[starts[block.first - 1] : starts[block.last]])
    return "\n".join(parts)


class Neighbourhood:
    """The vectors of a run's members that passed, by step."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._steps: list[int] = []
        self._vectors: list[NDArray[np.float32]] = []
        self._looked_at = 0

    def nearest(self, state: State, vector: bytes, *, before: int) -> tuple[int, float] | None:
        """The most similar member of a step below `before`, with the cosine; None where there is none yet.

        A step is compared with what had been committed when it was planned, so that the answer never depends on timing.
        """
        self._catch_up(state)
        count = int(np.searchsorted(self._steps, before))
        if not count:
            return None
        cosines = np.stack(self._vectors[:count]) @ np.frombuffer(vector, "<f4")
        best = int(np.argmax(cosines))
        return self._steps[best], float(cosines[best])

    def _catch_up(self, state: State) -> None:
        for step in range(self._looked_at, state.committed):
            member = state.members[step]
            if member.embedding is not None and member.fitness is not None:
                self._steps.append(step)
                self._vectors.append(np.frombuffer(self._blobs.get(member.embedding), "<f4"))
        self._looked_at = state.committed
