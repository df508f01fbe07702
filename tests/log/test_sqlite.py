from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent

import pytest

from quiltwork.log import Broken, Conflict, LogCorrupt, LogUnavailable, SqliteLog, Writer, decode, verify
from tests.log.speech import ALICE, Said, say


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that another user can reach, unlike pytest's."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def in_another_process(source: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", dedent(source), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def test_a_log_is_there_when_it_is_opened_again(path: Path) -> None:
    with closing(SqliteLog(path)) as log:
        entries = list(say(log, "one", "two"))
    with closing(SqliteLog(path)) as log:
        say(log, "three")
        assert list(log.read(0, 2)) == entries
        assert verify(log).count == 3


def test_anyone_can_query_it_with_sqlite(path: Path) -> None:
    with closing(SqliteLog(path)) as log:
        first, _ = say(log, "one", "two")
    with closing(sqlite3.connect(path)) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(entries)")]
        assert columns == ["seq", "time", "kind", "author", "prev", "body", "signature"]
        row = connection.execute("SELECT seq, at, kind, author, hash FROM readable").fetchone()
    assert row == (0, "2023-11-14 22:13:20", "speech.said/1", ALICE.author[:4].hex(), first.hash.hex())


@pytest.mark.parametrize("change", ["UPDATE entries SET time = 0", "DELETE FROM entries"])
def test_a_careless_query_changes_nothing(path: Path, change: str) -> None:
    with closing(SqliteLog(path)) as log:
        say(log, "one")
        with (
            closing(sqlite3.connect(path)) as connection,
            pytest.raises(sqlite3.IntegrityError, match="only appended to"),
        ):
            connection.execute(change)
        assert verify(log).count == 1


def test_every_append_is_one_transaction(path: Path) -> None:
    with closing(SqliteLog(path)) as log, closing(SqliteLog(path)) as other:
        seen = []
        connection = log._connection
        connection.set_trace_callback(lambda statement: seen.append((statement.split()[0], other.head().length)))
        say(log, "one", "two", "three")
        connection.set_trace_callback(None)
    assert [word for word, _ in seen if word in ("BEGIN", "COMMIT")] == ["BEGIN", "COMMIT"]
    assert {length for _, length in seen} == {0}


def test_two_processes_append_to_one_log(path: Path) -> None:
    source = """
        import sys
        from quiltwork.log import Conflict, SqliteLog, Writer
        from tests.log.speech import MALLORY, Said
        log = SqliteLog(sys.argv[1])
        writer = Writer(log, MALLORY)
        said = 0
        while said < 50:
            try:
                writer.append(Said(str(said)), Said("and"))
                said += 1
            except Conflict:
                pass
    """
    with closing(SqliteLog(path)) as log:
        processes = [in_another_process(source, str(path)) for _ in range(2)]
        assert [process.wait() for process in processes] == [0, 0]
        assert verify(log).count == 200


def test_a_writer_in_another_process_is_a_conflict_here(path: Path) -> None:
    source = """
        import sys
        from quiltwork.log import SqliteLog
        from tests.log.speech import say
        say(SqliteLog(sys.argv[1]), "first")
    """
    with closing(SqliteLog(path)) as log:
        head = log.head()
        assert in_another_process(source, str(path)).wait() == 0
        with pytest.raises(Conflict, match="expected 0 entries, found 1"):
            log.append((), head)


@pytest.mark.parametrize("kills", range(5))
def test_a_writer_killed_in_the_middle_leaves_a_valid_log_with_all_it_was_told(path: Path, kills: int) -> None:
    source = """
        import sys
        from quiltwork.log import SqliteLog, Writer
        from tests.log.speech import ALICE, Said
        writer = Writer(SqliteLog(sys.argv[1]), ALICE)
        while True:
            entries = writer.append(*[Said("x" * 5000)] * 7)
            print(entries[-1].seq, flush=True)
    """
    process = in_another_process(source, str(path))
    assert process.stdout is not None
    for _ in range(3 + 4 * kills):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    told = [int(line) for line in process.stdout.read().split()]
    process.wait()
    with closing(SqliteLog(path, readonly=True)) as log:
        count = verify(log).count
    assert count % 7 == 0
    assert count >= max(told, default=-1) + 1
    with closing(SqliteLog(path)) as log:
        say(log, "goes on")
        assert verify(log).count == count + 1


def test_a_full_disk_is_said_clearly_and_loses_nothing(path: Path) -> None:
    with closing(SqliteLog(path)) as log:
        say(log, "one", "two")
        log._connection.execute("PRAGMA max_page_count=5")
        writer = Writer(log, ALICE)
        with pytest.raises(LogUnavailable, match=r"log\.db.*full.*Free some space"):
            writer.append(*[Said("x" * 10_000)] * 5)
        assert verify(log).count == 2
        log._connection.execute("PRAGMA max_page_count=100000")
        writer.append(Said("three"))
        assert verify(log).count == 3


def test_a_disk_that_takes_no_more_bytes_is_said_clearly_and_loses_nothing(path: Path) -> None:
    source = """
        import resource, signal, sys
        from quiltwork.log import LogUnavailable, SqliteLog, Writer
        from tests.log.speech import ALICE, Said
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        writer = Writer(SqliteLog(sys.argv[1]), ALICE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        try:
            for number in range(1_000):
                writer.append(Said("x" * 1_000))
        except LogUnavailable as error:
            print(number, error)
    """
    output, _ = in_another_process(source, str(path)).communicate()
    count, _, message = output.partition(" ")
    assert "are safe" in message
    with closing(SqliteLog(path)) as log:
        assert verify(log).count == int(count) > 10


