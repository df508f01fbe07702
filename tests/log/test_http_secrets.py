"""Tokens are never shown, addresses are checked, and this machine is reached without proxies."""

from __future__ import annotations

import logging
import socket
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID
from starlette.applications import Starlette

from quiltwork.errors import UserError
from quiltwork.log import EMPTY, Head, LogUnavailable, Sequencer
from quiltwork.log.http import HttpLog, LogRefused, Right, Tokens
from quiltwork.log.http.channel import _proxy, is_loopback
from quiltwork.log.http.server import log_routes
from quiltwork.log.http.wire import encode
from tests.log.hostile import (
    GOOD,
    SSE,
    answer,
    chunk,
    entries,
    hostile,
    impatient,
    silence,
)
from tests.log.serving import TOKEN, running, serving
from tests.log.speech import ALICE, Said, begun, speaker

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
