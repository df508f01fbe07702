from __future__ import annotations

import threading

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork import keys
from quiltwork.keys import Identity
from quiltwork.log import (
    Body,
    Entry,
    InvalidBody,
    LogUnavailable,
    Malformed,
    MemoryLog,
    Refused,
    Relayed,
    Speaker,
    Speakers,
    Spoken,
    Statement,
    Unknown,
    decode,
    encode,
    log_id,
)
from quiltwork.log.entry import MAX_BODY_BYTES
from quiltwork.log.statement import MAX_STATEMENT_BODY_BYTES, Fault, check, said_in
from tests.log.speech import ALICE, BOB, MALLORY, Noted, Said, begun, relay, say, speaker


def signed(statement: Statement, identity: Identity = MALLORY, **changes: object) -> Statement:
    """The statement with changes, signed anew."""
    changed = msgspec.structs.replace(statement, **changes)
    return msgspec.structs.replace(changed, signature=identity.sign(changed.hash))


def heard(log: MemoryLog, *, signatures: bool = True) -> list[Spoken | Refused]:
    speakers = Speakers(signatures=signatures)
    return [speakers.hear(entry) for entry in log.read()]


def codes(log: MemoryLog, *, signatures: bool = True) -> list[str]:
    return [str(each.code) if isinstance(each, Refused) else "" for each in heard(log, signatures=signatures)]


def test_a_known_statement_keeps_its_hash_for_ever() -> None:
    """If this fails, no log with statements verifies any more."""
    statement = Statement(ALICE.author, b"l" * 32, 7, 0, "speech.said/1", b"\x81\xa5words\xa2hi", bytes(64))
    assert statement.hash.hex() == "fb2dfac057b27a5162e9d58f6032e92d67fd1c0330482c4657ad1eb14ca882e5"


def test_a_statement_says_the_bodies_it_was_given_in_order_of_its_numbers() -> None:
    log = begun()
    voice = speaker(log)
    statements = [*voice.say(Said("one"), Said("two")), *voice.say(Said("three"))]
    assert [statement.number for statement in statements] == [1, 2, 3]
    assert {statement.author for statement in statements} == {MALLORY.author}
    assert {statement.log for statement in statements} == {next(log.read()).hash}
    assert [decode(statement) for statement in statements] == [Said("one"), Said("two"), Said("three")]
    assert [check(statement) for statement in statements] == [None] * 3


def test_a_signature_for_an_entry_is_none_for_a_statement() -> None:
    log = begun()
    (statement,) = speaker(log).say(Said("one"))
    (entry,) = say(log, "one", identity=MALLORY)
    assert not keys.verify(MALLORY.author, statement.hash, entry.signature)
    assert not keys.verify(MALLORY.author, entry.hash, statement.signature)


def test_a_relayed_statement_speaks_for_its_own_author_and_an_entry_for_its_own() -> None:
    log = begun()
    relay(log, *speaker(log).say(Said("one"), Noted(2)))
    say(log, "direct")
    assert heard(log) == [
        Spoken(ALICE.author, Said("begin"), 0, 1_700_000_000_000_000_000),
        Spoken(MALLORY.author, Said("one"), 1, 1_600_000_000_000_000_000),
        Spoken(MALLORY.author, Noted(2), 2, 1_600_000_000_000_000_000),
        Spoken(ALICE.author, Said("direct"), 3, 1_700_000_000_000_000_000),
    ]


def test_a_statement_speaks_once() -> None:
    log = begun()
    one, two = speaker(log).say(Said("one"), Said("two"))
    relay(log, one, one, two, one, two)
    assert codes(log) == ["", "", "number-used", "", "number-used", "number-used"]


def test_numbers_rise_for_each_author_alone_and_may_leave_some_out() -> None:
    log = begun()
    mallory, bob = speaker(log, MALLORY, 5), speaker(log, BOB, 1)
    (five,) = mallory.say(Said("five"))
    six, seven = mallory.say(Said("six"), Said("seven"))
    relay(log, five, *bob.say(Said("one")), seven, six)
    assert codes(log) == ["", "", "", "", "number-used"]


def test_a_statement_for_another_log_is_not_heard() -> None:
    log, other = begun(), begun(owner=BOB)
    relay(log, *speaker(other).say(Said("one")))
    assert codes(log) == ["", "other-log"]


