from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from textwrap import dedent
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from quiltwork.keys import Identity
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
    Speaker,
    SqliteLog,
    Writer,
    log_id,
    verify,
)
from quiltwork.log.http import HttpLog, Limits, LogRefused, Rate, Right, Tokens
from quiltwork.log.http.server import log_routes
from quiltwork.log.http.wire import Trouble
from tests.log.conformance import draft, forged
from tests.log.serving import TOKEN, Served, running, serving, wait_until
from tests.log.speech import ALICE, BOB, MALLORY, Noted, Said, begun, say, speaker

READER, WRITER, TALKER = "reads-and-nothing-else", "writes-and-nothing-else", "talks-and-nothing-else"
RIGHTS = {TOKEN: frozenset(Right), READER: {Right.READ}, WRITER: {Right.WRITE}, TALKER: {Right.SPEAK}}


def raw(served: Served, method: str, path: str, token: str = TOKEN, **more: object) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}", "quiltwork-log": "1", **more.pop("headers", {})}  # type: ignore[dict-item]
    with httpx.Client(trust_env=False) as client:
        return client.request(method, f"{served.url}/{path}", headers=headers, **more)  # type: ignore[arg-type]


def trouble(response: httpx.Response) -> Trouble:
    return msgspec.msgpack.decode(response.content, type=Trouble)


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


