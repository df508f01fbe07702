from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.errors import UserError
from quiltwork.log import EMPTY, Broken, Entry, Head, MemoryLog, SqliteLog, verify
from tests.log.speech import ALICE, MALLORY, Said, begun, relay, say, speaker


class Tampered(MemoryLog):
    """A log whose storage an adversary has in hand."""

    def __init__(self, entries: list[Entry]) -> None:
        super().__init__()
        self._entries = entries


@pytest.fixture
def entries() -> list[Entry]:
    return list(say(MemoryLog(), "one", "two", "three", "four"))


def signed_again(entry: Entry, **changes: object) -> Entry:
    """The work of a forger who has Alice's place in the log, but not her key."""
    changed = msgspec.structs.replace(entry, author=MALLORY.author, **changes)
    return msgspec.structs.replace(changed, signature=MALLORY.sign(changed.hash))


def test_an_untouched_log_verifies(entries: list[Entry]) -> None:
    found = verify(Tampered(entries))
    assert found.count == 4
    assert found.head == Head(4, entries[-1].hash)
    assert found.authors == {ALICE.author: 4}


def test_an_empty_log_verifies() -> None:
    assert verify(MemoryLog()) == (0, EMPTY, {})


@pytest.mark.parametrize(
    ("tamper", "seq", "why"),
    [
        (lambda e: [e[0], e[2], e[3]], 1, "its seq is 2, but 1 entries come before it"),
        (lambda e: e[1:], 0, "its seq is 1, but 0 entries"),
        (lambda e: [e[0], e[2], e[1], e[3]], 1, "its seq is 2"),
        (lambda e: [e[0], e[1], e[1], e[2]], 2, "its seq is 1, but 2 entries"),
        (lambda e: [e[0], signed_again(e[1]), e[2], e[3]], 2, "its prev is not the hash of entry 1"),
        (lambda e: [e[0], msgspec.structs.replace(e[1], signature=e[0].signature), *e[2:]], 1, "its signature is not"),
        (lambda e: [*e[:3], msgspec.structs.replace(e[3], time=e[3].time + 1)], 3, "its signature is not"),
        (lambda e: [signed_again(e[0], prev=b"x" * 32), *e[1:]], 0, "its prev is not the hash of the beginning"),
    ],
    ids=["removed", "beheaded", "reordered", "repeated", "forged", "signature moved", "last one dated", "other past"],
)
def test_tampering_is_found_and_named(
    entries: list[Entry], tamper: Callable[[list[Entry]], list[Entry]], seq: int, why: str
) -> None:
    with pytest.raises(Broken, match=f"broken at entry {seq}: {why}") as broken:
        verify(Tampered(tamper(entries)))
    assert broken.value.seq == seq


def test_entries_removed_from_the_end_are_found_by_who_knows_the_head(entries: list[Entry]) -> None:
    head = Head(4, entries[3].hash)
    assert verify(Tampered(entries[:2])).count == 2
    with pytest.raises(Broken, match=r"entry 2: the log ends before it, but 4 entries are expected"):
        verify(Tampered(entries[:2]), expect=head)
    with pytest.raises(Broken, match=r"entry 0"):
        verify(Tampered([]), expect=head)


def test_a_log_that_has_grown_still_has_its_earlier_head(entries: list[Entry]) -> None:
    for length in range(1, 5):
        assert verify(Tampered(entries), expect=Head(length, entries[length - 1].hash)).count == 4
    assert verify(Tampered(entries), expect=EMPTY).count == 4


def test_a_history_written_anew_is_found_by_who_knows_the_head(entries: list[Entry]) -> None:
    other = list(say(MemoryLog(), "one", "two", "another three", "four"))
    with pytest.raises(Broken, match=r"entry 2: its hash is .* but .* is expected there"):
        verify(Tampered(other), expect=Head(3, entries[2].hash))


def test_a_stranger_is_found_by_who_knows_the_authors(entries: list[Entry]) -> None:
    log = Tampered(entries)
    assert verify(log, authors={ALICE.author}).count == 4
    with pytest.raises(Broken, match=f"entry 0: {ALICE.author.hex()} signed it, who is not among"):
        verify(log, authors={MALLORY.author})


def test_a_head_can_be_written_down_and_read_again(entries: list[Entry]) -> None:
    head = Head(4, entries[3].hash)
    assert Head.parse(str(head)) == head
    for text in ("", "4", "4:", "4:xyz", "-1:" + "0" * 64, "4:" + "0" * 63):
        with pytest.raises(ValueError):
            Head.parse(text)


