"""From the number of a sequence to its tokens: at any place, in any order, on any machine the same.

    id -> mixture: which source, which of its draws -> permutation of that epoch -> window of a file -> tokens

Nothing is kept between calls, so members need to tell each other nothing but numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

import numpy as np
import torch
from blake3 import blake3
from numpy.typing import NDArray

from quiltwork.pretrain.data.mixture import schedule
from quiltwork.pretrain.data.permutation import permuted
from quiltwork.pretrain.data.tokens import DataError, TokenFile, Tokens

SAMPLES = 16
"""Sequences of each source that a fingerprint covers: enough that another text is noticed, few enough to fetch."""

READERS = 8
"""Requests to web servers at once: a unit's sequences come in one round trip rather than in as many as it has."""


class Dataset(Protocol):
    """What trainers and auditors see of data."""

    sequence_length: int
    vocabulary: int
    """Every token is below."""

    def __len__(self) -> int:
        """How many sequences there are before one comes again; ids may go on beyond."""

    def batch(self, ids: Sequence[int]) -> torch.Tensor:
        """Give sequences by number, from 0: int64 [len(ids), sequence_length + 1]. Raises DataError."""

    def fingerprint(self) -> bytes:
        """Give 32 bytes that are equal for members who have the same data. Raises DataError."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sequence comes from: which window of which file, in which epoch of its source."""

    source: str
    epoch: int
    file: str
    start: int
    """The first token's number in the file."""


class Source:
    """Token files as one row of windows that do not overlap but for the token that one predicts and the next one reads."""

    def __init__(self, name: str, files: Sequence[TokenFile], length: int) -> None:
        self.name, self.files, self.length = name, tuple(files), length
        self.vocabulary = max(file.layout.vocabulary for file in files)
        self._ends = np.array(
            list(accumulate(max(0, file.layout.count - 1) // length for file in files)), dtype=np.int64
        )
        self.sequences = int(self._ends[-1])
        if not self.sequences:
            raise DataError(
                f"data source {self.name}: none of its {len(files)} files has the {length + 1} tokens of one sequence "
                f"(the first is {files[0].name})"
            )

    def window(self, index: int) -> tuple[TokenFile, int]:
        """Give the file of a sequence, and its first token's number there."""
        number = int(np.searchsorted(self._ends, index, side="right"))
        before = int(self._ends[number - 1]) if number else 0
        return self.files[number], (index - before) * self.length

    def read(self, index: int) -> Tokens:
        """Give a sequence's tokens. Raises DataError."""
        file, start = self.window(index)
        tokens = file.read(start, start + self.length + 1)
        if int(tokens.max()) >= file.layout.vocabulary:
            raise DataError(
                f"{file.name} holds token {tokens.max()} near its token {start:,}, and its vocabulary ends before "
                f"{file.layout.vocabulary}; is dtype right?"
            )
        return tokens


class Mixture:
    """A dataset of weighted sources, without end. No sequence of a source comes again before all of them have come."""

    def __init__(self, sources: Sequence[Source], weights: Sequence[float], seed: int, *, readers: int = 1) -> None:
        self._sources, self._seed, self._readers = tuple(sources), seed, readers
        self._schedule = schedule(weights)
        self.sequence_length = sources[0].length
        self.vocabulary = max(source.vocabulary for source in sources)

    def __len__(self) -> int:
        """See Dataset. With several sources, the first of them to run out counts."""
        period, parts = self._schedule.period, self._schedule.parts
        return min(
            whole * period + int(np.flatnonzero(self._schedule.order == number)[rest])
            for number, source in enumerate(self._sources)
            for whole, rest in [divmod(source.sequences, parts[number])]
        )

    def epochs(self, sequences: int) -> dict[str, float]:
        """Say how often each source will have been gone through after so many sequences of the mixture."""
        counts = self._schedule.counts(sequences)
        return {source.name: count / source.sequences for source, count in zip(self._sources, counts, strict=True)}

    def shares(self) -> dict[str, float]:
        """Say what part of the sequences comes from each source, as it is drawn."""
        counts = self._schedule.parts
        return {source.name: count / sum(counts) for source, count in zip(self._sources, counts, strict=True)}

    def batch(self, ids: Sequence[int]) -> torch.Tensor:
        """See Dataset."""
        wanted = [(self._sources[source], index) for source, _, index in self._drawn(ids)]
        out = np.empty((len(wanted), self.sequence_length + 1), dtype=np.int64)
        if self._readers == 1:
            for row, (source, index) in enumerate(wanted):
                out[row] = source.read(index)
        else:
            with ThreadPoolExecutor(self._readers) as pool:
                for row, tokens in enumerate(pool.map(lambda each: each[0].read(each[1]), wanted)):
                    out[row] = tokens
        return torch.from_numpy(out)

    def places(self, ids: Sequence[int]) -> list[Place]:
        """Say where sequences come from: for who asks what a model was trained on."""
        found = []
        for number, epoch, index in self._drawn(ids):
            file, start = self._sources[number].window(index)
            found.append(Place(self._sources[number].name, epoch, file.name, start))
        return found

    def fingerprint(self) -> bytes:
        """See Dataset. It covers shares, seed, names, all lengths, and some sequences of each source, but no paths."""
        total = blake3(f"quiltwork.data/1\n{self.sequence_length}\n{self._seed}\n{self._schedule.parts}\n".encode())
        for source in self._sources:
            lengths = [(file.layout.width, file.layout.count, file.layout.vocabulary) for file in source.files]
            total.update(f"{source.name}\n{lengths}\n".encode())
            for place in permuted(np.arange(min(SAMPLES, source.sequences)), source.sequences, b"fingerprint"):
                total.update(source.read(int(place)).astype("<u4").tobytes())
        return total.digest()

    def _drawn(self, ids: Sequence[int]) -> list[tuple[int, int, int]]:
        """Give source, epoch and sequence there of each id."""
        draws = np.asarray(ids, dtype=np.int64).reshape(-1)
        if draws.size and draws.min() < 0:
            raise ValueError(f"sequence {draws.min()}: ids count from 0")
        numbers, nth = self._schedule.locate(draws)
        sequences = np.array([source.sequences for source in self._sources], dtype=np.int64)[numbers]
        epochs, place = np.divmod(nth, sequences)
        index = np.empty_like(place)
        for number, epoch in np.unique(np.stack([numbers, epochs], axis=1), axis=0):
            here = (numbers == number) & (epochs == epoch)
            index[here] = self._order(int(number), int(epoch), place[here])
        return list(zip(numbers.tolist(), epochs.tolist(), index.tolist(), strict=True))

    def _order(self, number: int, epoch: int, place: NDArray[np.int64]) -> NDArray[np.int64]:
        source = self._sources[number]
        return permuted(place, source.sequences, f"quiltwork.epoch/1\n{self._seed}\n{source.name}\n{epoch}".encode())
