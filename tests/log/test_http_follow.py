"""Followers that are cut off or lied to, and appends whose answer is lost."""

from __future__ import annotations

import base64
import threading
import time

import pytest

from quiltwork.errors import UserError
from quiltwork.log import EMPTY, Broken, Conflict, Head, LogCorrupt, LogUnavailable, MemoryLog, Writer
from quiltwork.log.http import HttpLog
from quiltwork.log.http.wire import Page, encode
from tests.log.conformance import draft
from tests.log.hostile import (
    SSE,
    Script,
    answer,
    chunk,
    endlessly,
    entries,
    event,
    first,
    hostile,
    impatient,
    silence,
)
from tests.log.serving import TOKEN, serving
from tests.log.speech import ALICE, MALLORY, Said, begun, say

# Followers


@pytest.mark.parametrize(
    ("stream", "error", "why"),
    [
        (chunk(b"data: !!!\n\n"), LogCorrupt, "no base64"),
        (chunk(b"data: AAAA\n\n"), LogCorrupt, "something else"),
        (event(Page(entries()[1:], 3)), Broken, "entry 0: its seq is 1"),
        (event(Page(entries()[:1], 3)) + event(Page(entries()[:1], 3)), Broken, "entry 1: its seq is 0"),
        (event(Page(entries()[:1], 3)) + event(Page(say(begun(owner=MALLORY), "x"), 3)), Broken, "its prev is not"),  # type: ignore[arg-type]
        (
            chunk(b"event: trouble\ndata: " + base64.b64encode(encode({"code": "corrupt", "why": "w"})) + b"\n\n"),
            LogCorrupt,
            "w",
        ),
    ],
    ids=["text", "other", "gap", "again", "forged", "trouble"],
)
def test_a_stream_that_is_no_log_is_told_apart(stream: bytes, error: type[UserError], why: str) -> None:
    with hostile(SSE + stream) as url, pytest.raises(error, match=why):
        list(impatient(url).follow())


@pytest.mark.parametrize("piece", [b"x" * 65_536, b"data: " + b"x" * 65_536 + b"\n"], ids=["line", "event"])
def test_an_endless_event_is_cut_off(piece: bytes) -> None:
    with hostile(first(SSE, endlessly(chunk(piece)))) as url, pytest.raises(LogCorrupt, match="sends without an end"):
        next(impatient(url).follow())


@pytest.mark.usefixtures("quick")
def test_a_stream_that_falls_silent_is_left() -> None:
    with hostile(first(SSE + event(Page(entries(), 3)), silence)) as url:
        follower = impatient(url).follow()
        assert [next(follower).seq for _ in range(3)] == [0, 1, 2]
        with pytest.raises(LogUnavailable, match="cannot be reached, or hung up"):
            next(follower)


def test_a_stream_of_nothing_but_noise_can_be_left() -> None:
    scripts = [first(SSE, endlessly(chunk(b": noise\n"))), answer(encode(Page((), 0)))]
    with hostile(*scripts) as url:
        began = time.monotonic()
        assert list(HttpLog(url, TOKEN).follow(poll_s=0.01, stop=lambda: time.monotonic() > began + 0.1)) == []


@pytest.mark.parametrize("script", [silence, first(SSE, silence), b""], ids=["no answer", "no event", "hangs up"])
def test_a_follower_stops_when_it_is_told_whatever_the_server_does(script: Script | bytes) -> None:
    told = threading.Event()
    with hostile(script) as url:
        client = HttpLog(url, TOKEN, patience_s=0.5)
        thread = threading.Timer(0.1, told.set)
        thread.start()
        with pytest.raises(LogUnavailable):  # since what is there cannot be read to the end
            list(client.follow(poll_s=0.01, stop=lambda: told.is_set() and client.close() is None))
        thread.join()


def test_a_follower_that_was_cut_off_goes_on_without_a_gap_or_a_repetition() -> None:
    wanted = entries(5)
    scripts = [
        SSE + event(Page(wanted[:2], 2)),
        SSE + event(Page(wanted[2:3], 3)) + event(Page(wanted[3:], 5))[:50],
        first(SSE + event(Page(wanted[3:], 5)), silence),
    ]
    with hostile(*scripts) as url:
        follower = HttpLog(url, TOKEN).follow()
        assert [next(follower) for _ in range(5)] == list(wanted)


def test_more_followers_than_connections_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quiltwork.log.http.channel.MAX_CONNECTIONS", 2)
    monkeypatch.setattr("quiltwork.log.http.channel.ANSWER_S", 0.05)
    with serving(begun()) as served:
        client = served.client(patience_s=0.1)
        one, two = client.follow(), client.follow()
        next(one)
        next(two)
        with pytest.raises(LogUnavailable, match="PoolTimeout"):
            client.head()
        one.close()  # type: ignore[attr-defined]
        assert client.head().length == 1


# Appends whose answer is lost


def test_an_append_whose_answer_is_lost_is_looked_for_and_not_sent_again() -> None:
    class Once(MemoryLog):
        appends = 0

        def append(self, entries: object, expect: Head) -> Head:
            self.appends += 1
            head = super().append(entries, expect)  # type: ignore[arg-type]
            raise LogUnavailable(f"lost at {head}")

    log = Once()
    with serving(log) as served:
        written = Writer(served.client(), ALICE).append(Said("one"), Said("two"))
    assert list(log.read()) == list(written)
    assert log.appends == 1


def test_an_append_that_did_not_arrive_is_sent_again_and_another_writer_is_a_conflict() -> None:
    class Deaf(MemoryLog):
        deaf = 2

        def append(self, entries: object, expect: Head) -> Head:
            if self.deaf:
                self.deaf -= 1
                if rival and not self.deaf:
                    super().append(draft("rival"), EMPTY)
                raise LogUnavailable("lost")
            return super().append(entries, expect)  # type: ignore[arg-type]

    for rival in (False, True):
        log = Deaf()
        with serving(log) as served:
            if rival:
                with pytest.raises(Conflict):
                    served.client().append(draft("one", "two"), EMPTY)
                assert log.head().length == 1
            else:
                served.client().append(draft("one", "two"), EMPTY)
                assert log.head().length == 2


def test_a_log_that_was_closed_says_so() -> None:
    with serving(begun()) as served:
        log = served.client()
        follower = log.follow(poll_s=0.01)
        next(follower)
        log.close()
        for use in (log.head, lambda: next(follower), lambda: next(log.follow()), lambda: log.append((), EMPTY)):
            with pytest.raises(LogUnavailable, match="was closed here"):
                use()
