"""Rows of bits, packed without gaps; only the end of a matrix is filled up to a whole byte, with zeros."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from quiltwork.pretrain.codec.base import Malformed

Bits = npt.NDArray[np.uint8]
"""[rows, width], each 0 or 1; the least significant first where they are a number."""


def packed_bytes(rows: int, width: int) -> int:
    """How many bytes `pack` gives for such a matrix."""
    return (rows * width + 7) // 8


def pack(bits: Bits) -> bytes:
    """Pack a matrix of bits, row after row."""
    return np.packbits(bits.reshape(-1), bitorder="little").tobytes()


def unpack(data: memoryview, rows: int, width: int) -> Bits:
    """Undo `pack`. `data` has `packed_bytes(rows, width)` bytes. Raises Malformed if the filling is not zero."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    if bits[rows * width :].any():
        raise Malformed("the bits after the last row are not zero")
    return bits[: rows * width].reshape(rows, width)