def test_the_offset_of_the_clocks_is_known() -> None:
    routes = log_routes(begun(), Tokens({TOKEN: set(Right)}), clock=lambda: time.time_ns() + 3_600 * 10**9)
    with running(Starlette(routes=routes)) as served:
        assert served.client().clock_offset_s() == pytest.approx(3_600, abs=60)
    with serving(begun()) as served:
        client = served.client()
        client.head()
        assert client.clock_offset_s() == pytest.approx(0, abs=60)


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine that nobody has signed but itself, and its key."""
    key = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a log")])
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, None)
    )
    path = tmp_path_factory.mktemp("tls") / "log.pem"
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()) + made.public_bytes(pem))
    return path


def test_a_server_that_does_not_prove_who_it_is_is_refused_at_once(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = begun()
    app = Starlette(routes=log_routes(log, Tokens({TOKEN: set(Right)}), sequencer=Sequencer(log, ALICE)))
    with running(app, certificate=certificate) as served:
        with pytest.raises(LogRefused, match=r"does not prove who it is.*SSL_CERT_FILE"):
            served.client().head()
        with pytest.raises(LogUnavailable, match="cannot be reached, or hung up"):
            HttpLog(served.url.replace("https", "http"), TOKEN, patience_s=0.1).head()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        client = served.client()
        assert client.submit(speaker(client).say(Said("x" * 900_000))).refused == ()
        follower = client.follow(poll_s=0.01)
        assert [next(follower).seq, next(follower).seq] == [0, 1]
        assert list(client.follow(poll_s=0.01, stop=lambda: True)) == list(log.read())


# Floods


def test_a_flooding_token_is_told_to_wait_and_others_are_served() -> None:
    log = begun()
    limits = Limits(token_requests=Rate(0.01, 20))
    with serving(log, RIGHTS, limits=limits) as served:
        answers = [raw(served, "GET", "head", READER) for _ in range(30)]
        assert [answer.status_code for answer in answers] == [200] * 20 + [429] * 10
        assert float(answers[-1].headers["retry-after"]) >= 1
        assert trouble(answers[-1]).wait_s == pytest.approx(100, rel=0.5)
        assert served.client().head().length == 1
        with pytest.raises(LogUnavailable, match="has had enough for now: Too much is asked for"):
            served.client(READER, patience_s=0.5).head()


def test_bytes_are_counted_too() -> None:
    log = MemoryLog()
    say(log, "x" * 10_000)
    with serving(log, RIGHTS, limits=Limits(token_bytes=Rate(0.01, 25_000))) as served:
        assert [raw(served, "GET", "entries", READER).status_code for _ in range(5)] == [200, 200, 200, 429, 429]
        assert raw(served, "POST", "entries", content=b"x" * 25_000).status_code == 400
        assert raw(served, "POST", "entries", content=b"x" * 25_000).status_code == 429


def test_an_author_who_floods_is_told_to_wait_and_others_with_the_same_token_are_served() -> None:
    log = begun()
    limits = Limits(author_statements=Rate(0.01, 10), author_bytes=Rate(0.01, 1_000))
    with serving(log, sequencer=Sequencer(log, ALICE), limits=limits) as served:
        client, hasty = served.client(), served.client(patience_s=0.2)
        flood = speaker(log)
        assert hasty.submit(flood.say(*[Noted(n) for n in range(10)])).refused == ()
        with pytest.raises(LogUnavailable, match="One author says too much at once"):
            hasty.submit(flood.say(Noted(11)))
        assert client.submit(speaker(log, BOB).say(Said("me too"))).refused == ()
        wordy = speaker(log, Identity.generate())
        assert hasty.submit(wordy.say(Said("x" * 2_000))).refused == ()
        with pytest.raises(LogUnavailable, match="says too much"):
            hasty.submit(wordy.say(Said("more")))


def test_a_forger_cannot_use_up_what_another_author_may_say() -> None:
    log = begun()
    with serving(log, sequencer=Sequencer(log, ALICE), limits=Limits(author_statements=Rate(0.01, 5))) as served:
        client = served.client(patience_s=0.2)
        honest = speaker(log)
        forgeries = [
            msgspec.structs.replace(each, body=b"\x80") for each in speaker(log).say(*[Noted(n) for n in range(50)])
        ]
        assert len(client.submit(forgeries).refused) == 50
        assert client.submit(honest.say(Said("still here"))).refused == ()


def test_a_client_waits_as_long_as_it_is_told() -> None:
    log = begun()
    with serving(log, sequencer=Sequencer(log, ALICE), limits=Limits(author_statements=Rate(20, 5))) as served:
        voice = speaker(log)
        began = time.monotonic()
        for number in range(10):
            assert served.client().submit(voice.say(Noted(number))).refused == ()
        assert time.monotonic() - began >= 0.2
        assert verify(log).count == 11


def test_followers_are_bounded_and_one_that_goes_makes_room() -> None:
    with serving(begun(), RIGHTS, limits=Limits(followers_per_token=2)) as served:
        one, two = served.client(READER).follow(), served.client(READER).follow()
        next(one)
        next(two)
        with pytest.raises(LogUnavailable, match="2 followers already"):
            next(served.client(READER, patience_s=0.1).follow())
        assert next(served.client().follow()).seq == 0
        one.close()  # type: ignore[attr-defined]
        assert next(served.client(READER).follow()).seq == 0


def test_nobody_looks_at_the_log_while_nobody_follows() -> None:
    asked = []

    class Watched(MemoryLog):
        def head(self) -> Head:
            asked.append(1)
            return super().head()

    log = Watched()
    say(log, "one")
    with serving(log) as served:
        follower = served.client().follow()
        next(follower)
        wait_until(lambda: len(asked) > 5)
        follower.close()  # type: ignore[attr-defined]
        wait_until(lambda: bool(asked.clear()) or (time.sleep(0.3) is None and not asked))


def test_a_follower_hears_of_what_others_append_behind_the_servers_back(tmp_path: Path) -> None:
    with closing(SqliteLog(tmp_path / "log.db")) as log, closing(SqliteLog(tmp_path / "log.db")) as behind:
        say(log, "one")
        with serving(log) as served:
            follower = served.client().follow(1)
            later = threading.Timer(0.1, lambda: say(behind, "two"))
            later.start()
            assert next(follower).seq == 1
            later.join()
            follower.close()  # type: ignore[attr-defined]


# Many at once


def test_many_clients_that_submit_at_once_lose_and_fork_nothing(tmp_path: Path) -> None:
    with closing(SqliteLog(tmp_path / "log.db")) as log:
        say(log, "begin")
        with serving(log, sequencer=Sequencer(log, ALICE)) as served:
            voices = [Speaker(Identity.generate(), log_id(log)) for _ in range(8)]
            places: dict[bytes, list[int | None]] = {}

            def speak(voice: Speaker) -> None:
                client = served.client()
                outcomes = [client.submit(voice.say(Noted(n))).outcomes[0] for n in range(10)]
                places[voice.author] = [outcome.seq for outcome in outcomes]

            threads = [threading.Thread(target=speak, args=(voice,)) for voice in voices]
            for thread in threads:
                thread.start()
            followed = []
            for entry in served.client().follow():
                followed.append(entry)
                if len(followed) == 81:
                    break
            for thread in threads:
                thread.join()
            assert followed == list(log.read())
        assert verify(log).authors == {ALICE.author: 1, **{voice.author: 10 for voice in voices}}
        assert sorted(seq for each in places.values() for seq in each if seq is not None) == list(range(1, 81))


# A server that dies

SERVER = """
    import os, signal, sys
    sys.path.insert(0, {root!r})
    from quiltwork.log import Sequencer, SqliteLog
    from tests.log.serving import TOKEN, serving
    from tests.log.speech import ALICE
    import threading

    class Deadly(SqliteLog):
        def append(self, entries, expect):
            head = super().append(entries, expect)
            if {deadly}:
                os.kill(os.getpid(), signal.SIGKILL)
            return head

    log = Deadly({path!r})
    from quiltwork.log.http import Right, Tokens
    from quiltwork.log.http.server import log_app
    from tests.log.serving import running
    app = log_app(log, Tokens({{TOKEN: set(Right)}}), sequencer=Sequencer(log, ALICE))
    with running(app, {port}) as served:
        print(served.url, flush=True)
        sys.stdin.read()
