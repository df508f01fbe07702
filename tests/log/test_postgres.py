from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from textwrap import dedent

import psycopg
import pytest

from quiltwork.errors import UserError
from quiltwork.log import Broken, Conflict, Entry, Head, LogUnavailable, Sequencer, Writer, verify
from quiltwork.log.postgres import FORMAT, PostgresLog
from tests.log.conformance import draft
from tests.log.postgres_server import GUARDED, PASSWORD, PostgresServer
from tests.log.speech import ALICE, MALLORY, Said, say, speaker

NUMBERS = count()


@pytest.fixture
def name() -> str:
    return f"a log of its own, {next(NUMBERS)}"


@pytest.fixture
def log(postgres: PostgresServer, name: str) -> Iterator[PostgresLog]:
    with closing(PostgresLog(postgres.dsn, name)) as log:
        yield log


def asked(postgres: PostgresServer, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        cursor = connection.execute(query)  # type: ignore[arg-type]
        return cursor.fetchall() if cursor.description else []


def test_logs_of_one_database_keep_apart(postgres: PostgresServer, log: PostgresLog) -> None:
    with closing(PostgresLog(postgres.dsn, "another")) as other:
        say(log, "one", "two")
        say(other, "three", identity=MALLORY)
        assert (verify(log).count, verify(other).count) == (2, 1)
        with pytest.raises(Conflict):
            other.append((), log.head())


def test_a_log_is_there_when_it_is_opened_again_by_a_dsn_or_an_address(
    postgres: PostgresServer, log: PostgresLog, name: str
) -> None:
    entries = list(say(log, "one", "two"))
    for address in (postgres.dsn, postgres.url):
        with closing(PostgresLog(address, name, readonly=True)) as again:
            assert list(again.read()) == entries


def test_anyone_can_query_it(postgres: PostgresServer, log: PostgresLog, name: str) -> None:
    first, _ = say(log, "one", "two")
    rows = asked(postgres, f"SELECT seq, kind, author, hash FROM quiltwork_readable WHERE log = '{name}' ORDER BY seq")
    assert rows[0] == (0, "speech.said/1", ALICE.author[:4].hex(), first.hash.hex())


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE quiltwork_entries SET time = 0",
        "DELETE FROM quiltwork_entries",
        "TRUNCATE quiltwork_entries",
        "UPDATE quiltwork_logs SET name = 'x'",
        "TRUNCATE quiltwork_logs CASCADE",
    ],
)
def test_a_careless_query_changes_nothing(postgres: PostgresServer, log: PostgresLog, change: str) -> None:
    say(log, "one")
    with pytest.raises(psycopg.Error, match="only appended to"):
        asked(postgres, change)
    assert verify(log).count == 1