def test_a_statement_that_stands_at_the_beginning_is_for_no_log() -> None:
    log = MemoryLog()
    relay(log, *speaker(begun()).say(Said("one")))
    assert codes(log) == ["other-log"]


def test_a_forged_statement_is_not_heard_and_uses_no_number() -> None:
    log = begun()
    (one,) = speaker(log).say(Said("one"))
    forged = msgspec.structs.replace(one, body=encode(Said("forged"))[1])
    relay(log, forged, signed(one, BOB), one)
    assert codes(log) == ["", "forged", "forged", ""]


def test_whom_the_owner_relays_is_believed_when_nobody_asks_for_signatures_and_others_never() -> None:
    log = begun()
    (one,) = speaker(log).say(Said("one"))
    forged = msgspec.structs.replace(one, signature=bytes(64))
    relay(log, forged, identity=BOB)
    assert codes(log, signatures=False) == ["", "forged"]
    relay(log, forged)
    assert codes(log, signatures=False) == ["", "forged", ""]
    assert codes(log) == ["", "forged", "forged"]


@pytest.mark.parametrize(
    "changes",
    [
        {"number": 0},
        {"number": 2**63},
        {"time": 2**63},
        {"log": b"short"},
        {"kind": "No Kind"},
        {"kind": "log.relayed/1"},
    ],
    ids=str,
)
def test_an_ill_formed_statement_is_not_heard(changes: dict[str, object]) -> None:
    log = begun()
    (one,) = speaker(log).say(Said("one"))
    relay(log, signed(one, **changes), one)
    assert codes(log) == ["", "malformed", ""]


@pytest.mark.parametrize("body", [b"", b"\x80", b"\xc1", encode(Said("x"))[1]])
def test_a_relay_that_carries_no_statement_is_not_heard(body: bytes) -> None:
    log = begun()
    (one,) = relay(log, *speaker(log).say(Said("one")))
    speakers = Speakers()
    refused = speakers.hear(msgspec.structs.replace(one, body=body))
    assert isinstance(refused, Refused)
    assert refused.code == Fault.MALFORMED


def test_a_statement_that_says_something_unknown_or_malformed_is_heard_as_that() -> None:
    log = begun()
    one, two = speaker(log).say(Said("one"), Said("two"))
    relay(log, signed(one, kind="speech.sung/1"), signed(two, body=b"\x80"))
    _, unknown, malformed = heard(log)
    assert isinstance(unknown, Spoken)
    assert isinstance(unknown.body, Unknown)
    assert isinstance(malformed, Spoken)
    assert isinstance(malformed.body, Malformed)


def test_the_log_tells_a_restarted_speaker_its_next_number() -> None:
    log = begun()
    relay(log, *speaker(log).say(Said("one"), Said("two")))
    speakers = Speakers()
    for entry in log.read():
        speakers.hear(entry)
    assert speakers.last_number(MALLORY.author) == 2
    assert speakers.last_number(BOB.author) == 0
    again = speaker(log, MALLORY, speakers.last_number(MALLORY.author) + 1)
    relay(log, *again.say(Said("three")))
    assert codes(log) == ["", "", "", ""]


