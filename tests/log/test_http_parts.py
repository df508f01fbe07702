"""The parts of a log over HTTP that need no network: rates, tokens, events, patience."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.errors import UserError
from quiltwork.log.http import Rate, Right, Tokens, new_token
from quiltwork.log.http.channel import LONGEST_PAUSE_S, Lost, Patience, SlowDown
from quiltwork.log.http.errand import TooLong
from quiltwork.log.http.events import Event, Events
from quiltwork.log.http.listen import listen
from quiltwork.log.http.rate import MAX_METERED, Bucket, Meter
from quiltwork.log.http.tokens import parse_rights


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    bucket = Bucket(Rate(2, 10), now=0.0)
    assert bucket.wait_s(10, 0.0) == 0
    bucket.take(10, 0.0)
    assert bucket.wait_s(4, 0.0) == 2
    assert bucket.wait_s(4, 1.0) == 1
    assert bucket.wait_s(4, 2.0) == 0


def test_more_than_the_burst_can_be_taken_from_a_full_bucket_and_is_owed() -> None:
    bucket = Bucket(Rate(1, 10), now=0.0)
    assert bucket.wait_s(25, 0.0) == 0
    bucket.take(25, 0.0)
    assert bucket.wait_s(1, 0.0) == 16
    assert bucket.wait_s(1, 16.0) == 0


@given(
    asks=st.lists(st.tuples(st.floats(0, 5), st.floats(0, 30)), max_size=40),
    rate=st.builds(Rate, st.floats(0.1, 10), st.floats(1, 20)),
)
def test_nobody_gets_more_than_the_rate_and_two_bursts(asks: list[tuple[float, float]], rate: Rate) -> None:
    bucket, now, taken = Bucket(rate, 0.0), 0.0, 0.0
    for pause, amount in asks:
        now += pause
        amount = min(amount, rate.burst)
        if bucket.wait_s(amount, now) == 0:
            bucket.take(amount, now)
            taken += amount
        assert taken <= rate.burst + now * rate.per_s + 1e-6


def test_who_is_told_to_wait_so_long_may_take_it_then() -> None:
    meter = Meter(Rate(3, 5), Rate(100, 1_000))
    meter.take(b"a", 5, 700, 0.0)
    wait = meter.wait_s(b"a", 2, 400, 0.0)
    assert wait == pytest.approx(1.0)
    assert meter.wait_s(b"a", 2, 400, wait + 1e-9) == 0
    assert meter.wait_s(b"b", 5, 1_000, 0.0) == 0


def test_only_so_many_are_remembered_and_the_busiest_longest() -> None:
    meter = Meter(Rate(1, 1), Rate(1, 1))
    meter.take(b"quiet", 1, 0, 0.0)
    meter.take(b"busy", 1, 0, 0.0)
    for number in range(MAX_METERED - 1):
        assert meter.wait_s(b"busy", 1, 0, 0.0) == 1
        meter.take(str(number).encode(), 1, 0, 0.0)
    assert meter.wait_s(b"busy", 1, 0, 0.0) == 1
    assert meter.wait_s(b"quiet", 1, 0, 0.0) == 0


def test_tokens_are_found_and_not_shown() -> None:
    one, two = new_token(), new_token()
    tokens = Tokens({one: {Right.READ}, two: {Right.SPEAK, Right.READ}})
    found = tokens.grant(two)
    assert found is not None
    assert found.rights == {Right.SPEAK, Right.READ}
    assert tokens.grant(one + two) is tokens.grant("") is None
    for text in (repr(tokens), str(vars(tokens)), repr(found)):
        assert one not in text
        assert two not in text
    assert one != two
    assert len(one) == 32


@pytest.mark.parametrize(
    "secret", ["", "short", "fifteen-letters", "with a space in it", "tabs\tare no better", "é" * 20]
)
def test_a_secret_that_cannot_be_one_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(UserError, match=r"16 characters|without spaces") as refused:
        Tokens({secret: {Right.READ}})
    assert not secret or secret not in str(refused.value)


def test_rights_are_read_as_people_write_them() -> None:
    assert parse_rights("read") == {Right.READ}
    assert parse_rights(" speak, read") == {Right.READ, Right.SPEAK}
    for text in ("", "all", "read,", "READ"):
        with pytest.raises(UserError, match="write some of read,speak,write"):
            parse_rights(text)


def test_events_are_read_as_the_standard_says() -> None:
    stream = b": ping\r\n\r\nid: 4\r\ndata: one\r\ndata:two\r\n\r\nevent: trouble\ndata: x\n\nevent: empty\n\ndata\n\ndata: half"
    assert Events(100).feed(stream) == [Event("message", b"one\ntwo"), Event("trouble", b"x"), Event("message", b"")]


@given(
    data=st.lists(st.text("ab:\u00e9", max_size=20), max_size=6),
    sizes=st.lists(st.integers(1, 9), min_size=1),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_events_are_the_same_however_the_stream_is_cut(data: list[str], sizes: list[int], end: str) -> None:
    stream = "".join(f"data: {each}{end}{end}" for each in data).encode()
    events, found, at = Events(10_000), [], 0
    while at < len(stream):
        for size in sizes:
            found += events.feed(stream[at : at + size])
            at += size
    assert found == [Event("message", each.encode()) for each in data]


@given(
    pieces=st.lists(
        st.one_of(st.binary(max_size=30), st.sampled_from([b"data: x\n", b"\n", b"data:" + b"y" * 20])), max_size=60
    )
)
def test_no_stream_makes_an_event_longer_than_allowed(pieces: list[bytes]) -> None:
    events = Events(64)
    try:
        for piece in pieces:
            assert all(len(event.data) <= 64 + 30 for event in events.feed(piece))
    except TooLong:
        pass


def test_patience_pauses_longer_each_time_up_to_a_limit_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("quiltwork.log.http.channel.time.monotonic", lambda: now[0])
    patience, pauses = Patience(60), []

    def wait() -> None:
        pauses.append(patience.pause(Lost("gone")))
        now[0] += pauses[-1]

    def wait_again_and_again() -> None:
        for _ in range(100):
            wait()

    with pytest.raises(Lost):
        wait_again_and_again()
    assert pauses[0] <= 0.1
    assert max(pauses) <= LONGEST_PAUSE_S
    assert 50 <= sum(pauses) <= 60
    patience.renew()
    assert patience.pause(SlowDown("wait", 7.0)) >= 7
    with pytest.raises(SlowDown):
        patience.pause(SlowDown("wait", 61.0))


def test_a_port_that_is_taken_is_said_clearly() -> None:
    with listen("127.0.0.1", 0) as taken:
        assert taken.proto == socket.IPPROTO_TCP  # or asyncio leaves small answers waiting for 40 ms
        with pytest.raises(UserError, match="Choose another: --port 0"):
            listen("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(UserError, match="Choose another address"):
        listen("no.such.host.invalid", 0)


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("quiltwork.log", ("httpcore", "httpx", "starlette", "uvicorn", "psycopg")),
        ("quiltwork.log.http", ("httpx", "starlette", "uvicorn", "psycopg")),
    ],
)
def test_what_only_some_need_is_loaded_by_those_alone(module: str, absent: tuple[str, ...]) -> None:
    source = f"import sys, {module}; print([name for name in {absent} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", source], text=True) == "[]\n"
