"""What was sent at the chosen places, [rows, kept] fp32: signs, signs with two levels, or the numbers themselves."""

from __future__ import annotations

import struct
from typing import Protocol

import numpy as np
import numpy.typing as npt

from quiltwork.pretrain.codec.base import Malformed
from quiltwork.pretrain.codec.bits import pack, packed_bytes, unpack

Numbers = npt.NDArray[np.float32]


class Values(Protocol):
    """A coding of the values of one tensor."""

    def size(self, rows: int, kept: int) -> int:
        """How many bytes they take; it depends on nothing else."""

    def write(self, values: Numbers) -> bytes:
        """Encode. Raises ValueError for values that this coding cannot hold exactly."""

    def read(self, data: memoryview, rows: int, kept: int) -> Numbers:
        """Decode `size(rows, kept)` bytes. Raises Malformed for what `write` never gives."""


class Signs:
    """+1 or -1, one bit each."""

    def size(self, rows: int, kept: int) -> int:
        """One bit a value."""
        return packed_bytes(rows, kept)

    def write(self, values: Numbers) -> bytes:
        """Encode +1 as 0 and -1 as 1."""
        if not (np.abs(values) == 1).all():
            raise ValueError("signs are +1 or -1")
        return pack((values < 0).astype(np.uint8))

    def read(self, data: memoryview, rows: int, kept: int) -> Numbers:
        """Decode."""
        return np.float32(1) - np.float32(2) * unpack(data, rows, kept)


class TwoLevels:
    """Two bits each: a sign, and which of the tensor's two magnitudes, which stand before (SparseLoCo, arXiv 2508.15706)."""

    levels = struct.Struct("<ff")

    def size(self, rows: int, kept: int) -> int:
        """Two bits a value and eight bytes a tensor."""
        return self.levels.size + packed_bytes(rows, 2 * kept)

    def write(self, values: Numbers) -> bytes:
        """Encode values that have at most two magnitudes, all finite."""
        magnitudes = np.abs(values)
        low, high = magnitudes.min(), magnitudes.max()
        upper = magnitudes > low
        if not np.isfinite(high) or not (magnitudes[upper] == high).all():
            raise ValueError("the values must be finite and of at most two magnitudes")
        return self.levels.pack(low, high) + pack(np.concatenate((values < 0, upper), axis=1).astype(np.uint8))

    def read(self, data: memoryview, rows: int, kept: int) -> Numbers:
        """Decode. Each level that is named is used, and zero has no sign: otherwise one update had several encodings."""
        low, high = self.levels.unpack_from(data)
        if np.signbit(low) or not low <= high < np.inf:
            raise Malformed(f"{low:g} and {high:g} are not two levels")
        bits = unpack(data[self.levels.size :], rows, 2 * kept)
        negative, upper = bits[:, :kept] != 0, bits[:, kept:] != 0
        if upper.any() != (low < high) or upper.all():
            raise Malformed("a level stands there that no value has")
        if low == 0 and (negative & ~upper).any():
            raise Malformed("a zero with a sign")
        magnitudes = np.where(upper, np.float32(high), np.float32(low))
        return np.where(negative, -magnitudes, magnitudes)


class Floats:
    """fp32 as they are, little-endian."""

    def size(self, rows: int, kept: int) -> int:
        """Four bytes a value."""
        return 4 * rows * kept

    def write(self, values: Numbers) -> bytes:
        """Encode finite numbers."""
        if not np.isfinite(values).all():
            raise ValueError("the values must be finite")
        return values.astype("<f4").tobytes()

    def read(self, data: memoryview, rows: int, kept: int) -> Numbers:
        """Decode; the array is the caller's own."""
        values = np.frombuffer(data, "<f4").astype(np.float32).reshape(rows, kept)
        if not np.isfinite(values).all():
            raise Malformed("a value is not finite")
        return values