def test_threads_that_speak_at_once_share_no_number() -> None:
    voice = speaker(begun())
    said: list[Statement] = []
    threads = [
        threading.Thread(target=lambda: [said.extend(voice.say(Said("a"), Said("b"))) for _ in range(25)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statement.number for statement in said) == list(range(1, 201))


def test_the_largest_statement_fits_into_an_entry() -> None:
    log = begun()
    room = MAX_STATEMENT_BODY_BYTES - len(encode(Said("x" * 70_000))[1]) + 70_000
    kind = "a." + "b" * 60 + "/1"
    (largest,) = speaker(log, first_number=2**62).say(Said("x" * room))
    assert len(largest.body) == MAX_STATEMENT_BODY_BYTES
    relay(log, signed(largest, kind=kind, time=2**63 - 1, number=2**63 - 1))
    assert codes(log) == ["", ""]
    *_, entry = log.read()
    assert len(entry.body) <= MAX_BODY_BYTES


def test_what_is_too_large_for_a_statement_is_said_before_it_takes_a_number() -> None:
    voice = speaker(begun())
    with pytest.raises(InvalidBody, match="put the large part into a blob"):
        voice.say(Said("small"), Said("x" * (MAX_STATEMENT_BODY_BYTES + 1 - 12)))
    with pytest.raises(InvalidBody, match="cannot relay another"):
        voice.say(Relayed(*voice.say(Said("one"))))
    assert voice.say(Said("two"))[0].number == 2


def test_an_empty_log_takes_no_statements_yet() -> None:
    with pytest.raises(LogUnavailable, match="no entry yet"):
        log_id(MemoryLog())


def test_an_entry_says_by_its_own_account_what_it_relays() -> None:
    log = begun()
    (one,) = speaker(log).say(Said("one"))
    (carrier,) = relay(log, one)
    assert said_in(carrier) == one
    broken = msgspec.structs.replace(carrier, body=b"\x80")
    assert said_in(broken) is broken


# For every statement and every log


INTEGERS = st.integers(0, 2**63 - 1)
BODIES = st.one_of(
    st.builds(Said, st.text(max_size=30)),
    st.builds(Noted, st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False)),
)


@given(bodies=st.lists(BODIES, max_size=4), first=st.integers(1, 2**62), now=INTEGERS)
def test_what_is_said_is_heard(bodies: list[Body], first: int, now: int) -> None:
    log = begun()
    statements = Speaker(BOB, log_id(log), first, lambda: now).say(*bodies)
    for statement in statements:
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(statement), type=Statement) == statement
    relay(log, *statements)
    assert heard(log)[1:] == [Spoken(BOB.author, body, seq, now) for seq, body in enumerate(bodies, 1)]


@given(data=st.data())
def test_any_flipped_bit_of_a_statement_is_found(data: st.DataObject) -> None:
    log = begun()
    (one,) = speaker(log).say(Said("one"))
    raw = bytearray(msgspec.msgpack.encode(one))
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8
    try:
        changed = msgspec.msgpack.decode(bytes(raw), type=Statement)
    except (msgspec.MsgspecError, ValueError):
        return
    if changed == one:  # the same content in a longer encoding
        return
    relay(log, changed)
    assert codes(log)[1]


ANY_STATEMENT = st.builds(
    Statement,
    author=st.sampled_from([ALICE.author, MALLORY.author, b"", bytes(32)]),
    log=st.sampled_from([next(begun().read()).hash, bytes(32), b"x"]),
    number=st.integers(-(2**63), 2**64 - 1),
    time=st.integers(-(2**63), 2**64 - 1),
    kind=st.one_of(st.sampled_from(["speech.said/1", "log.relayed/1", "a.b/1"]), st.text(max_size=8)),
    body=st.one_of(st.binary(max_size=20), st.just(encode(Said("x"))[1])),
    signature=st.sampled_from([b"", bytes(64), b"\xff" * 64]),
)
ANY_BODY = st.one_of(
    st.binary(max_size=60),
    ANY_STATEMENT.map(lambda each: msgspec.msgpack.encode({"statement": each})),
    ANY_STATEMENT.map(lambda each: msgspec.msgpack.encode({"statement": each})[:-1]),
)
ANY_ENTRY = st.builds(
    Entry,
    seq=st.integers(0, 3),
    prev=st.binary(min_size=32, max_size=32),
    time=INTEGERS,
    author=st.sampled_from([ALICE.author, MALLORY.author]),
    kind=st.sampled_from(["log.relayed/1", "speech.said/1", "speech.unheard_of/1"]),
    body=ANY_BODY,
    signature=st.binary(min_size=64, max_size=64),
)


@given(entries=st.lists(ANY_ENTRY, max_size=6), signatures=st.booleans())
def test_whatever_a_log_holds_is_heard_or_refused_with_a_reason(entries: list[Entry], signatures: bool) -> None:
    speakers = Speakers(signatures=signatures)
    for entry in [*begun().read(), *entries]:
        before = speakers.last_number(MALLORY.author)
        found = speakers.hear(entry)
        if isinstance(found, Refused):
            assert found.why
            assert found.code in Fault
            assert speakers.last_number(MALLORY.author) == before
        else:
            assert found.seq == entry.seq
