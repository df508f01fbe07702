"""The first parameters of a model: equal seeds give equal bits on every machine, with any number of threads.

So members of a run need not send the first model to each other. A tensor's bits come from Philox 4x64 (Salmon et al., 2011),
keyed by seed and name. Four 16-bit numbers are summed into one that is almost normal (Irwin-Hall, n = 4; it ends at 3.46
standard deviations, and so has no stragglers). All of that is whole numbers but one fp32 product: nothing is left to a
mathematical library.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from blake3 import blake3

BLOCK = 1 << 20
"""Numbers drawn at once: 8 MiB of bits, whatever the tensor's size."""

_MEAN = 4 * (2**16 - 1) // 2
_STD = math.sqrt(4 * (2**32 - 1) / 12)


def normal(seed: int, name: str, shape: tuple[int, ...], std: float) -> npt.NDArray[np.float32]:
    """Draw a tensor with mean 0 and this standard deviation."""
    key = np.frombuffer(blake3(f"quiltwork.initial/1\n{seed}\n{name}".encode()).digest(length=16), dtype="<u8")
    bits = np.random.Philox(key=key)
    out = np.empty(math.prod(shape), dtype=np.float32)
    scale = np.float32(std / _STD)
    for start in range(0, out.size, BLOCK):
        piece = out[start : start + BLOCK]
        raw = bits.random_raw(piece.size).view(np.uint16).reshape(piece.size, 4)
        piece[:] = raw.sum(axis=1, dtype=np.int32) - np.int32(_MEAN)
        piece *= scale
    return out.reshape(shape)
