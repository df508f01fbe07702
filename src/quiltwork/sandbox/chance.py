"""What a program draws is a function of its seed: `random`, numpy old and new, `os.urandom`, `secrets`, `uuid4`."""

from __future__ import annotations

import os
import random
import sys
import types
from typing import Any, Final

_OTHER_STREAM: Final = 0x9E37_79B9_7F4A_7C15 << 64
"""Any constant: what stands for the kernel's entropy differs from `random`'s own stream."""

_source = random.Random()  # noqa: S311  made to be repeated
_original_seed = random.Random.seed


def tie_down() -> None:
    """In the server: whatever would ask the kernel for entropy asks a generator that `seed` sets."""
    os.urandom = _urandom
    random._urandom = _urandom  # type: ignore[attr-defined]  # secrets, SystemRandom and numpy's SeedSequence draw here
    random.Random.seed = _seed  # type: ignore[method-assign]
    random.seed = types.MethodType(_seed, random._inst)


def seed(value: int) -> None:
    """In a fork: set every generator that a program may draw from."""
    _original_seed(_source, value ^ _OTHER_STREAM)
    _original_seed(random._inst, value)
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed(value % (1 << 32))


def _urandom(size: int, /) -> bytes:
    return _source.randbytes(size)


def _seed(self: random.Random, a: Any = None, version: int = 2) -> None:
    _original_seed(self, _source.getrandbits(128) if a is None else a, version)