def test_a_relayed_statement_counts_for_who_says_it() -> None:
    log = begun()
    relay(log, *speaker(log).say(Said("one"), Said("two")))
    assert verify(log).authors == {ALICE.author: 1, MALLORY.author: 2}
    assert verify(log, signatures=False).authors == {ALICE.author: 1, MALLORY.author: 2}


def test_a_forged_statement_is_found_though_its_entry_is_right() -> None:
    log = begun()
    one, two = speaker(log).say(Said("one"), Said("two"))
    relay(log, one, msgspec.structs.replace(two, time=0))
    assert verify(log, signatures=False).count == 3
    with pytest.raises(
        Broken, match=f"entry 2: the statement is not heard: its signature is not that of {MALLORY.author.hex()}"
    ):
        verify(log)


def test_a_statement_for_another_log_or_with_a_used_number_is_found() -> None:
    log = begun()
    (elsewhere,) = speaker(begun(owner=MALLORY)).say(Said("one"))
    relay(log, elsewhere)
    with pytest.raises(Broken, match=r"entry 1: .*it is for the log that begins with .*, not for this one"):
        verify(log, signatures=False)
    log = begun()
    (one,) = speaker(log).say(Said("one"))
    relay(log, one, one)
    with pytest.raises(Broken, match=r"entry 2: .*its number is 1, but its author has used 1 before"):
        verify(log)


def test_a_stranger_who_is_relayed_is_found_by_who_knows_the_authors() -> None:
    log = begun()
    relay(log, *speaker(log).say(Said("one")))
    assert verify(log, authors={ALICE.author, MALLORY.author}).count == 2
    for known in (ALICE, MALLORY):
        with pytest.raises(Broken, match="who is not among"):
            verify(log, authors={known.author})


@given(st.data())
def test_any_flipped_bit_of_any_field_is_found(data: st.DataObject) -> None:
    entries = list(say(MemoryLog(), "one", "two", "three"))
    at = data.draw(st.integers(0, 2))
    field = data.draw(st.sampled_from(Entry.__struct_fields__))
    value = getattr(entries[at], field)
    entries[at] = msgspec.structs.replace(entries[at], **{field: flipped(data, value)})
    with pytest.raises(Broken):
        verify(Tampered(entries))


def flipped(data: st.DataObject, value: int | str | bytes) -> int | str | bytes:
    if isinstance(value, int):
        bit = data.draw(st.integers(0, 63))
        changed = value ^ 1 << bit
        return changed - 2**64 if changed >= 2**63 else changed
    raw = bytearray(value.encode() if isinstance(value, str) else value)
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8
    return raw.decode("latin-1") if isinstance(value, str) else bytes(raw)


@cache
def image() -> bytes:
    """The bytes of a closed log with three entries."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "log.db"
        with closing(SqliteLog(path)) as log:
            say(log, "one", "two", "three")
        return path.read_bytes()


@settings(max_examples=200)
@given(st.data())
def test_any_flipped_bit_of_any_column_in_the_database_is_found(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "log.db"
        path.write_bytes(image())
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("DROP TRIGGER entries_never_change")
            connection.execute("PRAGMA ignore_check_constraints=ON")
            connection.execute("PRAGMA synchronous=OFF")
            seq = data.draw(st.integers(0, 2))
            column = data.draw(st.sampled_from(["seq", "time", "kind", "author", "prev", "body", "signature"]))
            value = connection.execute(f"SELECT {column} FROM entries WHERE seq = ?", (seq,)).fetchone()[0]
            change = f"UPDATE OR REPLACE entries SET {column} = ? WHERE seq = ?"
            connection.execute(change, (flipped(data, value), seq))
            connection.commit()
        with closing(SqliteLog(path)) as log, pytest.raises(Broken):
            verify(log)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_flipped_bit_anywhere_in_the_file_changes_nothing_or_is_found(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "log.db"
        path.write_bytes(image())
        with closing(SqliteLog(path, readonly=True)) as log:
            entries, head = list(log.read()), log.head()
        damaged = bytearray(image())
        bit = data.draw(st.integers(0, 8 * len(image()) - 1))
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            with closing(SqliteLog(path, readonly=True)) as log:
                verify(log, expect=head)
                assert list(log.read()) == entries
        except UserError:
            pass
