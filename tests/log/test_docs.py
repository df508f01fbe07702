"""What docs/log.md says is true."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from blake3 import blake3
from starlette.routing import Route

from quiltwork.log import GENESIS, Entry, SqliteLog, Statement, sequencer
from quiltwork.log.entry import signed_bytes
from quiltwork.log.http import Limits, Right, Tokens, errand, wire
from quiltwork.log.http.client import PATIENCE_S
from quiltwork.log.http.server import _STATUS, log_routes
from quiltwork.log.http.tokens import MAX_TOKENS, MIN_TOKEN_CHARACTERS
from quiltwork.log.kinds import plain
from quiltwork.log.postgres import LOOK_S
from quiltwork.log.statement import MAX_STATEMENT_BODY_BYTES, Fault
from tests.log.serving import TOKEN
from tests.log.speech import ALICE, MALLORY, Said, begun, relay, say, speaker

PAGE = (Path(__file__).parents[2] / "docs" / "log.md").read_text()
VERIFIER, EXAMPLE, SPEAKING = re.findall(
    r"^```python\n(import sqlite3.*?|from quiltwork\.keys.*?)^```", PAGE, re.DOTALL | re.MULTILINE
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with closing(SqliteLog(tmp_path / "log.db")) as log:
        say(log, "one", "two")
        say(log, "three", identity=MALLORY)
    return tmp_path / "log.db"


def checked(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", VERIFIER, str(path)], capture_output=True, text=True, cwd=path.parent)


def test_the_independent_verifier_takes_thirty_lines_and_nothing_of_ours() -> None:
    assert len(VERIFIER.splitlines()) <= 30
    assert "quiltwork" not in VERIFIER.replace('b"quiltwork.entry/1', "")


def test_the_independent_verifier_finds_the_same_head(path: Path) -> None:
    with closing(SqliteLog(path, readonly=True)) as log:
        assert checked(path).stdout == f"{log.head()}\n"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entries SET time = time + 1 WHERE seq = 2",
        "UPDATE entries SET kind = 'speech.sang/1' WHERE seq = 0",
        "UPDATE entries SET signature = (SELECT signature FROM entries WHERE seq = 0) WHERE seq = 1",
        "DELETE FROM entries WHERE seq = 1",
        "DELETE FROM entries WHERE seq = 0",
    ],
)
def test_the_independent_verifier_finds_tampering(path: Path, change: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TRIGGER entries_never_change")
        connection.execute("DROP TRIGGER entries_never_go")
        connection.execute(change)
        connection.commit()
    found = checked(path)
    assert found.returncode != 0
    assert re.search(r"InvalidSignature|does not follow|is missing", found.stderr)


def test_the_signed_bytes_are_those_in_the_table() -> None:
    signed = signed_bytes(1, b"p" * 32, 2, b"a" * 32, "speech.said/1", b"body")
    assert signed == (
        b"quiltwork.entry/1\n"
        + bytes([0, 0, 0, 0, 0, 0, 0, 1])
        + b"p" * 32
        + bytes([0, 0, 0, 0, 0, 0, 0, 2])
        + b"a" * 32
        + bytes([0, 0, 0, 13])
        + b"speech.said/1"
        + b"body"
    )


def test_the_signed_bytes_of_a_statement_are_those_in_the_table() -> None:
    statement = Statement(b"a" * 32, b"l" * 32, 1, 2, "speech.said/1", b"body", bytes(64))
    signed = (
        b"quiltwork.statement/1\n"
        + b"l" * 32
        + bytes([0, 0, 0, 0, 0, 0, 0, 1])
        + bytes([0, 0, 0, 0, 0, 0, 0, 2])
        + b"a" * 32
        + bytes([0, 0, 0, 13])
        + b"speech.said/1"
        + b"body"
    )
    assert statement.hash == blake3(signed).digest()
    assert f"| bytes, at most {MAX_STATEMENT_BODY_BYTES:,} |" in PAGE


def test_a_statement_lies_in_an_entry_as_it_is_told() -> None:
    log = begun()
    (one,) = speaker(log).say(Said("one"))
    (entry,) = relay(log, one)
    fields = [one.author, one.log, one.number, one.time, one.kind, one.body, one.signature]
    assert (entry.kind, plain(entry.body)) == ("log.relayed/1", {"statement": fields})


def test_every_reason_for_not_hearing_is_told() -> None:
    assert [str(fault) for fault in Fault] == re.findall(
        r"^\| `([a-z-]+)` \| (?:the body|it is|its author|the sig)", PAGE, re.M
    )


def test_every_route_and_every_error_of_the_server_is_told() -> None:
    routes = log_routes(begun(), Tokens({TOKEN: set(Right)}))
    rights = dict(re.findall(r"^\| `((?:GET|POST) [a-z]+)[^`]*` \| ([a-z]+) \|", PAGE, re.M))
    assert sorted(rights) == sorted(
        f"{method} {route.path.removeprefix('/')}"
        for route in routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    )
    told = {
        code: int(status)
        for status, codes in re.findall(r"^\| (\d{3}) \| (`.*?`) \|", PAGE, re.M)
        for code in re.findall(r"`([a-z-]+)`", codes)
    }
    assert told == {code: int(status) for code, status in _STATUS.items()}


def test_every_limit_is_told() -> None:
    page, default = PAGE.replace("\n", " "), Limits()
    for said in (
        f"{wire.PAGE_ENTRIES:,} entries, {wire.PAGE_BYTES >> 20} MiB of bodies",
        f"{wire.PAGE_ENTRIES:,} entries, {wire.EVENT_BYTES >> 20} MiB of bodies",
        f"{wire.MAX_APPEND_ENTRIES:,} entries, {wire.MAX_REQUEST_BYTES >> 20} MiB |",
        f"{wire.MAX_SUBMIT_STATEMENTS} statements, {wire.MAX_SUBMIT_BYTES >> 20} MiB;",
        f"| {default.token_requests.per_s:,} a second, {default.token_requests.burst:,} at once;",
        f"| {default.token_bytes.per_s >> 20} MiB a second, {default.token_bytes.burst >> 20} MiB at once",  # type: ignore[operator]
        f"| {default.author_statements.per_s} a second, {default.author_statements.burst} at once",
        f"| {default.author_bytes.per_s >> 20} MiB a second, {default.author_bytes.burst >> 20} MiB at once",  # type: ignore[operator]
        f"| {default.followers_per_token} |",
        f"| {MAX_TOKENS:,}, of at least {MIN_TOKEN_CHARACTERS} characters each",
        f"at most {sequencer.MAX_BATCH_ENTRIES} entries or {sequencer.MAX_BATCH_BYTES >> 20} MiB",
        f"The last {sequencer.REMEMBERED:,} statements are known again",
        f"more than {sequencer.MAX_WAITING_ENTRIES:,} entries or {sequencer.MAX_WAITING_BYTES >> 20} MiB wait",
        f"slower than {errand.SLOWEST_BYTES_PER_S >> 10} KiB a second beyond the first {errand.ANSWER_S:.0f} seconds",
        f"after {errand.SILENCE_S:.0f} s of silence",
        f"(`patience_s`, {PATIENCE_S:.0f} s)",
        f"every {LOOK_S:.0f} s besides",
    ):
        assert said in page, said


def test_a_known_entry_keeps_its_hash_for_ever() -> None:
    """If this fails, no log that exists verifies any more."""
    entry = Entry(0, GENESIS, 0, ALICE.author, "speech.said/1", b"\x81\xa5words\xa2hi", bytes(64))
    assert entry.hash.hex() == "55e3cd9f35224b9fbb4e2ef77bf8ce6e579489dab0ef612f60df7861e8f24076"


def test_the_example_runs(tmp_path: Path) -> None:
    found = subprocess.run([sys.executable, "-c", EXAMPLE], capture_output=True, text=True, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert "1 garden.watered/1 Watered(bed='beans', litres=7.5)" in found.stdout


def test_the_example_of_many_who_speak_runs(tmp_path: Path) -> None:
    watered = EXAMPLE[: EXAMPLE.index("log = ")]
    found = subprocess.run([sys.executable, "-c", watered + SPEAKING], capture_output=True, text=True, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    first, *heard = found.stdout.splitlines()
    assert first == "1"
    assert "bed='roses'" in heard[0]
    assert "bed='beans'" in heard[1]
