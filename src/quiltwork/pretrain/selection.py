"""Who does what in a round: a public function of the round's seed, so that anybody can check that the right ones act.

Committee and witnesses are those of Psyche (`committee_selection.rs`): every member's index is sent through a keyed
permutation, and the place where it lands decides. The permutation is the swap-or-not shuffle (Hoang, Morris and Rogaway,
"An enciphering scheme based on a card shuffle", CRYPTO 2012) as Ethereum's `compute_shuffled_index` has it: a single index
can be followed without shuffling the rest. Seeds are Psyche's (a whole number below 2^64) or the 32 bytes of our beacon.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import TypeVar

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

T = TypeVar("T")

SHUFFLE_ROUNDS = 90
"""Ethereum's SHUFFLE_ROUND_COUNT."""

MAX_SHUFFLED = 1 << 16
"""Of a whole list at once: it takes 90 rounds x 16 bytes for every element, here 94 MB, and no run has so many members."""

MAX_WITNESSES = 32
"""Psyche's SOLANA_MAX_NUM_WITNESSES: how many there are where the configuration says 0."""

_BITS_PER_HASH = 256
_WORD = (1 << 64) - 1
_LCG_FACTOR, _LCG_STEP = 6364136223846793005, 1442695040888963407  # Knuth's MMIX


