"""What a client does when what is sent is not what was asked for, has no end, or comes too slowly."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.errors import UserError
from quiltwork.log import EMPTY, Broken, Head, LogCorrupt, LogUnavailable
from quiltwork.log.http import HttpLog, LogRefused
from quiltwork.log.http.wire import Page, encode
from tests.log.conformance import draft
from tests.log.hostile import (
    GOOD,
    SSE,
    Script,
    answer,
    chunk,
    endlessly,
    entries,
    first,
    hostile,
    impatient,
    silence,
)
from tests.log.serving import TOKEN
from tests.log.speech import MALLORY, Said, begun, say, speaker

# What is sent is not what was asked for


@pytest.mark.parametrize(
    ("body", "error", "why"),
    [
        (b"", LogCorrupt, "something else than was asked for"),
        (b"\xc1\xc1", LogCorrupt, "something else"),
        (b"\x91" * 100_000, LogCorrupt, "something else"),
        (encode([[[1, 2, 3]], 1]), LogCorrupt, "something else"),
        (encode(Page((), 5)), LogCorrupt, "gives no entries from 0 on, but says that there are 5"),
        (encode(Page(entries()[1:], 3)), Broken, "its seq is 1, but 0 entries come before it"),
        (encode(Page((entries()[0], entries()[2]), 3)), Broken, "broken at entry 1: its seq is 2"),
        (encode(Page(tuple(reversed(entries())), 3)), Broken, "broken at entry 0"),
        (encode(Page((entries()[0], say(begun(), "two")[0]), 2)), Broken, "its prev is not the hash of entry 0"),
        (encode(Page((msgspec.structs.replace(entries()[0], kind="No"),), 1)), Broken, "its kind is not"),
        (encode(Page((msgspec.structs.replace(entries()[0], signature=b""),), 1)), Broken, "its signature is not 64"),
    ],
    ids=["nothing", "garbage", "deep", "other", "empty", "beheaded", "gap", "backwards", "forged", "kind", "short"],
)
def test_a_page_that_is_no_page_is_told_apart(body: bytes, error: type[UserError], why: str) -> None:
    with hostile(answer(body)) as url, pytest.raises(error, match=why):
        list(impatient(url).read())


def test_a_page_from_the_middle_must_begin_there() -> None:
    with hostile(answer(encode(Page(entries(), 3)))) as url, pytest.raises(Broken, match="entry 1: its seq is 0"):
        list(impatient(url).read(1))
    with (
        hostile(answer(encode(Page(entries(), 3)))) as url,
        pytest.raises(LogCorrupt, match="more entries than were asked"),
    ):
        list(impatient(url).read(0, 2))


def test_pages_must_follow_one_another() -> None:
    other = list(say(begun(owner=MALLORY), "two", "three"))
    pages = [answer(encode(Page(entries()[:1], 3))), answer(encode(Page(tuple(other), 3)))]
    with hostile(*pages) as url, pytest.raises(Broken, match="entry 1: its prev is not the hash of entry 0"):
        list(impatient(url).read())


@pytest.mark.parametrize("head", [[-1, bytes(32)], [1, b"short"], [1], "1:00", [2**63, bytes(32)]], ids=str)
def test_a_head_that_is_none_is_told_apart(head: object) -> None:
    with hostile(answer(encode(head))) as url, pytest.raises(LogCorrupt):
        impatient(url).head()


def test_an_append_that_is_answered_with_another_head_is_told() -> None:
    with (
        hostile(answer(encode([3, bytes(32)]))) as url,
        pytest.raises(LogCorrupt, match="but what was appended ends at"),
    ):
        impatient(url).append(entries(), EMPTY)


def test_a_receipt_for_other_statements_is_told_apart() -> None:
    (statement,) = speaker(begun()).say(Said("one"))
    with (
        hostile(answer(encode([[[1, "", ""], [2, "", ""]]]))) as url,
        pytest.raises(LogCorrupt, match="2 outcomes of 1"),
    ):
        impatient(url).submit([statement])


def test_another_version_is_told_with_both() -> None:
    reply = answer(b"", b"HTTP/1.1 400 Bad\r\nQuiltwork-Log: 99\r\n")
    with hostile(reply) as url:
        with pytest.raises(LogRefused, match=r"speaks version 99 .* this program version 1\. Upgrade the older"):
            impatient(url).head()
        with pytest.raises(LogRefused, match="version 99"):
            next(impatient(url).follow())


def test_a_redirect_is_not_followed() -> None:
    reply = answer(b"", b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n")
    with hostile(reply) as url, pytest.raises(LogRefused, match="status 302"):
        impatient(url).head()


def test_what_is_compressed_unasked_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(50 << 20))
    with hostile(answer(bomb, GOOD + b"Content-Encoding: gzip\r\n")) as url, pytest.raises(LogCorrupt):
        impatient(url).head()


@pytest.mark.parametrize(
    "code", ["slow-down", "busy", "unavailable", "conflict", "corrupt", "broken", "forbidden", "new"]
)
@pytest.mark.parametrize("wait", [0.0, -1.0, 1e300, float("inf"), float("nan")])
def test_any_trouble_is_an_error_at_the_end_of_patience(code: str, wait: float) -> None:
    reply = answer(
        encode({"code": code, "why": "\x1b[31mbecause", "wait_s": wait}), b"HTTP/1.1 500 No\r\nQuiltwork-Log: 1\r\n"
    )
    with hostile(reply) as url, pytest.raises(UserError) as error:
        impatient(url).head()
    assert "\x1b" not in str(error.value)


# What is sent has no end, or comes too slowly


@pytest.mark.parametrize(
    "script",
    [
        first(GOOD + b"\r\n", endlessly(b"x" * 65_536)),
        first(GOOD + b"Content-Length: 99999999999\r\n\r\n", endlessly(b"x" * 65_536)),
        first(SSE, endlessly(chunk(b"x" * 65_536))),
    ],
    ids=["until closed", "long", "chunked"],
)
def test_an_endless_answer_is_cut_off(script: Script) -> None:
    with hostile(script) as url, pytest.raises(LogCorrupt, match="sends without an end: more than"):
        impatient(url).head()


@pytest.mark.parametrize(
    "script",
    [
        silence,
        endlessly(b"x"),
        endlessly(b"HTTP/1.1 100 Continue\r\n\r\n"),
        first(b"HTTP/1.1 200 OK\r\n", endlessly(b"X: y\r\n")),
        first(GOOD, silence),
        first(GOOD + b"Content-Length: 5\r\n\r\n", endlessly(b"", 0.01)),
        first(GOOD + b"Content-Length: 500\r\n\r\n", endlessly(b"x", 0.02)),
        endlessly(b"HTTP/1.1 100 Continue\r\n\r\n", 0.02),
        first(GOOD + b"Y", endlessly(b"x", 0.02)),
    ],
    ids=["silence", "garbage", "100s", "headers", "half", "no body", "drip", "dripping 100s", "dripping header"],
)
@pytest.mark.usefixtures("quick")
def test_a_server_that_gets_nowhere_is_given_up(script: Script) -> None:
    with hostile(script) as url:
        with pytest.raises(LogUnavailable, match="cannot be reached, or hung up"):
            impatient(url).head()
        with pytest.raises(
            (LogUnavailable, LogCorrupt), match=r"cannot be reached, or hung up|something else than events"
        ):
            next(impatient(url).follow())


@pytest.mark.usefixtures("quick")
def test_a_server_that_takes_nothing_is_given_up() -> None:
    large = draft(*["x" * 1_000_000] * 12)
    with hostile(lambda connection: threading.Event().wait(5) and None) as url, pytest.raises(LogUnavailable):
        impatient(url).append(large, EMPTY)


def test_an_answer_that_is_cut_short_is_asked_for_again() -> None:
    page = answer(encode(Page(entries(), 3)))
    with hostile(b"", page[:-20], page[:30], page) as url:
        assert list(HttpLog(url, TOKEN).read()) == list(entries())


def test_a_server_that_is_not_there_is_given_up_after_a_while() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # so that nobody else listens there
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(LogUnavailable, match="Check that it runs and that the address is right"):
            HttpLog(url, TOKEN, patience_s=0.5).head()
        assert time.monotonic() - began > 0.1
        with pytest.raises(LogUnavailable, match="cannot be reached"):
            next(HttpLog(url, TOKEN, patience_s=0.1).follow())


def test_what_stands_before_a_server_is_waited_for() -> None:
    bad = answer(b"Bad Gateway", b"HTTP/1.1 502 Bad Gateway\r\n")
    good = answer(encode([1, bytes(32)]))
    with hostile(bad, bad, good) as url:
        assert HttpLog(url, TOKEN).head() == Head(1, bytes(32))
        with pytest.raises(LogUnavailable, match="status 502"), hostile(bad) as other:
            impatient(other).head()


# For every answer


@pytest.fixture(scope="module")
def parrot() -> Iterator[tuple[HttpLog, list[bytes]]]:
    """A client, and what its server will say next."""
    says = [b""]
    with hostile(lambda connection: connection.sendall(says[0])) as url:
        yield impatient(url), says


VALID = answer(encode(Page(entries(), 3)))


@settings(max_examples=150, deadline=None)
@given(reply=st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(answer)))
def test_whatever_is_answered_is_an_error_and_no_crash(parrot: tuple[HttpLog, list[bytes]], reply: bytes) -> None:
    client, says = parrot
    says[0] = reply
    for use in (client.head, lambda: list(client.read()), lambda: list(client.follow())):
        with pytest.raises(UserError):
            use()


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_flipped_bit_of_an_answer_is_found_or_changes_what_a_signature_shows(
    parrot: tuple[HttpLog, list[bytes]], data: st.DataObject
) -> None:
    client, says = parrot
    changed = bytearray(VALID)
    bit = data.draw(st.integers(0, 8 * len(VALID) - 1))
    changed[bit // 8] ^= 1 << bit % 8
    says[0] = bytes(changed)
    try:
        got = list(client.read())
    except UserError:
        return
    # Only a signature or what the last entry says can have changed, which no hash of a later entry covers
    assert [each.hash for each in got[:-1]] == [each.hash for each in entries()[: len(got) - 1]]
