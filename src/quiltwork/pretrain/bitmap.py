"""What a witness holds, exactly: one bit for each commitment of the round.

256 commitments take 32 bytes. Psyche's Bloom filter takes 192 and is wrong for 31 % of what was not there (`bloom.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

MAX_BITS = 1 << 16
"""8 KiB in an entry; a run has at most 2,048 members."""


@dataclass(frozen=True, slots=True)
class Bitmap:
    """A set of numbers below `size`. Its bytes are canonical: number i is bit i % 8 of byte i // 8, and spare bits are 0.

    Raises ValueError for a size outside 0..MAX_BITS or bits beyond the size.
    """

    size: int
    bits: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MAX_BITS:
            raise ValueError(f"a bitmap has 0 to {MAX_BITS} bits, not {self.size}")
        if self.bits < 0 or self.bits >> self.size:
            raise ValueError(f"bits are set beyond the {self.size} of the bitmap")

    @classmethod
    def of(cls, size: int, numbers: Iterable[int]) -> Bitmap:
        """Make the set of these numbers. Raises ValueError for one outside 0..size-1."""
        bits = 0
        for number in numbers:
            if not 0 <= number < size:
                raise ValueError(f"number {number} is outside 0..{size - 1}")
            bits |= 1 << number
        return cls(size, bits)

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> Bitmap:
        """Read the canonical bytes. Raises ValueError if there are too many or too few, or if a spare bit is set."""
        if len(data) != byte_length(size):
            raise ValueError(f"{size} bits take {byte_length(size)} bytes, not {len(data)}")
        return cls(size, int.from_bytes(data, "little"))

    def to_bytes(self) -> bytes:
        """Give the canonical bytes."""
        return self.bits.to_bytes(byte_length(self.size), "little")

    def __contains__(self, number: int) -> bool:
        return 0 <= number < self.size and bool(self.bits >> number & 1)

    def __iter__(self) -> Iterator[int]:
        return (number for number in range(self.size) if self.bits >> number & 1)

    def __len__(self) -> int:
        return self.bits.bit_count()

    def __or__(self, other: Bitmap) -> Bitmap:
        """Merge two sets of the same size. Raises ValueError for another size."""
        if self.size != other.size:
            raise ValueError(f"a bitmap of {self.size} bits and one of {other.size} are of different rounds")
        return Bitmap(self.size, self.bits | other.bits)


def byte_length(size: int) -> int:
    """How many bytes so many bits take."""
    return -(-size // 8)


def tally(size: int, attestations: Sequence[Bitmap]) -> list[int]:
    """Count for each number in how many sets it is. Raises ValueError for a set of another size."""
    if any(bitmap.size != size for bitmap in attestations):
        raise ValueError(f"not all bitmaps have {size} bits")
    if not attestations or not size:
        return [0] * size
    rows = np.frombuffer(b"".join(bitmap.to_bytes() for bitmap in attestations), dtype=np.uint8)
    bits = np.unpackbits(rows.reshape(len(attestations), -1), axis=1, count=size, bitorder="little")
    counts: list[int] = bits.sum(axis=0, dtype=np.int64).tolist()
    return counts
