"""A log in one SQLite file that a user can open and query.

WAL with synchronous=NORMAL: an append survives the death of the process the moment it returns; a power cut may take the
last appends back, whole batches at a time from the end, and leaves a valid log.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import RLock
from urllib.parse import quote

from quiltwork.log.entry import Entry, fault
from quiltwork.log.protocol import EMPTY, Broken, Conflict, Head, LogCorrupt, LogUnavailable, chain_on

APPLICATION_ID = 0x51574C47  # "QWLG"
FORMAT = 1

BUSY_TIMEOUT_S = 20.0
"""How long to wait for another process's append or checkpoint: each takes milliseconds, so longer means it hangs."""

BATCH_ROWS = 1_000
BATCH_BYTES = 8 << 20
"""What a reader holds at once; short reads also let SQLite fold its WAL back into the file."""

_SCHEMA = """
CREATE TABLE entries (
    seq       INTEGER PRIMARY KEY CHECK (seq >= 0),
    time      INTEGER NOT NULL,                            -- nanoseconds since 1970, by the author's clock
    kind      TEXT NOT NULL,                               -- room.event/version
    author    BLOB NOT NULL CHECK (length(author) = 32),   -- Ed25519 public key
    prev      BLOB NOT NULL CHECK (length(prev) = 32),     -- BLAKE3 of the entry before
    body      BLOB NOT NULL,                               -- canonical MessagePack
    signature BLOB NOT NULL CHECK (length(signature) = 64)
);
CREATE TRIGGER entries_never_change BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'a log is only appended to'); END;
CREATE TRIGGER entries_never_go BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'a log is only appended to'); END;
CREATE VIEW readable AS
    SELECT seq, datetime(time / 1000000000, 'unixepoch') AS at, kind, lower(hex(substr(author, 1, 4))) AS author,
           length(body) AS body_bytes, lower(hex(lead(prev) OVER (ORDER BY seq))) AS hash
    FROM entries;
"""
_COLUMNS = "seq, prev, time, author, kind, body, signature"
_LAST = f"SELECT {_COLUMNS} FROM entries ORDER BY seq DESC LIMIT 1"  # noqa: S608
_READ = f"SELECT {_COLUMNS} FROM entries WHERE seq >= ? ORDER BY seq LIMIT ?"  # noqa: S608
_INSERT = f"INSERT INTO entries ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608

Row = tuple[int, bytes, int, bytes, str, bytes, bytes]


class SqliteLog:
    """Entries in an SQLite file, made if it is not there. Threads and processes may share it.

    With `readonly` nothing is written, the file must exist, and it may lie in a folder that cannot be written to.
    Raises LogUnavailable and LogCorrupt.
    """

    def __init__(self, path: Path | str, *, readonly: bool = False) -> None:
        self.path = Path(path)
        self._readonly = readonly
        self._lock = RLock()
        self._connection = self._open()

    def head(self) -> Head:
        """See Log."""
        with self._lock, _translated(self.path):
            return _head(self._connection)

    def append(self, entries: Sequence[Entry], expect: Head) -> Head:
        """See Log."""
        if self._readonly:
            raise LogUnavailable(f"{self.path} was opened for reading only.")
        with self._lock, _translated(self.path), _transaction(self._connection):
            found = _head(self._connection)
            if found != expect:
                raise Conflict(expect, found)
            head = chain_on(entries, expect)
            self._connection.executemany(
                _INSERT, [(e.seq, e.prev, e.time, e.author, e.kind, e.body, e.signature) for e in entries]
            )
            return head

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        """See Log."""
        return self._read(self._connection, start, stop)

    def follow(
        self, start: int = 0, *, poll_s: float = 0.2, stop: Callable[[], bool] = lambda: False
    ) -> Iterator[Entry]:
        """See Log."""
        # A connection of its own, since `data_version` tells of other connections' commits only; asking it is cheap.
        with closing(self._open()) as connection:
            seen = -1
            while True:
                stopping = stop()
                with _translated(self.path):
                    version = connection.execute("PRAGMA data_version").fetchone()[0]
                if version != seen:
                    seen = version
                    for entry in self._read(connection, start, None):
                        yield entry
                        start += 1
                elif not stopping:
                    time.sleep(poll_s)
                if stopping:
                    return

    def close(self) -> None:
        """See Log. The last to close folds the WAL into the file, so that the file alone is the whole log."""
        with self._lock:
            self._connection.close()

    def _read(self, connection: sqlite3.Connection, start: int, stop: int | None) -> Iterator[Entry]:
        seq = start
        while stop is None or seq < stop:
            # From the very beginning nothing is left out: a seq that damage made negative must show.
            least = -(2**63) if seq == 0 else seq
            rows = self._fetch(connection, least, BATCH_ROWS if stop is None else min(BATCH_ROWS, stop - seq))
            for row in rows:
                yield _entry(row, seq)
                seq += 1
            if not rows:
                return

    def _fetch(self, connection: sqlite3.Connection, least: int, count: int) -> list[Row]:
        rows: list[Row] = []
        size = 0
        with self._lock, _translated(self.path), closing(connection.execute(_READ, (least, count))) as cursor:
            for row in cursor:
                rows.append(row)
                size += len(row[5]) if isinstance(row[5], bytes | str) else 0
                if size >= BATCH_BYTES:
                    break
        return rows

    def _open(self) -> sqlite3.Connection:
        with _translated(self.path):
            connection = _connect(self.path, readonly=self._readonly)
            try:
                _prepare(connection, self.path, readonly=self._readonly)
            except BaseException:
                connection.close()
                raise
        return connection