def test_two_processes_append_to_one_log(postgres: PostgresServer, log: PostgresLog, name: str) -> None:
    source = """
        import sys
        from quiltwork.log import Conflict, Writer
        from quiltwork.log.postgres import PostgresLog
        from tests.log.speech import MALLORY, Said
        writer = Writer(PostgresLog(sys.argv[1], sys.argv[2]), MALLORY)
        said = 0
        while said < 25:
            try:
                writer.append(Said(str(said)), Said("and"))
                said += 1
            except Conflict:
                pass
    """
    command = [sys.executable, "-c", dedent(source), postgres.dsn, name]
    processes = [subprocess.Popen(command, cwd=Path(__file__).parents[2]) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert verify(log).count == 100


def test_logs_and_tables_that_are_made_at_once_are_one(postgres: PostgresServer) -> None:
    for attempt in range(3):
        asked(postgres, f"CREATE DATABASE fresh{attempt}")
        fresh = postgres.dsn.replace("dbname=postgres", f"dbname=fresh{attempt}")
        ready = threading.Barrier(8)
        logs: list[PostgresLog] = []

        def make(dsn: str, ready: threading.Barrier, logs: list[PostgresLog]) -> None:
            ready.wait()
            logs.append(PostgresLog(dsn, "new"))

        threads = [threading.Thread(target=make, args=(fresh, ready, logs)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        say(logs[0], "one")
        assert [log.head().length for log in logs] == [1] * 8
        for log in logs:
            log.close()


def test_a_follower_hears_at_once_and_does_not_wait_to_look(log: PostgresLog) -> None:
    follower = log.follow(poll_s=60)
    say(log, "one")
    began = time.monotonic()
    assert next(follower).seq == 0
    later = threading.Timer(0.2, lambda: say(log, "two"))
    later.start()
    assert next(follower).seq == 1
    later.join()
    assert time.monotonic() - began < 50


def test_large_entries_are_read_a_few_at_a_time(log: PostgresLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quiltwork.log.postgres.BATCH_BYTES", 2_500)
    say(log, *["x" * 1_000] * 10)
    assert len(log._rows(log._connection, 0)) == 3
    assert [entry.seq for entry in log.read()] == list(range(10))


def test_entries_that_vanish_from_the_middle_are_named(postgres: PostgresServer, log: PostgresLog) -> None:
    say(log, *"abcde")
    asked(postgres, "ALTER TABLE quiltwork_entries DISABLE TRIGGER ALL")
    asked(postgres, f"DELETE FROM quiltwork_entries WHERE log = {log._id} AND seq IN (1, 2)")
    asked(postgres, "ALTER TABLE quiltwork_entries ENABLE TRIGGER ALL")
    with pytest.raises(Broken, match="entry 1: it is missing, entry 3 stands in its place"):
        list(log.read())


# Readers


def test_a_log_opened_for_reading_is_not_written(postgres: PostgresServer, log: PostgresLog, name: str) -> None:
    say(log, "one")
    with closing(PostgresLog(postgres.dsn, name, readonly=True)) as reader:
        with pytest.raises(LogUnavailable, match="opened for reading only"):
            say(reader, "two")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            reader._connection.execute("INSERT INTO quiltwork_logs (name) VALUES ('x')")
        assert verify(reader).count == 1


def test_a_missing_log_is_not_made_by_reading_it(postgres: PostgresServer, log: PostgresLog) -> None:
    with pytest.raises(LogUnavailable, match="There is no log 'nobody has this'"):
        PostgresLog(postgres.dsn, "nobody has this", readonly=True)
    asked(postgres, "CREATE DATABASE empty")
    with pytest.raises(LogUnavailable, match=r"There is no log 'a' .* nor any other"):
        PostgresLog(postgres.dsn.replace("dbname=postgres", "dbname=empty"), "a", readonly=True)


# What can go wrong


def test_a_server_that_dies_is_said_clearly_and_the_log_goes_on_when_it_is_back(
    postgres: PostgresServer, log: PostgresLog
) -> None:
    writer = Writer(log, ALICE)
    writer.append(Said("one"))
    follower = log.follow(poll_s=0.01)
    next(follower)
    postgres.stop(signal.SIGQUIT)
    try:
        for use in (log.head, lambda: writer.append(Said("two")), lambda: next(follower)):
            with pytest.raises(LogUnavailable, match=r"Check that the server runs.*are safe"):
                use()
    finally:
        postgres.start()
    writer.append(Said("three"))
    assert verify(log).count == 2


class Cut(PostgresLog):
    """A log whose connection is lost before or after its next append commits."""

    cut = ""

    def _append(self, entries: Sequence[Entry], expect: Head) -> Head:
        cut, self.cut = self.cut, ""
        if cut == "before":
            self._connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        head = super()._append(entries, expect)
        if cut == "after":
            with self._live() as connection:
                connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return head


def test_an_append_is_looked_for_when_its_connection_is_lost(postgres: PostgresServer, name: str) -> None:
    with closing(Cut(postgres.dsn, name)) as log:
        log.cut = "after"
        entries = draft("one", "two")
        assert log.append(entries, Head(0, bytes(32))) == Head(2, entries[1].hash)
        log.cut = "before"
        with pytest.raises(LogUnavailable, match="terminating connection"):
            say(log, "three")
        assert log.head().length == 2
        say(log, "three")
        assert verify(log).count == 3


def test_a_sequencer_over_lost_connections_says_nothing_twice(postgres: PostgresServer, name: str) -> None:
    with closing(Cut(postgres.dsn, name)) as log:
        say(log, "begin")
        sequencer = Sequencer(log, ALICE)
        statements = speaker(log).say(Said("one"), Said("two"))
        log.cut = "after"
        assert sequencer.submit(statements[:1]).refused == ()
        log.cut = "before"
        with pytest.raises(LogUnavailable):
            sequencer.submit(statements)
        assert [outcome.seq for outcome in sequencer.submit(statements).outcomes] == [1, 2]
        assert verify(log).count == 3


def test_a_log_that_another_process_holds_is_said_clearly(
    postgres: PostgresServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quiltwork.log.postgres.LOCK_TIMEOUT_S", 0.1)
    with closing(PostgresLog(postgres.dsn, name)) as log, psycopg.connect(postgres.dsn) as other:
        other.execute("SELECT 1 FROM quiltwork_logs WHERE name = %s FOR UPDATE", (name,))
        with pytest.raises(LogUnavailable, match="Another process keeps it locked"):
            say(log, "one")
        other.rollback()
        say(log, "one")


def test_a_later_format_is_not_misread(postgres: PostgresServer, log: PostgresLog, name: str) -> None:
    asked(postgres, "COMMENT ON TABLE quiltwork_entries IS 'quiltwork log format 9'")
    try:
        with pytest.raises(LogUnavailable, match=r"is of 'quiltwork log format 9'.*Upgrade"):
            PostgresLog(postgres.dsn, name)
    finally:
        asked(postgres, f"COMMENT ON TABLE quiltwork_entries IS '{FORMAT}'")


def test_who_may_not_is_told_and_no_password_is_shown(postgres: PostgresServer, log: PostgresLog, name: str) -> None:
    guarded = f"host={postgres.folder} dbname=postgres user={GUARDED} password="
    attempts = [
        (guarded + PASSWORD, "The database's user may not do this"),
        (guarded + PASSWORD + "x", "Check that the server runs, and the address, user and password"),
        (postgres.dsn.replace("dbname=postgres", f"dbname=none password={PASSWORD}"), "Check that the server runs"),
        (f"host=/nowhere password={PASSWORD}", "Check that the server runs"),
        (f"postgres://u:{PASSWORD}@host:port/db", "Check that the server runs|not the address"),
        (f"postgres:/{PASSWORD}", "not the address of a Postgres database"),
        (f"pass word={PASSWORD}", "not the address of a Postgres database"),
    ]
    for dsn, why in attempts:
        with pytest.raises(UserError, match=why) as refused:
            PostgresLog(dsn, name)
        assert PASSWORD not in "".join(traceback.format_exception(refused.value))
    asked(postgres, f"GRANT SELECT ON quiltwork_logs, quiltwork_entries TO {GUARDED}")
    with closing(PostgresLog(guarded + PASSWORD, name, readonly=True)) as reader:
        assert PASSWORD not in repr(reader)
        assert list(reader.read()) == []


@pytest.mark.parametrize("bad", ["", "x" * 201, "a\nb", "a\0b"])
def test_a_name_that_cannot_be_one_is_said_clearly(postgres: PostgresServer, bad: str) -> None:
    with pytest.raises(UserError, match="needs a name"):
        PostgresLog(postgres.dsn, bad)


def test_a_log_that_was_closed_says_so(log: PostgresLog) -> None:
    log.close()
    with pytest.raises(LogUnavailable, match="was closed here"):
        log.head()


def test_without_psycopg_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UserError, match=r"pip install 'quiltwork\[postgres\]'"):
        PostgresLog("postgres:///x", "y")