def test_a_folder_that_cannot_be_written_to_is_said_clearly(public_folder: Path) -> None:
    source = """
        import os, sys
        from quiltwork.log import LogUnavailable, SqliteLog
        if os.getuid() == 0:
            os.setuid(65534)
        try:
            SqliteLog(sys.argv[1])
        except LogUnavailable as error:
            print(error)
    """
    public_folder.chmod(0o555)
    output, _ = in_another_process(source, str(public_folder / "log.db")).communicate()
    public_folder.chmod(0o755)
    assert "log.db" in output
    assert "Check that its folder is there and may be used" in output


def test_a_log_in_a_folder_that_cannot_be_written_to_can_be_read(public_folder: Path) -> None:
    source = """
        import os, sys
        from quiltwork.log import LogUnavailable, SqliteLog, verify
        from tests.log.speech import say
        if os.getuid() == 0:
            os.setuid(65534)
        print(verify(SqliteLog(sys.argv[1], readonly=True)).count)
        try:
            say(SqliteLog(sys.argv[1]), "more")
        except LogUnavailable as error:
            print(error)
    """
    path = public_folder / "log.db"
    with closing(SqliteLog(path)) as log:
        say(log, "one", "two")
    path.chmod(0o444)
    public_folder.chmod(0o555)
    output, _ = in_another_process(source, str(path)).communicate()
    public_folder.chmod(0o755)
    count, _, message = output.partition("\n")
    assert count == "2"
    assert "cannot be written to" in message


def test_a_log_opened_for_reading_is_not_written(path: Path) -> None:
    with closing(SqliteLog(path)) as log:
        say(log, "one")
    before = path.read_bytes()
    with closing(SqliteLog(path, readonly=True)) as log:
        with pytest.raises(LogUnavailable, match="opened for reading only"):
            say(log, "two")
        assert [decode(entry) for entry in log.read()] == [Said("one")]
    assert path.read_bytes() == before


def test_a_missing_log_is_not_made_by_reading_it(path: Path) -> None:
    with pytest.raises(LogUnavailable, match="no log at"):
        SqliteLog(path, readonly=True)
    assert not path.exists()


def test_a_file_that_is_no_database_is_said_clearly(path: Path) -> None:
    path.write_bytes(b"Dear diary, " * 1_000)
    with pytest.raises(LogCorrupt, match=r"log\.db is damaged.*Restore it from a copy"):
        SqliteLog(path)


def test_another_database_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    before = path.read_bytes()
    with pytest.raises(LogCorrupt, match="not a log of Quiltwork"):
        SqliteLog(path)
    assert path.read_bytes() == before


def test_a_later_format_is_not_misread(path: Path) -> None:
    SqliteLog(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version=99")
    with pytest.raises(LogUnavailable, match=r"format 99.*Upgrade"):
        SqliteLog(path)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_truncated_file_is_found(path: Path, kept: float) -> None:
    with closing(SqliteLog(path)) as log:
        head = [say(log, "x" * 3_000) for _ in range(20)] and log.head()
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises((LogCorrupt, Broken)), closing(SqliteLog(path, readonly=True)) as log:
        verify(log, expect=head)


def test_entries_that_vanish_from_the_middle_are_named(path: Path) -> None:
    with closing(SqliteLog(path)) as log:
        say(log, *"abcde")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TRIGGER entries_never_go")
        connection.execute("DELETE FROM entries WHERE seq IN (1, 2)")
        connection.commit()
    with (
        closing(SqliteLog(path)) as log,
        pytest.raises(Broken, match="entry 1: it is missing, entry 3 stands in its place"),
    ):
        list(log.read())


def test_a_hundred_readers_hold_nobody_up(path: Path) -> None:
    with closing(SqliteLog(path)) as log:
        say(log, *(str(number) for number in range(100)))
        readers = [log.read() for _ in range(100)]
        for reader in readers:
            next(reader)
        say(log, "another")
        assert [sum(1 for _ in reader) for reader in readers] == [100] * 100


def test_large_entries_are_read_a_few_at_a_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quiltwork.log.sqlite.BATCH_BYTES", 2_500)
    with closing(SqliteLog(path)) as log:
        say(log, *["x" * 1_000] * 10)
        assert len(log._fetch(log._connection, 0, 1_000)) == 3
        assert [entry.seq for entry in log.read()] == list(range(10))


def test_logs_that_are_made_at_once_are_one_log(path: Path) -> None:
    ready = threading.Barrier(8)
    logs: list[SqliteLog] = []

    def make() -> None:
        ready.wait()
        logs.append(SqliteLog(path))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say(logs[0], "one")
    assert [log.head().length for log in logs] == [1] * 8
    for log in logs:
        log.close()


def test_a_path_with_odd_characters_is_just_a_path(tmp_path: Path) -> None:
    path = tmp_path / "a ?mode=memory&#%20é.db"
    with closing(SqliteLog(path)) as log:
        say(log, "one")
    assert path.exists()
    assert os.listdir(tmp_path) == [path.name]