def _connect(path: Path, *, readonly: bool) -> sqlite3.Connection:
    if readonly and not path.exists():
        raise LogUnavailable(f"There is no log at {path}.")
    uri = f"file:{quote(str(path.absolute()))}?mode={'ro' if readonly else 'rwc'}"
    if readonly and not _sidecars_possible(path):
        uri += "&immutable=1"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)


def _sidecars_possible(path: Path) -> bool:
    """Whether SQLite may use a WAL here. Where nothing can be written and there is none, it must be told so."""
    wal = path.with_name(path.name + "-wal")
    return os.access(path.parent, os.W_OK) or (wal.exists() and wal.stat().st_size > 0)


def _prepare(connection: sqlite3.Connection, path: Path, *, readonly: bool) -> None:
    connection.execute("PRAGMA trusted_schema=OFF")  # the file may come from a stranger
    if readonly:
        _check_format(connection, path)
        return
    connection.execute("PRAGMA synchronous=NORMAL")
    if _is_new(connection):
        _enter_wal_mode(connection)
        with _transaction(connection):
            if _is_new(connection):  # another process may have been faster
                connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version={FORMAT}")
                for statement in _SCHEMA.split(";\n"):
                    connection.execute(statement)
    _check_format(connection, path)


def _enter_wal_mode(connection: sqlite3.Connection) -> None:
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            # SQLite does not wait here by itself while another process does the same
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _is_new(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None


def _check_format(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise LogCorrupt(f"{path} is an SQLite file, but not a log of Quiltwork. Is it the right file?")
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found != FORMAT:
        raise LogUnavailable(f"{path} has log format {found}; this version reads format {FORMAT}. Upgrade quiltwork.")


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _head(connection: sqlite3.Connection) -> Head:
    row = connection.execute(_LAST).fetchone()
    if row is None:
        return EMPTY
    entry = _entry(row, row[0])
    return Head(entry.seq + 1, entry.hash)


def _entry(row: Row, seq: int) -> Entry:
    why = fault(*row)
    if not why and row[0] != seq:
        why = f"it is missing, entry {row[0]} stands in its place"
    if why:
        raise Broken(seq, why)
    return Entry(*row)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours, each with what to do."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise
    except (sqlite3.Error, UnicodeDecodeError) as error:  # damage reaches even SQLite's messages
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_MISMATCH):
            raise LogCorrupt(
                f"{path} is damaged ({error}). Restore it from a copy, "
                f"or save what can still be read: sqlite3 {path} .recover"
            ) from error
        advice = {
            sqlite3.SQLITE_FULL: "The disk is full. Free some space and go on.",
            sqlite3.SQLITE_READONLY: "It cannot be written to. Check the permissions of the file and its folder.",
            sqlite3.SQLITE_CANTOPEN: "It cannot be opened. Check that its folder is there and may be used.",
            sqlite3.SQLITE_BUSY: "Another process keeps it locked. End that process and go on.",
            sqlite3.SQLITE_IOERR: "The disk refuses to read or write it. Check its space, quota and health.",
        }.get(code, "")
        raise LogUnavailable(
            f"Cannot use the log {path}: {error}. {advice} Entries appended before are safe."
        ) from error
