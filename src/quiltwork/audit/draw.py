"""Who is audited and by whom: drawn from a seed that nobody knew when the contributions were committed.

Both draws are hashes of the seed and of what is drawn, so that they do not depend on the order in which a fold holds its
members, and every one of them can be checked on its own. Had the seed been known before, a cheat would cheat where it is not
drawn; so the caller makes it from what was revealed after commitments closed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from heapq import nsmallest

from blake3 import blake3

MOST_ASKED = 12
"""Of one panel: five can have to speak where three must agree, and seven may be silent."""

_WHETHER = "quiltwork.audit/1 whether"
_BY_WHOM = "quiltwork.audit/1 by whom"


def is_drawn(seed: bytes, contribution: bytes, rate: float) -> bool:
    """Tell whether a contribution is audited: with probability `rate`, independently of all others.

    `contribution` names it, as the hash of the payload or of its commitment does. The rate is kept to 1 part in 2^53.
    """
    return _number(_WHETHER, seed, contribution) < round(min(max(rate, 0.0), 1.0) * 2**53) << 11


def draw_panel(
    seed: bytes,
    contribution: bytes,
    ranks: Iterable[Iterable[bytes]],
    *,
    never: Collection[bytes],
    most: int = MOST_ASKED,
) -> tuple[bytes, ...]:
    """Draw who verifies a contribution, in the order of being asked: the first ones judge, the others break ties or replace.

    `ranks` are groups of members, the most trusted first (see `eligible`); all of a group come before any of the next, and
    within it all have the same chance of every place, whoever they are. Those in `never` (the author; who demanded the audit)
    are left out, and nobody is in it twice. At most `most` names.
    """
    panel: list[bytes] = []
    left_out = set(never)
    for rank in ranks:
        candidates = set(rank) - left_out
        panel += nsmallest(
            most - len(panel), candidates, key=lambda member: (_number(_BY_WHOM, seed, contribution, member), member)
        )
        left_out |= candidates
    return tuple(panel)


def _number(purpose: str, *parts: bytes) -> int:
    """64 bits of a hash of the parts, each with its length, so that no two lists of parts are hashed alike."""
    told = b"".join(len(part).to_bytes(8, "little") + part for part in parts)
    return int.from_bytes(blake3(told, derive_key_context=purpose).digest(8), "little")
