from __future__ import annotations

import zlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.log import EMPTY, Entry, Head, MemoryLog
from quiltwork.log.entry import MAX_BODY_BYTES
from quiltwork.log.solana import MAX_BATCH_BYTES, BatchTooLarge
from quiltwork.log.solana.batch import DEFLATED, PLAIN, pack, unpack
from tests.log.speech import say

HEADS = st.builds(Head, st.integers(0, 2**62), st.binary(min_size=32, max_size=32))
SAID = st.tuples(
    st.integers(0, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
    st.sampled_from(["speech.said/1", "a.b/9"]),
    st.binary(max_size=200),
    st.binary(min_size=64, max_size=64),
)


def chained(said: list[tuple[int, bytes, str, bytes, bytes]], base: Head) -> tuple[Entry, ...]:
    entries = []
    for time, author, kind, body, signature in said:
        entries.append(Entry(base.length, base.hash, time, author, kind, body, signature))
        base = Head(base.length + 1, entries[-1].hash)
    return tuple(entries)


def plain(value: object) -> bytes:
    return PLAIN + msgspec.msgpack.encode(value)


@settings(deadline=None)
@given(st.lists(SAID, min_size=1, max_size=8), HEADS)
def test_entries_come_back_as_they_were(said: list[tuple[int, bytes, str, bytes, bytes]], base: Head) -> None:
    entries = chained(said, base)
    assert unpack(pack(entries), base) == entries


def test_what_repeats_itself_costs_little() -> None:
    entries = say(MemoryLog(), *["the same words again"] * 100)
    assert len(pack(entries)) < 100 * 80, "64 bytes of each are its signature"


def test_noise_is_not_made_longer() -> None:
    noise = b"".join(bytes([n * n % 251]) for n in range(20))
    entry = Entry(0, EMPTY.hash, 1, b"\1" * 32, "speech.said/1", noise, bytes(range(64)))
    assert len(pack([entry])) <= 1 + len(msgspec.msgpack.encode([list(msgspec.structs.astuple(entry)[2:])]))


GOOD = (1, b"a" * 32, "speech.said/1", b"", b"s" * 64)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0",
        b"\2" + msgspec.msgpack.encode([GOOD]),
        plain([]),
        plain({}),
        plain([GOOD]) + b"\0",
        plain([GOOD])[:-1],
        plain([(*GOOD, 1)]),
        plain([GOOD[:-1]]),
        plain([(-1, *GOOD[1:])]),
        plain([(2**63, *GOOD[1:])]),
        plain([(1.0, *GOOD[1:])]),
        plain([(1, b"a" * 31, *GOOD[2:])]),
        plain([(1, b"a" * 32, "No Kind", *GOOD[3:])]),
        plain([(*GOOD[:3], b"x" * (MAX_BODY_BYTES + 1), GOOD[4])]),
        plain([(*GOOD[:4], b"s" * 65)]),
        plain([GOOD, (0, b"a" * 32, "x", b"", b"s" * 64)]),
        DEFLATED + b"\xff\xff",
        DEFLATED + zlib.compress(msgspec.msgpack.encode([GOOD]), wbits=-15)[:-1],
        DEFLATED + zlib.compress(msgspec.msgpack.encode([GOOD]), wbits=-15) + b"x",
        DEFLATED + zlib.compress(msgspec.msgpack.encode([GOOD]), wbits=15),
        PLAIN + b"\xdd\xff\xff\xff\xff",
    ],
    ids=range(22),
)
def test_what_is_no_batch_gives_no_entry(raw: bytes) -> None:
    assert unpack(raw, EMPTY) == ()


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_an_error(raw: bytes) -> None:
    assert unpack(raw, EMPTY) == ()
    assert unpack(DEFLATED + zlib.compress(raw, wbits=-15), EMPTY) == ()


def test_a_little_that_inflates_to_much_is_refused_before_it_does() -> None:
    bomb = zlib.compress(bytes(MAX_BATCH_BYTES + 1), wbits=-15)
    assert len(bomb) < 20_000
    assert unpack(DEFLATED + bomb, EMPTY) == ()


def test_a_batch_that_is_too_large_is_refused_with_what_to_do() -> None:
    body = bytes(MAX_BODY_BYTES)
    entries = chained([(1, b"a" * 32, "speech.said/1", body, b"s" * 64)] * 16, EMPTY)
    with pytest.raises(BatchTooLarge, match=r"16 entries of 16,.* are too much .*a few at a time"):
        pack(entries)
    assert unpack(pack(entries[:15]), EMPTY) == entries[:15]
