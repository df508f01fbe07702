from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.log import EMPTY, Head
from quiltwork.log.solana import Fees, Rule
from quiltwork.log.solana.batch import MAX_BATCH_BYTES
from quiltwork.log.solana.parts import HEADER_BYTES, MAX_PARTS, PREFIX, foot, link, parse, payload_bytes, split
from quiltwork.log.solana.wire import MAX_UNITS, room

LOG = Rule("test").id
BATCHES = st.binary(min_size=1, max_size=2_000)


@settings(deadline=None)
@given(BATCHES, st.integers(1, 300))
def test_parts_are_read_from_their_memos_as_they_were(raw: bytes, payload: int) -> None:
    parts = split(raw, LOG, EMPTY, payload)
    assert [parse(part.memo) for part in parts] == parts
    assert b"".join(part.payload for part in parts) == raw


@settings(deadline=None)
@given(BATCHES, st.integers(1, 300))
def test_each_part_names_the_link_of_the_next_and_the_last_names_the_foot(raw: bytes, payload: int) -> None:
    parts = split(raw, LOG, EMPTY, payload)
    assert [part.link for part in parts] == [parts[0].batch, *(part.next for part in parts[:-1])]
    assert parts[-1].next == foot(LOG, EMPTY, len(parts))
    assert {(part.tag, part.base, part.batch, part.number) for part in parts} == {
        (LOG[:8], 0, parts[0].batch, len(parts))
    }


def test_the_foot_is_another_for_another_log_head_or_number() -> None:
    heads = [EMPTY, Head(1, EMPTY.hash), Head(0, b"x" * 32)]
    feet = {foot(log, head, number) for log in (LOG, Rule("other").id) for head in heads for number in (1, 2)}
    assert len(feet) == 2 * 3 * 2


@settings(deadline=None)
@given(st.integers(80, 1_100))
def test_a_memo_holds_as_much_as_is_said_and_not_a_byte_more(characters: int) -> None:
    payload = payload_bytes(characters)
    fits, too_much = (split(bytes(payload + more), LOG, EMPTY, payload + more)[0] for more in (0, 1))
    assert len(fits.memo) <= characters < len(too_much.memo)


def test_the_largest_batch_fits_whatever_is_paid() -> None:
    smallest = payload_bytes(room(Fees(price=1, units=MAX_UNITS)))
    assert (MAX_BATCH_BYTES + 1) / smallest <= MAX_PARTS


@settings(deadline=None)
@given(st.text() | st.text(base64._b85alphabet.decode()).map(PREFIX.__add__))  # type: ignore[attr-defined]
def test_any_text_is_read_without_an_error(text: str) -> None:
    part = parse(text)
    assert part is None or 0 <= part.index < part.number <= MAX_PARTS


@pytest.mark.parametrize(
    "memo",
    [
        "",
        "gm",
        "qw1",
        PREFIX,
        PREFIX + "~~~~~",
        PREFIX + "é",
        PREFIX + base64.b85encode(bytes(HEADER_BYTES)).decode(),
        "qw2:" + split(b"x", LOG, EMPTY, 1)[0].memo[4:],
        split(b"x", LOG, EMPTY, 1)[0]._replace(index=1).memo,
        split(b"x", LOG, EMPTY, 1)[0]._replace(number=0).memo,
        split(b"x", LOG, EMPTY, 1)[0]._replace(number=MAX_PARTS + 1).memo,
        split(b"x", LOG, EMPTY, 1)[0]._replace(base=2**63).memo,
    ],
)
def test_what_is_no_part_is_none(memo: str) -> None:
    assert parse(memo) is None


def test_a_known_part_keeps_its_memo_for_ever() -> None:
    """If this fails, no log that exists can be read any more."""
    first, last = split(b"\0" + bytes(range(40)), Rule("garden", since=7).id, Head(3, b"h" * 32), 30)
    assert first.memo == (
        "qw1:6F76OUNqb!0000000003kuLFyhl9wMy(@mWTFn)000002Ud*D~7D$EhK2T=!O=^to000330|W&I2M7rY3k(eo4-gR&6BHE|7Z@2D8yo"
    )
    assert (
        last.link == first.next == link(foot(Rule("garden", since=7).id, Head(3, b"h" * 32), 2), bytes(range(29, 40)))
    )
