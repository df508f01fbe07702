from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.keys import Identity
from quiltwork.log import Body, Entry, InvalidBody, Malformed, MemoryLog, Unknown, Writer, decode, encode, kind
from tests.log.speech import ALICE, Noted, Said, say

FLOATS = st.floats(allow_nan=False)
NOTES = st.builds(
    Noted,
    number=st.integers(-(2**63), 2**64 - 1),
    share=FLOATS,
    words=st.text(),
    data=st.binary(),
    truth=st.booleans(),
    maybe=st.none() | st.integers(-(2**63), 2**64 - 1),
    numbers=st.lists(FLOATS).map(tuple),
    table=st.dictionaries(st.text(), FLOATS),
    nested=st.lists(st.builds(Said, words=st.text())).map(tuple),
)


def entry_with(kind: str, body: bytes) -> Entry:
    return Entry(0, bytes(32), 0, ALICE.author, kind, body, bytes(64))


@given(st.lists(NOTES | st.builds(Said, words=st.text()), max_size=5))
def test_any_bodies_come_back_as_they_were(bodies: list[Body]) -> None:
    log = MemoryLog()
    Writer(log, ALICE).append(*bodies)
    assert [decode(entry) for entry in log.read()] == bodies


@given(NOTES)
def test_a_body_has_one_encoding_whatever_the_order_of_its_table(note: Noted) -> None:
    backwards = msgspec.structs.replace(note, table=dict(reversed(note.table.items())))
    assert encode(backwards) == encode(note)


@given(NOTES)
def test_the_encoding_is_message_pack_with_sorted_keys(note: Noted) -> None:
    _, raw = encode(note)
    fields = msgspec.msgpack.decode(raw)
    assert list(fields) == sorted(Noted.__struct_fields__)
    assert list(fields["table"]) == sorted(note.table)


def test_not_a_number_survives() -> None:
    _, raw = encode(Noted(share=math.nan))
    body = decode(entry_with("speech.noted/1", raw))
    assert isinstance(body, Noted)
    assert math.isnan(body.share)


def test_a_whole_number_in_a_field_of_fractions_is_written_as_a_fraction() -> None:
    assert encode(Noted(share=1, numbers=(2, 3))) == encode(Noted(share=1.0, numbers=(2.0, 3.0)))


CANONICAL = encode(Noted(number=1, share=0.5, words="hello", table={"a": 1.0, "b": 2.0}))[1]
FIELDS = msgspec.msgpack.decode(CANONICAL)


@pytest.mark.parametrize(
    "raw",
    [
        msgspec.msgpack.encode(dict(reversed(FIELDS.items()))),
        msgspec.msgpack.encode({name: value for name, value in FIELDS.items() if name != "truth"}),
        msgspec.msgpack.encode({**FIELDS, "more": 1}),
        msgspec.msgpack.encode({**FIELDS, "share": 1}),
        msgspec.msgpack.encode({**FIELDS, "table": {"b": 2.0, "a": 1.0}}),
        msgspec.msgpack.encode({**FIELDS, "number": "one"}),
        CANONICAL.replace(b"\xa6number\x01", b"\xa6number\xcc\x01"),
        CANONICAL.replace(b"\xa5hello", b"\xd9\x05hello"),
        CANONICAL.replace(b"\xcb" + bytes.fromhex("3fe0000000000000"), b"\xca" + bytes.fromhex("3f000000")),
        CANONICAL + b"\xc0",
        CANONICAL[:-1],
        b"",
        b"\xc1",
        b"\xff" * 40,
        b"\x91" * 100_000,
        b"\xdf\xff\xff\xff\xff",
    ],
    ids=[
        "fields in another order",
        "a field left out",
        "a field too many",
        "a whole number for a fraction",
        "a table in another order",
        "text for a number",
        "a longer form of a number",
        "a longer form of a text",
        "a short fraction",
        "bytes after the end",
        "cut short",
        "empty",
        "a byte that means nothing",
        "noise",
        "nested without end",
        "a claim of four thousand million fields",
    ],
)
def test_what_is_not_canonical_is_malformed(raw: bytes) -> None:
    assert raw != CANONICAL
    body = decode(entry_with("speech.noted/1", raw))
    assert isinstance(body, Malformed)
    assert body.why
    assert "speech.noted/1" in str(body)


@given(st.binary(max_size=200), st.sampled_from(["speech.said/1", "speech.noted/1"]))
def test_reading_a_body_never_raises(raw: bytes, name: str) -> None:
    body = decode(entry_with(name, raw))
    assert isinstance(body, Malformed) or encode(body) == (name, raw)


@given(NOTES, st.data())
def test_a_damaged_body_is_malformed_or_another_canonical_body(note: Noted, data: st.DataObject) -> None:
    name, raw = encode(note)
    damaged = bytearray(raw)
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    damaged[bit // 8] ^= 1 << bit % 8
    body = decode(entry_with(name, bytes(damaged)))
    assert isinstance(body, Malformed) or encode(body) == (name, bytes(damaged))


def test_an_unregistered_kind_is_unknown_and_keeps_its_bytes() -> None:
    assert decode(entry_with("nobody.knows/7", b"\xc0")) == Unknown("nobody.knows/7", b"\xc0")


def test_a_body_of_the_wrong_type_is_refused_when_it_is_written() -> None:
    with pytest.raises(InvalidBody, match=r"speech\.said/1.*Expected `str`"):
        encode(Said(5))  # type: ignore[arg-type]


def test_a_body_that_is_too_large_is_refused_when_it_is_written() -> None:
    with pytest.raises(InvalidBody, match="put the large part into a blob"):
        encode(Said("x" * 2_000_000))


def test_an_unregistered_body_is_refused_when_it_is_written() -> None:
    class Stray(Body, frozen=True):
        pass

    with pytest.raises(InvalidBody, match=r"Stray is not registered"):
        encode(Stray())


def test_a_refused_body_leaves_the_log_as_it_was() -> None:
    log = MemoryLog()
    with pytest.raises(InvalidBody):
        Writer(log, Identity.generate()).append(Said("fine"), Said(5))  # type: ignore[arg-type]
    assert log.head().length == 0
    say(log, "still works")


def test_a_kind_belongs_to_one_class() -> None:
    with pytest.raises(ValueError, match="registered"):

        @kind("speech.said", 1)
        class Other(Body, frozen=True):
            pass


@pytest.mark.parametrize("name", ["said", "Speech.said", "speech.", "speech.said/2", "speech said", "x." + "y" * 70])
def test_a_kind_has_a_room_and_an_event(name: str) -> None:
    with pytest.raises(ValueError, match=r"room\.event"):
        kind(name, 1)