"""


def started(path: Path, port: int, *, deadly: bool) -> tuple[subprocess.Popen[str], str]:
    root = str(Path(__file__).parents[2])
    source = dedent(SERVER).format(root=root, path=str(path), port=port, deadly=deadly)
    process = subprocess.Popen(
        [sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def survives_kill_nine(path: Path, act: Callable[[HttpLog], object]) -> object:
    """Let a server die between append and answer while a client waits; start another, and give what the client got."""
    with closing(SqliteLog(path)) as log:
        say(log, "begin")
    deadly, url = started(path, 0, deadly=True)
    client = HttpLog(url, TOKEN)
    got: list[object] = []
    thread = threading.Thread(target=lambda: got.append(act(client)))
    thread.start()
    assert deadly.wait() == -signal.SIGKILL
    healthy, again = started(path, urlsplit(url).port or 0, deadly=False)
    assert again == url
    thread.join()
    client.close()
    healthy.communicate("")
    return got[0]


def test_a_submit_survives_kill_nine_between_append_and_answer(tmp_path: Path) -> None:
    path = tmp_path / "log.db"

    def act(client: HttpLog) -> Receipt:
        return client.submit(speaker(client).say(Said("one"), Said("two")))

    assert survives_kill_nine(path, act) == Receipt((Outcome(1), Outcome(2)))
    with closing(SqliteLog(path)) as log:
        assert verify(log).authors == {ALICE.author: 1, MALLORY.author: 2}


def test_an_append_survives_kill_nine_between_append_and_answer(tmp_path: Path) -> None:
    path = tmp_path / "log.db"

    def act(client: HttpLog) -> Sequence[Entry]:
        return Writer(client, BOB).append(Said("one"), Said("two"))

    entries = survives_kill_nine(path, act)
    with closing(SqliteLog(path)) as log:
        assert list(log.read(1)) == list(entries)  # type: ignore[call-overload]


def test_a_follower_goes_on_where_it_was_when_the_server_comes_back(tmp_path: Path) -> None:
    with closing(SqliteLog(tmp_path / "log.db")) as log:
        say(log, "one", "two")
        with serving(log) as served:
            port = urlsplit(served.url).port or 0
            client = HttpLog(served.url, TOKEN)
            follower = client.follow()
            assert [next(follower).seq, next(follower).seq] == [0, 1]
        say(log, "three", "four")
        with running(Starlette(routes=log_routes(log, Tokens({TOKEN: set(Right)}))), port):
            assert [next(follower).seq, next(follower).seq] == [2, 3]
            client.close()


def test_an_answer_from_something_else_is_told_apart() -> None:
    app = Starlette(routes=[Route("/head", lambda request: PlainTextResponse("Welcome!"))])
    with running(app) as served:
        with pytest.raises(LogRefused, match=r"no log of Quiltwork at .* status 200\. Check the address"):
            served.client().head()
        with pytest.raises(LogRefused, match="status 404"):
            list(served.client().read())
