"""A payload of sparse tensors: the chosen places of all of them, then the values there.

Tensors whose rows are alike (equally wide, equally many kept) are coded together, as one matrix of places: in the order in
which such rows first appear, and within it in the order of the tensors. Values follow tensor by tensor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from quiltwork.pretrain.codec.base import HEADER, Kind, frame, unframe
from quiltwork.pretrain.codec.bits import pack, packed_bytes, unpack
from quiltwork.pretrain.codec.subsets import Indices, Subsets, subsets
from quiltwork.pretrain.codec.values import Numbers, Values


@dataclass(frozen=True)
class Rows:
    """A tensor laid out as rows of `width` numbers, of which `kept` are sent. It follows from the tensor's shape."""

    rows: int
    width: int
    kept: int


@dataclass(frozen=True)
class Sparse:
    """What is sent of one tensor: [rows, kept] places in rising order, and the values there."""

    indices: Indices
    values: Numbers


Layout = Sequence[Rows]


@dataclass(frozen=True)
class SparseCodec:
    """Encodes tensors of known layout with one coding of values."""

    kind: Kind
    values: Values

    def size(self, layout: Layout) -> int:
        """Bytes of a payload, header included: the same for every update."""
        places = sum(packed_bytes(count, choice.bits) for choice, count, _ in _alike(layout))
        return HEADER.size + places + sum(self.values.size(rows.rows, rows.kept) for rows in layout)

    def encode(self, layout: Layout, tensors: Sequence[Sparse]) -> bytes:
        """Encode. Raises ValueError for tensors that do not fit the layout, or values that the coding cannot hold."""
        for rows, sent in zip(layout, tensors, strict=True):
            _check(rows, sent)
        parts = [
            pack(choice.encode(np.concatenate([tensors[number].indices for number in numbers])))
            for choice, _, numbers in _alike(layout)
        ]
        return frame(self.kind, parts + [self.values.write(sent.values) for sent in tensors])

    def decode(self, layout: Layout, payload: bytes) -> list[Sparse]:
        """Undo `encode`, exactly. Raises Malformed for what it never gives; memory is a small multiple of an update's."""
        body = unframe(self.kind, payload, self.size(layout) - HEADER.size)
        places: dict[int, Indices] = {}
        for choice, count, numbers in _alike(layout):
            size = packed_bytes(count, choice.bits)
            indices = choice.decode(unpack(body[:size], count, choice.bits))
            ends = np.cumsum([layout[number].rows for number in numbers])
            places.update(zip(numbers, np.split(indices, ends[:-1]), strict=True))
            body = body[size:]
        tensors = []
        for number, rows in enumerate(layout):
            size = self.values.size(rows.rows, rows.kept)
            tensors.append(Sparse(places[number], self.values.read(body[:size], rows.rows, rows.kept)))
            body = body[size:]
        return tensors


def _alike(layout: Layout) -> Iterator[tuple[Subsets, int, list[int]]]:
    """Give each kind of row: its coder, how many rows there are, and the numbers of the tensors that have them."""
    groups: dict[tuple[int, int], list[int]] = {}
    for number, rows in enumerate(layout):
        groups.setdefault((rows.width, rows.kept), []).append(number)
    for (width, kept), numbers in groups.items():
        yield subsets(width, kept), sum(layout[number].rows for number in numbers), numbers


def _check(rows: Rows, sent: Sparse) -> None:
    if sent.indices.shape != (rows.rows, rows.kept) or sent.values.shape != sent.indices.shape:
        raise ValueError(f"{sent.indices.shape} places and {sent.values.shape} values do not fit {rows}")
    low, high = sent.indices[:, 0], sent.indices[:, -1]
    if (low < 0).any() or (high >= rows.width).any() or (np.diff(sent.indices, axis=1) <= 0).any():
        raise ValueError(f"places must rise, from 0 to {rows.width - 1}")