def shuffled_index(index: int, count: int, seed: bytes) -> int:
    """Follow one index of 0..count-1 through the swap-or-not shuffle. Raises ValueError for an index outside."""
    if not 0 <= index < count:
        raise ValueError(f"index {index} is outside 0..{count - 1}")
    for key in _round_keys(seed):
        flip = (_pivot(key, count) - index) % count
        decides = max(index, flip)
        byte = _source(key, decides // _BITS_PER_HASH)[decides % _BITS_PER_HASH // 8]
        if byte >> decides % 8 & 1:
            index = flip
    return index


def shuffled_indices(count: int, seed: bytes) -> NDArray[np.int64]:
    """Follow all of 0..count-1 at once: element i is `shuffled_index(i, count, seed)`.

    Every round swaps pairs, whoever asks; so the rounds are laid out as arrays [90, count] and then followed one by one.
    Raises ValueError for a count outside 0..MAX_SHUFFLED.
    """
    if not 0 <= count <= MAX_SHUFFLED:
        raise ValueError(f"a list of {count} cannot be shuffled at once: 0 to {MAX_SHUFFLED}")
    places = np.arange(count, dtype=np.int64)
    if count < 2:
        return places
    keys = _round_keys(seed)
    blocks = range(-(-count // _BITS_PER_HASH))
    bits = _bits(b"".join(_source(key, block) for key in keys for block in blocks)).reshape(SHUFFLE_ROUNDS, -1)
    flips = np.array([[_pivot(key, count)] for key in keys], dtype=np.int64) - places
    flips[flips < 0] += count
    swaps = np.take_along_axis(bits, np.maximum(places, flips), axis=1)
    rounds = np.where(swaps, flips, places)
    for sent_to in rounds:
        places = sent_to[places]
    return places


def _round_keys(seed: bytes) -> list[bytes]:
    return [seed + bytes((number,)) for number in range(SHUFFLE_ROUNDS)]


def _pivot(key: bytes, count: int) -> int:
    return int.from_bytes(sha256(key).digest()[:8], "little") % count


def _source(key: bytes, block: int) -> bytes:
    """The hash whose bits decide for the 256 places from 256 x block on."""
    return sha256(key + block.to_bytes(4, "little")).digest()


def _bits(source: bytes) -> NDArray[np.uint8]:
    return np.unpackbits(np.frombuffer(source, dtype=np.uint8), bitorder="little")


def fisher_yates(items: Sequence[T], seed: int) -> list[T]:
    """Shuffle as Psyche's data assignment does (`deterministic_shuffle.rs`): Fisher-Yates from the end, by an LCG.

    Only for comparison with Psyche: the low bits of a linear congruential generator have short periods, and the seed has
    64 bits. `permutation` is ours.
    """
    shuffled, state = list(items), seed & _WORD
    for last in range(len(shuffled) - 1, 0, -1):
        state = (state * _LCG_FACTOR + _LCG_STEP) & _WORD
        other = state % (last + 1)
        shuffled[last], shuffled[other] = shuffled[other], shuffled[last]
    return shuffled


def permutation(count: int, seed: bytes, purpose: str) -> NDArray[np.int64]:
    """Draw an order of 0..count-1 that nobody chose: sorted by 64 bits each of BLAKE3(purpose, seed), as an XOF.

    Two purposes share nothing. Two keys are equal with a probability below count^2 / 2^65; then the lower index is first.
    """
    drawn = blake3(seed, derive_key_context=f"quiltwork.pretrain/1 {purpose}").digest(8 * count)
    return np.argsort(np.frombuffer(drawn, dtype="<u8"), kind="stable").astype(np.int64)


class Role(Enum):
    """What the committee has a member do in a round."""

    TIE_BREAKER = "tie-breaker"
    VERIFIER = "verifier"
    TRAINER = "trainer"


@dataclass(frozen=True, slots=True)
class Selection:
    """One round's offices. Members are numbers, 0 to the number of members - 1; `roles` has one for each."""

    roles: tuple[Role, ...]
    witnesses: tuple[int, ...]
    """In the order of their places in the shuffle."""

    def holders(self, role: Role) -> tuple[int, ...]:
        """Members that have a role, in order of their numbers."""
        return tuple(member for member, held in enumerate(self.roles) if held is role)


def select(
    seed: int | bytes, members: int, *, tie_breakers: int = 0, verification_percent: int = 0, witness_nodes: int = 0
) -> Selection:
    """Draw the committee and the witnesses of a round among `members`.

    The first `tie_breakers` places of the committee's shuffle break ties, the next `verification_percent` of the rest
    verify, all others train. The first `witness_nodes` places of the witnesses' shuffle attest (0: MAX_WITNESSES). Where
    there are fewer members than places, everybody has one; Psyche refuses to go on instead. Raises ValueError for a
    negative number, a percentage above 100 or a seed that is neither 32 bytes nor a number below 2^64.
    """
    if min(tie_breakers, verification_percent, witness_nodes) < 0 or verification_percent > 100:
        raise ValueError("tie_breakers and witness_nodes are 0 or more, verification_percent is 0 to 100")
    breakers = min(tie_breakers, members)
    checkers = (members - breakers) * verification_percent // 100
    roles = np.full(members, Role.TRAINER)
    by_place = np.argsort(shuffled_indices(members, salted(seed, "committee")))
    roles[by_place[:breakers]] = Role.TIE_BREAKER
    roles[by_place[breakers : breakers + checkers]] = Role.VERIFIER
    return Selection(tuple(roles), draw_witnesses(seed, members, witness_nodes))


def draw_witnesses(seed: int | bytes, members: int, witness_nodes: int) -> tuple[int, ...]:
    """Draw the witnesses of a round alone: those of `select`, for whom the committee need not be shuffled."""
    by_place = np.argsort(shuffled_indices(members, salted(seed, "witness")))
    return tuple(by_place[: witness_nodes or MAX_WITNESSES].tolist())


def salted(seed: int | bytes, salt: str) -> bytes:
    """Make the key of one shuffle: SHA-256(SHA-256(seed) || salt), a number being 8 bytes, little-endian."""
    if isinstance(seed, int):
        if not 0 <= seed <= _WORD:
            raise ValueError(f"a seed that is a number lies in 0..2^64-1; {seed} does not")
        seed = seed.to_bytes(8, "little")
    elif len(seed) != 32:
        raise ValueError(f"a seed has 32 bytes, not {len(seed)}")
    return sha256(sha256(seed).digest() + salt.encode()).digest()


def witness_quorum(witnesses: int) -> int:
    """How many of so many witnesses must agree: Psyche's two thirds, rounded down, but both of two and two of three.

    At least 1, so that no witnesses accept nothing.
    """
    return witnesses if witnesses in (1, 2) else max(1, 2 * witnesses // 3)
