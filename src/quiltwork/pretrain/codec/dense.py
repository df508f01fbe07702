"""A payload of whole tensors: fp32, little-endian, one after the other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from quiltwork.pretrain.codec.base import HEADER, Kind, Malformed, frame, unframe
from quiltwork.pretrain.codec.values import Numbers

Shapes = Sequence[tuple[int, ...]]


def dense_bytes(shapes: Shapes) -> int:
    """Bytes of a payload of tensors of these shapes, header included."""
    return HEADER.size + 4 * sum(math.prod(shape) for shape in shapes)


def encode_dense(kind: Kind, tensors: Sequence[Numbers]) -> bytes:
    """Encode finite numbers. Raises ValueError for others."""
    if not all(np.isfinite(tensor).all() for tensor in tensors):
        raise ValueError("the numbers must be finite")
    return frame(kind, (tensor.astype("<f4", copy=False).tobytes() for tensor in tensors))


def decode_dense(kind: Kind, shapes: Shapes, payload: bytes) -> list[Numbers]:
    """Undo `encode_dense`, bit by bit. Raises Malformed."""
    numbers = np.frombuffer(unframe(kind, payload, dense_bytes(shapes) - HEADER.size), "<f4")
    if not np.isfinite(numbers).all():
        raise Malformed("a number is not finite")
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    parts = np.split(numbers.astype(np.float32), ends[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
