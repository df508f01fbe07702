"""Sequences of anything that members and strangers may say, from numbers: for properties of the fold."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from quiltwork.log import Malformed, Unknown
from quiltwork.pretrain.bitmap import byte_length
from quiltwork.pretrain.entries import (
    Amended,
    Attested,
    Challenged,
    Checkpointed,
    Committed,
    Created,
    Hashed,
    Joined,
    Judged,
    Left,
    Paused,
    Ready,
    Responded,
    Resumed,
    Rewound,
    Ticked,
    Undisclosed,
)
from quiltwork.pretrain.facts import Phase, RunState
from tests.pretrain.telling import OWNER, SECOND, STRANGER, hash_of, key, model, onion, rules

Scribble = tuple[int, int, int, int]
"""What sort of thing is said, by whom, and two numbers that say how."""

MEMBERS = 5
PAUSES = (0, 1, 3, 10, 61, 600, 4_000, 10**7)
NUMBERS = (0, 1, 2, 3, -1, 1 << 40, (1 << 63) - 1, -(1 << 63))
HASHES = (hash_of("a"), hash_of("b"), model(0), model(1), b"", b"short", b"\0" * 32, hash_of("a") * 2)


def scribbles(longest: int = 80) -> st.SearchStrategy[list[Scribble]]:
    """Mostly what makes sense, so that runs get far; now and then anything."""
    sensible = st.sampled_from([0, 0, 1, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 10, 11, 18, 18, 19, 19, 20, 20, 21])
    which = st.one_of(sensible, sensible, sensible, st.integers(0, 21))
    each = st.tuples(which, st.integers(0, MEMBERS), st.integers(0, 7), st.integers(0, 7))
    return st.lists(each, max_size=longest)


def said(state: RunState, scribble: Scribble) -> list[tuple[bytes, object]]:
    """Who says what, at this state of the run."""
    which, who, one, other = scribble
    author = STRANGER if who == MEMBERS else key(who)
    match which:
        case 0:
            return [(author if other == 7 else OWNER, Ticked(state.now + PAUSES[one] * SECOND))]
        case 12 | 13 | 14 | 15:
            orders = (
                Paused(),
                Resumed(),
                Amended(rules(max_misses=1 + one, checkpoint_rounds=1 + other).model_dump_json()),
                Rewound(state.last - one),
            )
            return [(author if other == 7 else OWNER, orders[which - 12])]
        case 18:
            return [(member, _commit(state, member, 0, 0)) for member in _assigned(state)]
        case 19:
            return [(member, _attest(state, member, 0)) for member in _witnesses(state)]
        case 20:
            return [(member.author, Hashed(state.last, _model(state, state.last))) for member in state.healthy()]
        case 21:
            members = [key(place) for place in range(MEMBERS - one % 3)]
            joins: list[tuple[bytes, object]] = [
                (member, Joined(onion(member).anchor)) for member in members if member not in state.members
            ]
            return joins + [(member, Ready(state.last, _model(state, state.last))) for member in members]
        case _:
            return [(author, _SAYINGS[which](state, author, one, other))]


def _assigned(state: RunState) -> list[bytes]:
    return [] if state.round is None else list(state.round.assigned)


def _witnesses(state: RunState) -> list[bytes]:
    return [] if state.round is None else list(state.round.witnesses)


def _model(state: RunState, round: int) -> bytes:
    return state.agreed.get(round, model(round))


def _commit(state: RunState, author: bytes, one: int, other: int) -> Committed:
    round = state.round
    number = round.number if round is not None else state.last
    base = round.base if round is not None else 0
    given = round.assigned.get(author, ()) if round is not None else ()
    units = (given, given[:1], given * 2, (), (0,), NUMBERS, given, tuple(range(500)))[one]
    own = hash_of(f"state {author.hex()} {number}")
    payload = hash_of(f"payload {author.hex()} {number}")
    right = Committed(number, tuple(units), payload, 1_000, _model(state, base), own, 1.0)
    wrong = (
        right,
        Committed(number - 1, right.units, payload, 1, right.model, own),
        Committed(NUMBERS[one], right.units, payload, 1, right.model, own),
        Committed(number, right.units, HASHES[one], NUMBERS[one], right.model, own),
        Committed(number, right.units, payload, 1, HASHES[one], own),
        Committed(number, right.units, payload, 1, right.model, HASHES[one]),
    )
    return wrong[other % len(wrong)]


def _attest(state: RunState, author: bytes, one: int) -> Attested:
    round, member = state.round, state.members.get(author)
    size = len(round.commits) if round is not None else 0
    number = round.number if round is not None else state.last
    everything = ((1 << size) - 1).to_bytes(byte_length(size), "little")
    held = (everything, everything, bytes(byte_length(size)), b"\1", b"\xff" * 9, everything, everything, b"")[one]
    revealed = 0 if member is None else member.revealed
    lives = [life for life in range(4) if member is not None and onion(author, life).anchor == member.said.beacon]
    reveal = onion(author, lives[0] if lives else 0).reveal(min(revealed + 1 + (one == 6), 64))
    return Attested(number + (one == 5), held, reveal)


def _anything(state: RunState, author: bytes, one: int, other: int) -> object:
    number, hash = NUMBERS[one], HASHES[other]
    return (
        Committed(number, (number,), hash, number, hash, hash, 1e300),
        Attested(number, hash, hash),
        Checkpointed(number, hash, hash, number, number),
        Judged(number, hash, bool(one), -1e300, "x" * 1_000),
        Responded(number, hash, number),
        Joined(hash, ("x",) * one, "n" * other * 20, hash, "d" * one, "e", own=hash),
        Created("again", "{}", "{}", hash),
        Ticked(number),
    )[(one + other) % 8]


def _unreadable(state: RunState, author: bytes, one: int, other: int) -> object:
    return (Unknown("room.of/1", b"x"), Malformed("pretrain.joined/1", b"", "why"), None, "text", 7, b"", object, Left)[
        one
    ]


_SAYINGS: dict[int, Callable[[RunState, bytes, int, int], object]] = {
    1: lambda state, author, one, other: Joined(onion(author, one % 3).anchor, own=HASHES[other] if one > 5 else b""),
    2: lambda state, author, one, other: Ready(
        state.last - other % 4, _model(state, state.last - other % 4) if one < 6 else HASHES[one]
    ),
    3: _commit,
    4: lambda state, author, one, other: _attest(state, author, one),
    5: lambda state, author, one, other: Hashed(
        state.last - other % 3, _model(state, state.last - other % 3) if one < 6 else HASHES[one]
    ),
    6: lambda state, author, one, other: Left(),
    7: lambda state, author, one, other: Checkpointed(
        state.last - other % 3, _model(state, state.last - other % 3), HASHES[one], 10
    ),
    8: lambda state, author, one, other: Challenged(state.last - other % 3, key(one % MEMBERS)),
    9: lambda state, author, one, other: Responded(state.last - other % 4, HASHES[one % 4], 10),
    10: lambda state, author, one, other: Judged(state.last - other % 4, key(one % MEMBERS), one < 4, 0.5),
    11: lambda state, author, one, other: Undisclosed(state.last - other % 4, key(one % MEMBERS)),
    16: _anything,
    17: _unreadable,
}

ROUNDS = (Phase.ROUND_TRAIN, Phase.ROUND_WITNESS)
