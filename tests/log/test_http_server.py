from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from quiltwork.errors import UserError
from quiltwork.log import (
    EMPTY,
    Broken,
    Conflict,
    Entry,
    Head,
    LogUnavailable,
    MemoryLog,
    Outcome,
    Receipt,
    Sequencer,
    Writer,
    verify,
)
from quiltwork.log.http import HttpLog, LogRefused, Right, Tokens
from quiltwork.log.http.server import log_routes
from tests.log.conformance import draft, forged
from tests.log.serving import READER, RIGHTS, TALKER, TOKEN, WRITER, raw, running, serving, trouble
from tests.log.speech import ALICE, BOB, MALLORY, Noted, Said, begun, say, speaker


class Ailing(MemoryLog):
    """A log whose storage fails as often as it is told."""

    failures = 0

    def head(self) -> Head:
        if self.failures:
            self.failures -= 1
            raise LogUnavailable("Cannot use the log /home/alice/secret/log.db: the disk is full.")
        return super().head()


# Who may do what


def test_each_right_opens_its_own_doors_and_no_others() -> None:
    log = begun()
    with serving(log, RIGHTS, sequencer=Sequencer(log, ALICE)) as served:
        statements = speaker(log).say(Said("one"))
        reader, writer, talker = (served.client(token) for token in (READER, WRITER, TALKER))
        assert reader.head().length == 1
        assert len(list(reader.read())) == 1
        assert len(list(reader.follow(stop=lambda: True))) == 1
        for client, right in ((writer, "read"), (talker, "read")):
            with pytest.raises(LogRefused, match=f"not give the right to {right}. Ask whoever serves the log"):
                client.head()
            with pytest.raises(LogRefused, match=f"right to {right}"):
                next(client.follow())
        for client in (reader, talker):
            with pytest.raises(LogRefused, match="right to write"):
                client.append((), log.head())
        for client in (reader, writer):
            with pytest.raises(LogRefused, match="right to speak"):
                client.submit(statements)
        assert talker.submit(statements).refused == ()
        assert writer.append((), log.head()) == log.head()


@pytest.mark.parametrize("token", ["nothing", TOKEN[:-1], TOKEN + "!", TOKEN.upper()])
def test_who_has_no_token_gets_nothing(token: str) -> None:
    with serving(begun()) as served:
        for method, path in (("GET", "head"), ("GET", "entries"), ("GET", "follow"), ("POST", "entries")):
            response = raw(served, method, path, headers={"authorization": f"Bearer {token}".encode()})
            assert response.status_code == 401
            assert trouble(response).code == "unauthorized"
        assert raw(served, "GET", "head", headers={"authorization": TOKEN[:-1]}).status_code == 401
        with pytest.raises(LogRefused, match="those who have a token"):
            served.client(token).head()


def test_another_version_is_answered_with_both_versions() -> None:
    with serving(begun()) as served:
        for version in ("2", "", "what\x80ever"):
            response = raw(served, "GET", "head", headers={"quiltwork-log": version.encode("latin-1")})
            assert response.status_code == 400
            assert response.headers["quiltwork-log"] == "1"
            assert "This server speaks version 1" in trouble(response).why
            assert version in trouble(response).why


def test_a_log_can_be_mounted_below_a_path() -> None:
    routes = log_routes(begun(), Tokens({TOKEN: set(Right)}))
    with running(Starlette(routes=[Mount("/runs/demo", routes=routes)])) as served:
        assert HttpLog(f"{served.url}/runs/demo/", TOKEN).head().length == 1


# What it answers


def test_a_conflict_names_both_heads_and_a_broken_batch_its_entry() -> None:
    with serving(MemoryLog()) as served:
        log = served.client()
        entries = draft("one", "two")
        log.append(entries, EMPTY)
        with pytest.raises(Conflict) as conflict:
            log.append(draft("other"), EMPTY)
        assert (conflict.value.expected, conflict.value.found) == (EMPTY, log.head())
        body = msgspec.msgpack.encode([2, entries[1].hash, [forged(entries[0], seq=2)]])
        response = raw(served, "POST", "entries", content=body)
        assert response.status_code == 422
        assert trouble(response).seq == 2
        with pytest.raises(Broken, match="entry 2"):
            raise log._channel.failure(trouble(response))


def test_statements_are_placed_and_those_that_cannot_be_are_refused() -> None:
    log = begun()
    with serving(log, sequencer=Sequencer(log, ALICE)) as served:
        client = served.client()
        one, two = speaker(client).say(Said("one"), Said("two"))
        bad = msgspec.structs.replace(two, time=0)
        receipt = client.submit([one, bad, two, two])
        assert [outcome.seq for outcome in receipt.outcomes] == [1, None, 2, 2]
        assert receipt.refused[0].code == "forged"
        assert client.submit([one]) == Receipt((Outcome(1),))
        assert client.submit([]) == Receipt(())
        assert verify(client).authors == {ALICE.author: 1, MALLORY.author: 2}


def test_more_statements_than_a_request_may_hold_go_in_several() -> None:
    log = begun()
    with serving(log, sequencer=Sequencer(log, ALICE)) as served:
        client = served.client()
        small = speaker(log).say(*[Noted(number) for number in range(300)])
        assert [outcome.seq for outcome in client.submit(small).outcomes] == list(range(1, 301))
        large = speaker(log, BOB).say(*[Said("x" * 1_000_000) for _ in range(6)])
        assert [outcome.seq for outcome in client.submit(large).outcomes] == list(range(301, 307))
        assert verify(client).count == 307


