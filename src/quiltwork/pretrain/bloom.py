"""Bloom filters of the right size, for those who want Psyche's way of attesting.

A filter (Bloom, "Space/time trade-offs in hash coding with allowable errors", 1970) answers "is it in the set?" with no false
negatives, and false positives at a rate p that its size decides: for n items, about m = -n ln p / (ln 2)^2 bits and k = (m /
n) ln 2 hashes are the least. Psyche computes that m and then ignores it: its filters always have 1,024 bits and 8 hashes,
which keeps 1 % up to 105 items and gives 31 % at 256.

At 1 % a filter takes 9.6 bits for an item and the exact `bitmap` takes one. So the bitmap is what a run uses; a filter is
worth its errors only where nobody can number the items.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from blake3 import blake3

MAX_BITS = 1 << 23
"""1 MiB, the most that an entry of the log can carry: 875,000 items at 1 %."""

MAX_HASHES = 64
"""What a false-positive rate of 2^-64 would take."""

_ITEM = "quiltwork.pretrain/1 bloom item"


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of a filter. Raises ValueError outside 1..MAX_BITS bits or 1..MAX_HASHES hashes."""

    bits: int
    hashes: int

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= MAX_BITS or not 1 <= self.hashes <= MAX_HASHES:
            raise ValueError(
                f"a filter has 1 to {MAX_BITS} bits and 1 to {MAX_HASHES} hashes, not {self.bits} and {self.hashes}"
            )

    @classmethod
    def for_items(cls, items: int, rate: float) -> Shape:
        """Choose the least size at which so many items (at least 1) give no more than this rate of false positives, 0 to 1.

        Raises ValueError for other arguments, or if it would be above the limits.
        """
        if items < 1 or not 0 < rate < 1:
            raise ValueError(
                f"no filter has {items} items and a false-positive rate of {rate:g}: 1 or more, between 0 and 1"
            )
        # From (1 - (1 - 1/m)^(k n))^k = p, see `false_positive_rate`: the bits for each number of hashes, and the fewest.
        bits, hashes = min(
            (math.ceil(-1 / math.expm1(math.log1p(-(rate ** (1 / k))) / (k * items))), k)
            for k in range(1, MAX_HASHES + 1)
        )
        return cls(bits, hashes)

    def false_positive_rate(self, items: int) -> float:
        """Expect this share of the absent to be called present, once so many items are in.

        (1 - (1 - 1/m)^(k n))^k: the chance that k random bits are all set. It takes the bits for independent, which is slightly
        too low for small filters (Bose et al., "On the false-positive rate of Bloom filters", 2008).
        """
        clear = (1 - 1 / self.bits) ** (self.hashes * items)
        return float((1 - clear) ** self.hashes)


PSYCHE = Shape(bits=1024, hashes=8)
"""What Psyche has for any number of clients (`Bloom<16, 8>`)."""


@dataclass(frozen=True, slots=True)
class Bloom:
    """A set of byte strings that sometimes claims more than it holds. Bits are kept as one whole number."""

    shape: Shape
    bits: int = 0

    @classmethod
    def of(cls, shape: Shape, items: Iterable[bytes]) -> Bloom:
        """Make the filter of these items."""
        bits = 0
        for item in items:
            bits |= _mask(shape, item)
        return cls(shape, bits)

    @classmethod
    def from_bytes(cls, shape: Shape, data: bytes) -> Bloom:
        """Read a filter of a known shape. Raises ValueError if the length is not its own, or if a spare bit is set."""
        bits = int.from_bytes(data, "little")
        if len(data) != -(-shape.bits // 8) or bits >> shape.bits:
            raise ValueError(f"{len(data)} bytes are no filter of {shape.bits} bits")
        return cls(shape, bits)

    def to_bytes(self) -> bytes:
        """Give the bits, number i being bit i % 8 of byte i // 8."""
        return self.bits.to_bytes(-(-self.shape.bits // 8), "little")

    def __contains__(self, item: bytes) -> bool:
        mask = _mask(self.shape, item)
        return self.bits & mask == mask

    def __or__(self, other: Bloom) -> Bloom:
        """Merge two filters of the same shape. Raises ValueError for another shape."""
        if self.shape != other.shape:
            raise ValueError(f"filters of different shapes cannot be merged: {self.shape} and {other.shape}")
        return Bloom(self.shape, self.bits | other.bits)


def _mask(shape: Shape, item: bytes) -> int:
    """The bits of an item: 64 bits of BLAKE3 for each hash, so that they are as independent as the formula wants."""
    drawn = blake3(item, derive_key_context=_ITEM).digest(8 * shape.hashes)
    mask = 0
    for start in range(0, len(drawn), 8):
        mask |= 1 << int.from_bytes(drawn[start : start + 8], "little") % shape.bits
    return mask
