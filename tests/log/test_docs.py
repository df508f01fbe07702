"""What docs/log.md says is true."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from quiltwork.log import GENESIS, Entry, SqliteLog
from quiltwork.log.entry import signed_bytes
from tests.log.speech import ALICE, MALLORY, say

PAGE = (Path(__file__).parents[2] / "docs" / "log.md").read_text()
VERIFIER, EXAMPLE = re.findall(
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


def test_a_known_entry_keeps_its_hash_for_ever() -> None:
    """If this fails, no log that exists verifies any more."""
    entry = Entry(0, GENESIS, 0, ALICE.author, "speech.said/1", b"\x81\xa5words\xa2hi", bytes(64))
    assert entry.hash.hex() == "55e3cd9f35224b9fbb4e2ef77bf8ce6e579489dab0ef612f60df7861e8f24076"


def test_the_example_runs(tmp_path: Path) -> None:
    found = subprocess.run([sys.executable, "-c", EXAMPLE], capture_output=True, text=True, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert "1 garden.watered/1 Watered(bed='beans', litres=7.5)" in found.stdout
