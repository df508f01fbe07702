"""Chance that nobody chooses: every member committed to its part before it could know what the part would be used for.

A member joins with the end of a hash chain (Lamport, "Password authentication with insecure communication", 1981): its
*anchor*. Each reveal is the preimage of the one before, so it has no choice of what to reveal next, and anybody can check
it with one hash. The reveals of a round, in the order of the members, are hashed into the seed of the next.

What the last to reveal can do: it knows the seed with and without its own part, and may withhold it. That is one bit: one
choice between two seeds, neither of which it made. An event that has probability p under a seed nobody chose has at most
2 p then, and at most 2^k p if k conspirators reveal last. It is tolerable here, because
- a reveal stands in the same entry as the attestation that a witness owes: who withholds one withholds the other, and all can
  see it;
- the withheld value is owed still: it is the preimage of what was revealed last, so withholding buys no fresh dice;
- what is drawn is drawn again every round: with the bit an audit of probability a is escaped unless both seeds draw it (a^2
  in place of a), but only in the rounds in which one is a witness, reveals last and fails its duty in public.
A verifiable delay function would take the bit away, at the price of a machine that computes without pause.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import isqrt

from blake3 import blake3

HASH_BYTES = 32

MAX_LENGTH = 1 << 20
"""Reveals in one chain: it takes about two seconds to make, and lasts 12 days of one round a second. Then one joins again."""

_LINK = "quiltwork.pretrain/1 beacon link"
_SECRET = "quiltwork.pretrain/1 beacon secret"  # noqa: S105 (the name of a purpose)
_SEED = "quiltwork.pretrain/1 round seed"


class Onion:
    """A chain of `length` reveals below an anchor, grown from a secret of 32 bytes that nobody else knows.

    Keeps about 2 sqrt(length) hashes: every stride-th link, and the links of the stride that was asked for last. Revealing in
    order costs two hashes each in the mean. Raises ValueError for another secret or a length outside 1..MAX_LENGTH.
    """

    def __init__(self, secret: bytes, length: int) -> None:
        if len(secret) != HASH_BYTES:
            raise ValueError(f"a secret has {HASH_BYTES} bytes, not {len(secret)}")
        if not 1 <= length <= MAX_LENGTH:
            raise ValueError(f"a chain has 1 to {MAX_LENGTH} reveals, not {length}")
        self.length = length
        self._stride = isqrt(length - 1) + 1
        self._kept: dict[int, bytes] = {}
        link = blake3(secret, derive_key_context=_SECRET).digest()
        for number in range(length, 0, -1):
            if number % self._stride == 0 or number == length:
                self._kept[number] = link
            link = _under(link)
        self.anchor = link
        self._segment: dict[int, bytes] = {}

    def __repr__(self) -> str:
        return f"Onion({self.length} reveals, anchor {self.anchor[:4].hex()})"

    def reveal(self, number: int) -> bytes:
        """Give the reveal with this number, 1 to `length`, in the order in which they are made public. IndexError outside."""
        if not 1 <= number <= self.length:
            raise IndexError(f"reveal {number} of {self.length}: the chain is used up, or was not begun")
        if number not in self._segment:
            above = min(-(-number // self._stride) * self._stride, self.length)
            link = self._kept[above]
            self._segment = {}
            for place in range(above, number - 1, -1):
                self._segment[place] = link
                link = _under(link)
        return self._segment[number]


def check(previous: bytes, reveal: bytes) -> bool:
    """Tell whether `reveal` is what the author of `previous` (its last reveal, or its anchor) had to reveal next."""
    return len(reveal) == HASH_BYTES and _under(reveal) == previous


def next_seed(previous: bytes, reveals: Iterable[bytes]) -> bytes:
    """Make the next seed: BLAKE3 of the previous one and the reveals in the order of the members. Who is missing is left out.

    Without any reveal the next seed is still another, but everybody could foresee it. Raises ValueError for parts that do not
    have 32 bytes, with which two lists of reveals could give the same seed.
    """
    parts = [previous, *reveals]
    if any(len(part) != HASH_BYTES for part in parts):
        raise ValueError(f"seeds and reveals have {HASH_BYTES} bytes")
    return blake3(b"".join(parts), derive_key_context=_SEED).digest()


def _under(link: bytes) -> bytes:
    return blake3(link, derive_key_context=_LINK).digest()
