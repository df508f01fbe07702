"""A payload of sparse tensors: for each tensor the chosen places of all its rows, then the values there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quiltwork.pretrain.codec.base import HEADER, Kind, Malformed, frame, unframe
from quiltwork.pretrain.codec.bits import pack, packed_bytes, unpack
from quiltwork.pretrain.codec.subsets import Indices, subsets
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


@dataclass(frozen=True)
class SparseCodec:
    """Encodes tensors of known layout with one coding of values."""

    kind: Kind
    values: Values

    def size(self, layout: Sequence[Rows]) -> int:
        """Bytes of a payload, header included: the same for every update."""
        return HEADER.size + sum(self._sizes(rows)[0] + self._sizes(rows)[1] for rows in layout)

    def encode(self, layout: Sequence[Rows], tensors: Sequence[Sparse]) -> bytes:
        """Encode. Raises ValueError for tensors that do not fit the layout, or values that the coding cannot hold."""
        return frame(
            self.kind, (part for rows, sent in zip(layout, tensors, strict=True) for part in self._write(rows, sent))
        )

    def decode(self, layout: Sequence[Rows], payload: bytes) -> list[Sparse]:
        """Undo `encode`, exactly. Raises Malformed for what it never gives; memory is a small multiple of an update's."""
        body = unframe(self.kind, payload, self.size(layout) - HEADER.size)
        tensors, start = [], 0
        for number, rows in enumerate(layout):
            sizes = self._sizes(rows)
            try:
                choice = subsets(rows.width, rows.kept)
                indices = choice.decode(unpack(body[start : start + sizes[0]], rows.rows, choice.bits))
                values = self.values.read(body[start + sizes[0] : start + sum(sizes)], rows.rows, rows.kept)
            except Malformed as fault:
                raise Malformed(f"tensor {number}: {fault}") from fault
            tensors.append(Sparse(indices, values))
            start += sum(sizes)
        return tensors

    def _sizes(self, rows: Rows) -> tuple[int, int]:
        places = packed_bytes(rows.rows, subsets(rows.width, rows.kept).bits)
        return places, self.values.size(rows.rows, rows.kept)

    def _write(self, rows: Rows, sent: Sparse) -> tuple[bytes, bytes]:
        if sent.indices.shape != (rows.rows, rows.kept) or sent.values.shape != sent.indices.shape:
            raise ValueError(f"{sent.indices.shape} places and {sent.values.shape} values do not fit {rows}")
        low, high = sent.indices[:, 0], sent.indices[:, -1]
        if (low < 0).any() or (high >= rows.width).any() or (np.diff(sent.indices, axis=1) <= 0).any():
            raise ValueError(f"places must rise, from 0 to {rows.width - 1}")
        return pack(subsets(rows.width, rows.kept).encode(sent.indices)), self.values.write(sent.values)
