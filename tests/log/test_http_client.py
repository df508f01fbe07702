"""What a client does when the other side is broken, slow, or means harm."""

from __future__ import annotations

import base64
import gzip
import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.errors import UserError
from quiltwork.log import EMPTY, Broken, Conflict, Entry, Head, LogCorrupt, LogUnavailable, MemoryLog, Writer
from quiltwork.log.http import HttpLog, LogRefused, Right
from quiltwork.log.http.channel import _proxy, is_loopback
from quiltwork.log.http.wire import Page, encode
from tests.log.conformance import draft
from tests.log.serving import TOKEN, serving
from tests.log.speech import ALICE, MALLORY, Said, begun, say, speaker

Script = Callable[[socket.socket], None]

GOOD = b"HTTP/1.1 200 OK\r\nQuiltwork-Log: 1\r\n"
SSE = GOOD + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def answer(body: bytes, head: bytes = GOOD) -> bytes:
    return head + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(page: Page) -> bytes:
    return chunk(b"data: " + base64.b64encode(encode(page)) + b"\n\n")


@contextmanager
def hostile(*scripts: Script | bytes) -> Iterator[str]:
    """A server that reads one request per connection and does what its script says: the last, for all that come later."""
    listener = socket.create_server(("127.0.0.1", 0))
    connections: list[socket.socket] = []
    ended = threading.Event()

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            script = scripts[min(len(connections), len(scripts) - 1)]
            connections.append(connection)
            threading.Thread(target=play, args=(connection, script), daemon=True).start()

    def play(connection: socket.socket, script: Script | bytes) -> None:
        with suppress(OSError), connection:
            seen = b""
            while b"\r\n\r\n" not in seen:
                piece = connection.recv(65_536)
                if not piece:
                    return
                seen += piece
            if isinstance(script, bytes):
                connection.sendall(script)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65_536):
                    pass
            else:
                script(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        thread.join()


def endlessly(piece: bytes, pause_s: float = 0.0) -> Script:
    def script(connection: socket.socket) -> None:
        while True:
            connection.sendall(piece)
            time.sleep(pause_s)

    return script


def first(head: bytes, then: Script) -> Script:
    def script(connection: socket.socket) -> None:
        connection.sendall(head)
        then(connection)

    return script


def silence(connection: socket.socket) -> None:
    while connection.recv(1_000):
        pass


def entries(count: int = 3) -> tuple[Entry, ...]:
    return draft(*[str(number) for number in range(count)])


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exchange may take a tenth of a second."""
    monkeypatch.setattr("quiltwork.log.http.errand.ANSWER_S", 0.1)
    monkeypatch.setattr("quiltwork.log.http.errand.SILENCE_S", 0.1)
    monkeypatch.setattr("quiltwork.log.http.errand.SLOWEST_BYTES_PER_S", 1 << 30)


def impatient(url: str) -> HttpLog:
    return HttpLog(url, TOKEN, patience_s=0.0)


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


# Secrets


def test_httpcore_logs_nothing_of_what_is_sent(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(begun()) as served:
        served.client().append((), served.client().head())
        next(served.client().follow())
    assert "send_request_headers" in caplog.text
    assert TOKEN not in caplog.text


def test_no_token_is_ever_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, "httpcore")  # whose debugging shows what servers say, and these repeat the token
    shown: list[str] = []

    def note(act: Callable[[], object]) -> None:
        with pytest.raises(UserError) as error:
            act()
        shown.append("".join(traceback.format_exception(error.value)))

    for reply in (
        b"",
        b"HTTP/1.1 200 " + TOKEN.encode() + b"\x00\r\n\r\n",
        answer(TOKEN.encode()),
        answer(TOKEN.encode(), b"HTTP/1.1 401 No\r\n"),
        answer(b"", GOOD.replace(b": 1", b": " + TOKEN.encode())),
        answer(encode({"code": "new", "why": f"no {TOKEN} here"}), b"HTTP/1.1 400 No\r\nQuiltwork-Log: 1\r\n"),
        SSE + chunk(b"data: " + TOKEN.encode() + b"\n\n"),
    ):
        with hostile(reply) as url:
            log = impatient(url)
            shown += [repr(log), str(log), repr(log._channel), repr(vars(log))]
            note(log.head)
            note(lambda log=log: log.append(entries(), EMPTY))
            note(lambda log=log: next(log.follow()))
    with serving(begun(), {"another-token-altogether": {Right.READ}}) as served:
        note(served.client().head)
    note(lambda: HttpLog("http://127.0.0.1:1", TOKEN + " é").head())
    note(lambda: HttpLog(f"http://user:{TOKEN}@127.0.0.1:1", "x").head())
    note(lambda: HttpLog(f"http://127.0.0.1:1/#{TOKEN}", "x").head())
    note(lambda: HttpLog(f"nonsense:{TOKEN}", "x").head())
    assert not [text for text in (*shown, caplog.text) if TOKEN in text]


LONG_LABEL = "http://" + "x" * 70 + ".y"


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "ftp://x", "http://", "http://h:0", "http://h:99999", "http://h:x", "http://h?q=1", LONG_LABEL],
)
def test_what_is_no_address_is_told_apart(url: str) -> None:
    with pytest.raises(UserError, match="This is not the address of a log"):
        HttpLog(url, TOKEN)


def test_this_machine_is_reached_without_the_proxies_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://user:word@127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with serving(begun()) as served:
        assert served.client().head().length == 1
    assert _proxy("http", "127.0.0.1") is _proxy("http", "localhost") is _proxy("https", "::1") is None
    proxy = _proxy("https", "log.example.org")
    assert proxy is not None
    assert (proxy.url.host, proxy.url.port, proxy.auth) == (b"127.0.0.1", 9, (b"user", b"word"))
    monkeypatch.setenv("no_proxy", "example.org")
    assert _proxy("https", "log.example.org") is None
    assert all(is_loopback(host) for host in ("127.8.8.8", "::1", "localhost"))
    assert not any(is_loopback(host) for host in ("example.org", "10.0.0.1", ""))


def test_another_machine_is_reached_through_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    def proxy(connection: socket.socket) -> None:
        connection.sendall(answer(encode([1, bytes(32)])))
        silence(connection)

    with hostile(proxy) as url:
        monkeypatch.setenv("http_proxy", url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert HttpLog("http://log.invalid", TOKEN).head() == Head(1, bytes(32))


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