def test_a_log_without_a_sequencer_says_that_it_takes_no_statements() -> None:
    log = begun()
    with serving(log) as served, pytest.raises(LogRefused, match="takes no statements"):
        served.client().submit(speaker(log).say(Said("one")))


def test_what_is_too_large_is_refused_before_it_is_read() -> None:
    log = begun()
    with serving(log, sequencer=Sequencer(log, ALICE)) as served:
        address = urlsplit(served.url)
        for path, length in (("entries", 16 << 20), ("statements", 4 << 20)):
            with socket.create_connection((address.hostname, address.port)) as connection:  # type: ignore[arg-type]
                head = f"POST /{path} HTTP/1.1\r\nHost: x\r\nQuiltwork-Log: 1\r\nAuthorization: Bearer {TOKEN}\r\n"
                connection.sendall(f"{head}Content-Length: {length + 1}\r\n\r\n".encode())
                assert connection.recv(1_000).startswith(b"HTTP/1.1 413")
        many = speaker(log).say(*[Noted(number) for number in range(257)])
        assert raw(served, "POST", "statements", content=msgspec.msgpack.encode(many)).status_code == 413
        with pytest.raises(LogRefused, match="At most 4096 entries may be appended at once"):
            Writer(served.client(), ALICE).append(*[Noted(number) for number in range(4_097)])
        assert log.head().length == 1


def test_a_body_of_unknown_length_is_refused() -> None:
    with serving(begun()) as served:
        response = raw(served, "POST", "entries", content=iter([b"x"]))
        assert (response.status_code, trouble(response).code) == (411, "no-length")


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x93\x00\xa0\x90", msgspec.msgpack.encode([0, bytes(32), [[1, 2]]])])
def test_a_body_that_is_something_else_is_refused(body: bytes) -> None:
    log = begun()
    with serving(log, sequencer=Sequencer(log, ALICE)) as served:
        for path in ("entries", "statements"):
            response = raw(served, "POST", path, content=body)
            assert response.status_code in (400, 422)
        for query in ("start=x", "start=-1", "start=" + "9" * 30, "stop=½"):
            assert raw(served, "GET", f"entries?{query}").status_code == 400


def test_a_body_that_comes_too_slowly_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quiltwork.log.http.server.BODY_PATIENCE_S", 0.05)
    with serving(begun()) as served:
        address = urlsplit(served.url)
        with socket.create_connection((address.hostname, address.port)) as connection:  # type: ignore[arg-type]
            head = f"POST /entries HTTP/1.1\r\nHost: x\r\nQuiltwork-Log: 1\r\nAuthorization: Bearer {TOKEN}\r\n"
            connection.sendall(f"{head}Content-Length: 100\r\n\r\nx".encode())
            assert connection.recv(1_000).startswith(b"HTTP/1.1 408")


def test_pages_are_bounded_by_entries_and_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quiltwork.log.http.wire.PAGE_ENTRIES", 3)
    log = MemoryLog()
    say(log, *"abcdefgh")
    with serving(log) as served:
        count = len(msgspec.msgpack.decode(raw(served, "GET", "entries?start=1").content)[0])
        assert count == 3
        assert list(served.client().read(1, 7)) == list(log.read(1, 7))
        monkeypatch.setattr("quiltwork.log.http.wire.PAGE_BYTES", 1)
        assert len(msgspec.msgpack.decode(raw(served, "GET", "entries").content)[0]) == 1
        assert list(served.client().read()) == list(log.read())


def test_a_storage_that_fails_is_tried_again_and_its_place_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    log = Ailing()
    say(log, "one")
    with serving(log) as served:
        log.failures = 2
        assert served.client().head().length == 1
        assert "/home/alice/secret/log.db" in caplog.text
        log.failures = 1_000
        with pytest.raises(LogUnavailable, match="cannot use its log now") as unavailable:
            served.client(patience_s=0.2).head()
        assert "alice" not in str(unavailable.value)


def test_a_log_that_refuses_in_its_own_way_is_no_crash() -> None:
    class Choosy(MemoryLog):
        def append(self, entries: Sequence[Entry], expect: Head) -> Head:
            raise UserError("More than /home/alice can hold.")

    with serving(Choosy()) as served, pytest.raises(LogRefused, match="does not take this") as refused:
        served.client().append(draft("one"), EMPTY)
    assert "alice" not in str(refused.value)


def test_no_answer_is_kept_on_the_way() -> None:
    with serving(begun()) as served:
        for path in ("head", "entries", "entries?start=x"):
            assert raw(served, "GET", path).headers["cache-control"] == "no-store"


def test_the_offset_of_the_clocks_is_known() -> None:
    routes = log_routes(begun(), Tokens({TOKEN: set(Right)}), clock=lambda: time.time_ns() + 3_600 * 10**9)
    with running(Starlette(routes=routes)) as served:
        assert served.client().clock_offset_s() == pytest.approx(3_600, abs=60)
    with serving(begun()) as served:
        client = served.client()
        client.head()
        assert client.clock_offset_s() == pytest.approx(0, abs=60)


def test_an_answer_from_something_else_is_told_apart() -> None:
    app = Starlette(routes=[Route("/head", lambda request: PlainTextResponse("Welcome!"))])
    with running(app) as served:
        with pytest.raises(LogRefused, match=r"no log of Quiltwork at .* status 200\. Check the address"):
            served.client().head()
        with pytest.raises(LogRefused, match="status 404"):
            list(served.client().read())
