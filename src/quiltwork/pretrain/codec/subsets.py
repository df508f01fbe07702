"""Which k of n: a sorted set of indices as its rank among all such sets, in ceil(log2 C(n, k)) bits.

The rank of c_1 < c_2 < ... < c_k is C(c_1, 1) + C(c_2, 2) + ... + C(c_k, k): the combinatorial number system (Lehmer; Cover,
"Enumerative source coding", 1973). Every number below C(n, k) is the rank of exactly one set, so nothing shorter of fixed
length exists, and a canonical encoding costs one comparison. Ranks outgrow 64 bits (8 of 4,096 take 81), so they are kept
as columns of 32-bit limbs, the lowest first, and all rows are computed together.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from quiltwork.pretrain.codec.base import Malformed
from quiltwork.pretrain.codec.bits import Bits

Indices = npt.NDArray[np.int64]
"""[rows, kept]: each row is a set, in rising order."""

Limbs = npt.NDArray[np.int64]
"""[limbs, ...]: numbers in base 2^32."""

MOST_WIDTH = 1 << 16
"""Of a row. The search starts from a rounded quotient, which is off by one at most while n is far below 2^48."""

MOST_BITS = 1_000
"""Of a rank: what a double can still hold when it is rounded for that search (below 2^1024)."""

MOST_TABLE_BYTES = 1 << 28
"""Of the binomials of one (n, k), 8 bytes a limb. 64 of 4,096 take 31 MiB."""

BLOCK = 1 << 13
"""Rows computed together: their columns stay in a core's cache."""

_LIMB = 32
_MASK = (1 << _LIMB) - 1
_SURELY_ABOVE = 1 + 2.0**-40
"""More than the rounding of a rank to a double, less than the distance between neighbouring binomials."""


def limits_of(width: int, kept: int) -> str:
    """Say why this choice cannot be encoded here, or nothing."""
    if not 0 < kept <= width <= MOST_WIDTH:
        return f"{kept} of {width:,} is not a choice of at least one of at most {MOST_WIDTH:,}"
    bits = (math.comb(width, kept) - 1).bit_length()
    if bits > MOST_BITS or 8 * width * kept * (bits // _LIMB + 1) > MOST_TABLE_BYTES:
        return f"which {kept} of {width:,} were chosen takes {bits:,} bits a row: make rows shorter, or keep less"
    return ""


class Subsets:
    """Ranks of sets of `kept` indices below `width`. Raises ValueError for what the limits above forbid."""

    def __init__(self, width: int, kept: int) -> None:
        if fault := limits_of(width, kept):
            raise ValueError(fault)
        self.width, self.kept = width, kept
        self.count = math.comb(width, kept)
        self.bits = (self.count - 1).bit_length()
        limbs = _limbs(self.count)
        # tables[j][:, c] = C(c, j + 1), by C(c, j) = C(0, j-1) + ... + C(c-1, j-1); no wider than the largest rank needs
        self.tables: list[Limbs] = []
        column = np.zeros((limbs, width + 1), dtype=np.int64)
        column[0] = 1
        for chosen in range(1, kept + 1):
            column = _carried(np.concatenate((np.zeros((limbs, 1), np.int64), column[:, :-1].cumsum(axis=1)), axis=1))
            self.tables.append(column[: _limbs(math.comb(width, chosen)), :width].copy())
        self.rounded = [_rounded(table) for table in self.tables]

    def encode(self, indices: Indices) -> Bits:
        """Give the rank of every row, [rows, bits]."""
        out = np.empty((len(indices), self.bits), dtype=np.uint8)
        for start in range(0, len(indices), BLOCK):
            block = indices[start : start + BLOCK]
            rank = np.zeros((_limbs(self.count), len(block)), dtype=np.int64)
            for table, chosen in zip(self.tables, block.T, strict=True):
                rank[: len(table)] += table.take(chosen, axis=1)
            out[start : start + BLOCK] = _to_bits(_carried(rank), self.bits)
        return out

    def decode(self, bits: Bits) -> Indices:
        """Undo `encode`. Raises Malformed for a number that is no set's rank."""
        out = np.empty((len(bits), self.kept), dtype=np.int64)
        for start in range(0, len(bits), BLOCK):
            rank = _from_bits(bits[start : start + BLOCK], _limbs(self.count))
            if (_minus(rank, _to_limbs(self.count))[-1] >= 0).any():
                raise Malformed(f"a row's number is not the rank of a choice of {self.kept} of {self.width}")
            for place in reversed(range(self.kept)):
                chosen, rank = self._largest_below(rank, place)
                out[start : start + BLOCK, place] = chosen
        return out

    def _largest_below(self, rank: Limbs, place: int) -> tuple[npt.NDArray[np.int64], Limbs]:
        """Give the largest c with C(c, place + 1) <= rank, and what is left of the rank; it fits the next table."""
        table = self.tables[place]
        chosen = np.searchsorted(self.rounded[place], _rounded(rank) * _SURELY_ABOVE, side="right") - 1
        left = _minus(rank, table.take(chosen, axis=1))
        above = np.flatnonzero(left[-1] < 0)  # where the rounded search went one too far
        if len(above):
            chosen[above] -= 1
            left[:, above] = _minus(rank[:, above], table.take(chosen[above], axis=1))
        return chosen, left[: len(self.tables[max(place - 1, 0)])]


@lru_cache(maxsize=64)  # a model has few different shapes of rows
def subsets(width: int, kept: int) -> Subsets:
    """Give the coder for this choice; its tables are made once."""
    return Subsets(width, kept)


def _limbs(number: int) -> int:
    return max(1, -(-number.bit_length() // _LIMB))


def _to_limbs(number: int) -> Limbs:
    return np.array([[number >> (_LIMB * i) & _MASK] for i in range(_limbs(number))], dtype=np.int64)


def _carried(sums: Limbs) -> Limbs:
    """Bring sums of limbs back below 2^32, in place."""
    for i in range(len(sums) - 1):
        sums[i + 1] += sums[i] >> _LIMB
        sums[i] &= _MASK
    return sums


def _minus(a: Limbs, b: Limbs) -> Limbs:
    """Subtract. The highest limb takes the sign."""
    return _carried(a - b)  # shifts of negative numbers round down, which is what a borrow does


def _rounded(numbers: Limbs) -> npt.NDArray[np.float64]:
    total: npt.NDArray[np.float64] = numbers[-1].astype(np.float64)
    for limb in numbers[-2::-1]:
        total *= 2.0**_LIMB
        total += limb
    return total


def _to_bits(numbers: Limbs, bits: int) -> Bits:
    octets = np.ascontiguousarray(numbers.T).astype("<u4").view(np.uint8)
    return np.unpackbits(octets, axis=1, count=bits, bitorder="little") if bits else octets[:, :0]


def _from_bits(bits: Bits, limbs: int) -> Limbs:
    octets = np.zeros((len(bits), 4 * limbs), dtype=np.uint8)
    packed = np.packbits(bits, axis=1, bitorder="little")
    octets[:, : packed.shape[1]] = packed
    return np.ascontiguousarray(octets.view("<u4").T).astype(np.int64)
