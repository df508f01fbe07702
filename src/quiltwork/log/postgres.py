"""Logs in a Postgres database, several beside each other by name: for a server that many machines reach.

Needs the extra `postgres` (psycopg 3), which is loaded when a log is opened.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from threading import RLock
from types import ModuleType
from typing import TYPE_CHECKING, Any

from quiltwork.errors import UserError
from quiltwork.log.entry import Entry, fault
from quiltwork.log.protocol import EMPTY, Broken, Conflict, Head, LogCorrupt, LogUnavailable, chain_on

if TYPE_CHECKING:
    import psycopg

FORMAT = "quiltwork log format 1"
MAX_NAME_CHARACTERS = 200

LOCK_TIMEOUT_S = 20
"""How long to wait for another's append: each takes milliseconds, so longer means that it hangs."""

STATEMENT_TIMEOUT_S = 60
"""No statement here reads or writes more than 8 MiB or so."""

IDLE_TIMEOUT_S = 60
"""A client that dies inside a transaction holds the log up for no longer."""

BATCH_ROWS = 1_000
BATCH_BYTES = 8 << 20
"""What a reader holds at once."""

LOOK_S = 5.0
"""A follower looks so often though it was not notified, should a notification be lost on the way."""

_DEFAULTS = {"connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
"""So that a server whose machine is gone is noticed within half a minute. What the DSN says goes before."""

_SCHEMA_LOCK = 0x51574C47  # "QWLG"
_SCHEMA = f"""
CREATE TABLE quiltwork_logs (
    id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name      TEXT NOT NULL UNIQUE
);
CREATE TABLE quiltwork_entries (
    log       BIGINT NOT NULL REFERENCES quiltwork_logs,
    seq       BIGINT NOT NULL CHECK (seq >= 0),
    time      BIGINT NOT NULL,                                    -- nanoseconds since 1970, by the author's clock
    kind      TEXT NOT NULL,                                      -- room.event/version
    author    BYTEA NOT NULL CHECK (octet_length(author) = 32),   -- Ed25519 public key
    prev      BYTEA NOT NULL CHECK (octet_length(prev) = 32),     -- BLAKE3 of the entry before
    body      BYTEA NOT NULL,                                     -- canonical MessagePack
    signature BYTEA NOT NULL CHECK (octet_length(signature) = 64),
    PRIMARY KEY (log, seq)
);
COMMENT ON TABLE quiltwork_entries IS '{FORMAT}';
CREATE FUNCTION quiltwork_only_appended() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'a log is only appended to'; END $$;
CREATE TRIGGER entries_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON quiltwork_entries
    FOR EACH STATEMENT EXECUTE FUNCTION quiltwork_only_appended();
CREATE TRIGGER logs_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON quiltwork_logs
    FOR EACH STATEMENT EXECUTE FUNCTION quiltwork_only_appended();
CREATE VIEW quiltwork_readable AS
    SELECT name AS log, seq, to_timestamp(time / 1e9) AS at, kind, encode(substr(author, 1, 4), 'hex') AS author,
           octet_length(body) AS body_bytes,
           encode(lead(prev) OVER (PARTITION BY log ORDER BY seq), 'hex') AS hash
    FROM quiltwork_entries JOIN quiltwork_logs ON id = log;
"""  # noqa: S608
_COLUMNS = "seq, prev, time, author, kind, body, signature"
_LAST = f"SELECT {_COLUMNS} FROM quiltwork_entries WHERE log = %s ORDER BY seq DESC LIMIT 1"  # noqa: S608
# The inner query takes so many rows, the middle one adds their sizes up, the outer one ends where the bytes suffice.
_READ = f"""
    SELECT {_COLUMNS} FROM (
        SELECT *, sum(octet_length(body)) OVER (ORDER BY seq) - octet_length(body) AS before FROM (
            SELECT {_COLUMNS} FROM quiltwork_entries WHERE log = %s AND seq >= %s ORDER BY seq LIMIT %s
        ) AS page
    ) AS sized WHERE before < %s ORDER BY seq
"""  # noqa: S608
_INSERT = f"INSERT INTO quiltwork_entries (log, {_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"  # noqa: S608

Row = tuple[int, bytes, int, bytes, str, bytes, bytes]


class PostgresLog:
    """The log called `name` in the database that `dsn` names, both made if they are not there. Threads may share it.

    `dsn` is what libpq takes, such as "postgres://user@host/database"; a password is better kept in ~/.pgpass. With
    `readonly` nothing is written, and the log must exist. A connection that was lost is made again at the next call.
    Raises LogUnavailable and LogCorrupt, and UserError for a DSN or a name that cannot be.
    """

    def __init__(self, dsn: str, name: str, *, readonly: bool = False) -> None:
        self._pg = _load()
        if not name or len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
            raise UserError(f"A log in Postgres needs a name, of at most {MAX_NAME_CHARACTERS} printable characters.")
        self._parameters = self._parse(dsn)
        self.name = name
        self._where = f"{name!r} in the database {self._parameters.get('dbname', '(default)')} at " + str(
            self._parameters.get("host") or self._parameters.get("hostaddr") or "this machine"
        )
        self._readonly = readonly
        self._lock = RLock()
        self._closed = False
        self._connection, self._id = self._open()

    def __repr__(self) -> str:
        return f"PostgresLog({self._where})"

    def head(self) -> Head:
        """See Log."""
        with self._lock, self._translated(), self._live() as connection:
            return self._head(connection)

    def append(self, entries: Sequence[Entry], expect: Head) -> Head:
        """See Log. If the connection is lost meanwhile, looks whether the entries are there."""
        if self._readonly:
            raise LogUnavailable(f"The log {self._where} was opened for reading only.")
        with self._lock:
            try:
                with self._translated():
                    return self._append(entries, expect)
            except LogUnavailable:
                if not self._connection.closed or not entries:
                    raise
                found = list(self.read(expect.length, expect.length + len(entries)))  # by a new connection
                if found != list(entries):
                    raise
                return Head(entries[-1].seq + 1, entries[-1].hash)

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        """See Log."""
        seq = start
        while stop is None or seq < stop:
            with self._lock, self._translated(), self._live() as connection:
                rows = self._fetch(connection, seq, BATCH_ROWS if stop is None else min(BATCH_ROWS, stop - seq))
            for row in rows:
                yield _entry(row, seq)
                seq += 1
            if not rows:
                return

    def follow(
        self, start: int = 0, *, poll_s: float = 0.2, stop: Callable[[], bool] = lambda: False
    ) -> Iterator[Entry]:
        """See Log. New entries are notified at once; `poll_s` is how often `stop` is asked meanwhile."""
        connection, id = self._open()
        with closing(connection):
            with self._translated():
                connection.execute(f"LISTEN {_channel(id)}")
            notified, looked_at = True, 0.0
            while True:
                stopping = stop()
                if notified or stopping or time.monotonic() > looked_at + LOOK_S:
                    looked_at = time.monotonic()
                    while rows := self._rows(connection, start):
                        for row in rows:
                            yield _entry(row, start)
                            start += 1
                if stopping:
                    return
                with self._translated():
                    notified = bool(list(connection.notifies(timeout=poll_s, stop_after=1)))

    def close(self) -> None:
        """See Log."""
        with self._lock:
            self._closed = True
            self._connection.close()

    def _append(self, entries: Sequence[Entry], expect: Head) -> Head:
        with self._live() as connection, connection.transaction(), connection.cursor(binary=True) as cursor:
            # Whoever appends to this log waits here until the one before has committed
            cursor.execute("SELECT 1 FROM quiltwork_logs WHERE id = %s FOR UPDATE", (self._id,))
            found = self._head(connection)
            if found != expect:
                raise Conflict(expect, found)
            head = chain_on(entries, expect)
            cursor.executemany(
                _INSERT, [(self._id, e.seq, e.prev, e.time, e.author, e.kind, e.body, e.signature) for e in entries]
            )
            cursor.execute("SELECT pg_notify(%s, '')", (_channel(self._id),))
            return head

    def _head(self, connection: psycopg.Connection[Any]) -> Head:
        with connection.cursor(binary=True) as cursor:
            row = cursor.execute(_LAST, (self._id,)).fetchone()
        if row is None:
            return EMPTY
        entry = _entry(row, row[0])
        return Head(entry.seq + 1, entry.hash)

    def _rows(self, connection: psycopg.Connection[Any], start: int) -> list[Row]:
        with self._translated():
            return self._fetch(connection, start, BATCH_ROWS)

    def _fetch(self, connection: psycopg.Connection[Any], start: int, count: int) -> list[Row]:
        with connection.cursor(binary=True) as cursor:
            return cursor.execute(_READ, (self._id, start, count, BATCH_BYTES)).fetchall()

    @contextmanager
    def _live(self) -> Iterator[psycopg.Connection[Any]]:
        """Give the connection, made anew if it was lost, and drop it if it breaks."""
        if self._closed:
            raise LogUnavailable(f"The log {self._where} was closed here; open it again.")
        if self._connection.closed:
            self._connection, self._id = self._open()
        try:
            yield self._connection
        finally:
            if self._connection.broken:
                self._connection.close()

    def _open(self) -> tuple[psycopg.Connection[Any], int]:
        with self._translated():
            connection = self._pg.connect(**self._parameters, autocommit=True)
            try:
                return connection, self._prepare(connection)
            except BaseException:  # Ctrl-C, too: nobody else has this connection
                connection.close()
                raise

    def _prepare(self, connection: psycopg.Connection[Any]) -> int:
        """Bound what the server does for this connection, make what is not there, and give the log's number."""
        for what, seconds in (
            ("lock_timeout", LOCK_TIMEOUT_S),
            ("statement_timeout", STATEMENT_TIMEOUT_S),
            ("idle_in_transaction_session_timeout", IDLE_TIMEOUT_S),
        ):
            connection.execute(f"SET {what} = '{seconds}s'")
        if self._readonly:
            connection.execute("SET default_transaction_read_only = on")
        elif not _exists(connection):
            # Held by the session, not by a transaction: in one that had to wait, the names of tables may be remembered
            # as they were before.
            connection.execute("SELECT pg_advisory_lock(%s)", (_SCHEMA_LOCK,))
            if not _exists(connection):  # another process may have been faster
                with connection.transaction():
                    connection.execute(_SCHEMA)
            connection.execute("SELECT pg_advisory_unlock(%s)", (_SCHEMA_LOCK,))
        if not _exists(connection):
            raise LogUnavailable(f"There is no log {self._where}, nor any other.")
        row = connection.execute("SELECT obj_description('quiltwork_entries'::regclass)").fetchone()
        if row is None or row[0] != FORMAT:
            raise LogUnavailable(
                f"The log {self._where} is of {row and row[0]!r}; this version reads {FORMAT!r}. Upgrade quiltwork."
            )
        find = "SELECT id FROM quiltwork_logs WHERE name = %s"
        found = connection.execute(find, (self.name,)).fetchone()
        if found is None and not self._readonly:
            connection.execute("INSERT INTO quiltwork_logs (name) VALUES (%s) ON CONFLICT DO NOTHING", (self.name,))
            found = connection.execute(find, (self.name,)).fetchone()
        if found is None:
            raise LogUnavailable(f"There is no log {self._where}.")
        return int(found[0])

    def _parse(self, dsn: str) -> dict[str, Any]:
        try:
            given = self._pg.conninfo.conninfo_to_dict(dsn)
        except self._pg.ProgrammingError:  # which repeats the DSN, with the password in it
            raise UserError(
                "This is not the address of a Postgres database: it must be postgres://USER@HOST:PORT/DATABASE."
            ) from None
        return {**_DEFAULTS, "application_name": "quiltwork", **given}

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn Postgres's errors into ours, each with what to do."""
        errors = self._pg.errors
        advice = ""
        try:
            yield
        except (errors.DataCorrupted, errors.IndexCorrupted) as error:
            raise LogCorrupt(
                f"The log {self._where} is damaged ({_said(error)}). Restore the database from a copy."
            ) from error
        except self._pg.Error as error:
            if isinstance(error, errors.LockNotAvailable | errors.QueryCanceled):
                advice = "Another process keeps it locked. End that process and go on."
            elif isinstance(error, errors.DiskFull | errors.OutOfMemory):
                advice = "The server has no space left. Free some and go on."
            elif isinstance(error, errors.InsufficientPrivilege):
                advice = "The database's user may not do this. Grant it what it needs, or use another."
            elif isinstance(error, errors.ReadOnlySqlTransaction):
                advice = "It cannot be written to there; is it a standby?"
            elif isinstance(error, self._pg.OperationalError):
                advice = "Check that the server runs, and the address, user and password."
            raise LogUnavailable(
                f"Cannot use the log {self._where}: {_said(error)}. {advice} Entries appended before are safe."
            ) from error


def _load() -> ModuleType:
    try:
        import psycopg
        import psycopg.conninfo
    except ImportError as error:
        raise UserError(
            f"Logs in Postgres need psycopg, which cannot be loaded ({error}). Install it: pip install 'quiltwork[postgres]'"
        ) from error
    return psycopg


def _exists(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute("SELECT to_regclass('quiltwork_entries') IS NOT NULL").fetchone()
    return row is not None and bool(row[0])


def _channel(id: int) -> str:
    return f"quiltwork_{id}"


def _said(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _entry(row: Row, seq: int) -> Entry:
    why = fault(*row)
    if not why and row[0] != seq:
        why = f"it is missing, entry {row[0]} stands in its place"
    if why:
        raise Broken(seq, why)
    return Entry(*row)
