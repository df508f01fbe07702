"""What a chain may still take back, what it may not, and what is kept of the latter in a file."""

from __future__ import annotations

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from quiltwork.log import EMPTY, Conflict, LogCorrupt, LogUnavailable, MemoryLog, SqliteLog, verify
from quiltwork.log.solana import Pace, Rule, TakenBack
from tests.log.solana.chain import FINAL_AFTER
from tests.log.solana.conftest import Open, settle
from tests.log.solana.posting import post_parts
from tests.log.solana.rpc import Cluster
from tests.log.speech import BOB, say

HURRIED = Pace(slot_s=0.001, backoff_s=0.001, timeout_s=0.2)


# Forks


def test_entries_that_the_chain_replaces_are_told_as_taken_back_for_ever(own: Cluster, opened: Open) -> None:
    reader, writer = opened(own, payer=None), opened(own)
    say(writer, "kept")
    settle(writer)
    say(writer, "lost")
    assert reader.head().length == 2
    own.chain.take_back(FINAL_AFTER)
    fresh = opened(own)
    say(fresh, "another", identity=BOB)
    for _ in range(2):
        with pytest.raises(TakenBack, match=r"took back entry 1 .*commitment='finalized'"):
            reader.head()
    assert [entry.author for entry in opened(own, payer=None).read(1)] == [BOB.author]


def test_an_entry_that_is_gone_and_not_replaced_is_not_forgotten_silently(own: Cluster, opened: Open) -> None:
    reader = opened(own, payer=None, pace=HURRIED)
    say(opened(own), "lost")
    assert reader.head().length == 1
    own.chain.take_back(FINAL_AFTER)
    with pytest.raises(LogUnavailable, match="no longer has entry 0, which was confirmed"):
        reader.head()


def test_what_is_final_is_not_taken_back(own: Cluster, opened: Open) -> None:
    reader = opened(own, commitment="finalized")
    writer = opened(own)
    say(writer, "lost")
    assert reader.head() == EMPTY
    own.chain.take_back(FINAL_AFTER)
    say(opened(own), "kept")
    settle(reader)
    assert reader.head().length == 1


def test_an_append_to_finalized_waits_until_it_is(own: Cluster, opened: Open) -> None:
    log = opened(own, commitment="finalized")
    before = own.chain.slot
    say(log, "one")
    assert own.chain.slot - before >= FINAL_AFTER
    assert log.head().length == 1


def test_a_row_that_a_node_lists_late_takes_its_place_in_the_order(own: Cluster, opened: Open) -> None:
    """An index is written beside the chain, and may lag: of two rows in one block the later may be listed first."""
    writer, reader = opened(own), opened(own, payer=None)
    say(writer, "one")
    say(writer, "two")
    own.node().hidden.add(own.chain.rows[0].signature)
    assert reader.head() == EMPTY, "entry 1 alone is nothing"
    own.node().hidden.clear()
    assert reader.head().length == 2


def test_a_row_of_which_a_node_does_not_say_that_it_is_final_is_not_overtaken(own: Cluster, opened: Open) -> None:
    writer, reader = opened(own), opened(own, payer=None)
    say(writer, "one")
    say(writer, "two")
    settle(writer)
    own.node().unsure.add(own.chain.rows[0].signature)
    assert [entry.seq for entry in reader.read()] == [0, 1]
    own.node().unsure.clear()
    assert [entry.seq for entry in reader.read()] == [0, 1]


def test_a_lost_append_can_be_made_again_with_the_same_entries(own: Cluster, opened: Open) -> None:
    log = opened(own, pace=HURRIED)
    entries = say(MemoryLog(), "one", "two")
    own.node().hidden = _Everything()
    with pytest.raises(LogUnavailable, match="All transactions are confirmed, but no node lists them"):
        log.append(entries, EMPTY)
    own.node().hidden = set()
    with pytest.raises(Conflict, match="found 2"):
        log.append(entries, EMPTY)
    assert list(log.read()) == list(entries)


class _Everything(set[str]):
    def __contains__(self, item: object) -> bool:
        return True


# The cache


def test_a_log_goes_on_from_its_cache(own: Cluster, opened: Open, tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    log = opened(own, cache=path)
    for number in range(12):
        say(log, str(number))
    settle(log)
    log.close()
    with closing(SqliteLog(path, readonly=True)) as cached:
        assert verify(cached).count == 12, "an ordinary log, for all tools"
    own.node().page_rows = 5
    say(opened(own), "more")
    before = own.node().asked["getSignaturesForAddress"]
    again = opened(own, cache=path)
    assert [entry.seq for entry in again.read()] == list(range(13))
    assert own.node().asked["getSignaturesForAddress"] - before == 2, (
        "the page with what is new, and that nothing follows"
    )


def test_a_cache_makes_up_for_a_node_that_dropped_the_beginning(own: Cluster, opened: Open, tmp_path: Path) -> None:
    log = opened(own, cache=tmp_path / "cache.db")
    say(log, "one")
    settle(log)
    log.close()
    own.node("b").first_block = own.chain.rows[0].slot
    say(opened(own), "two")
    assert opened(own, cache=tmp_path / "cache.db", nodes="b").head().length == 2


def test_a_cache_holds_nothing_that_is_not_final(own: Cluster, opened: Open, tmp_path: Path) -> None:
    log = opened(own, cache=tmp_path / "cache.db")
    say(log, "one")
    settle(log)
    say(log, "two")
    log.close()
    with closing(SqliteLog(tmp_path / "cache.db", readonly=True)) as cached:
        assert cached.head().length == 1


def test_a_cache_that_died_before_its_mark_was_written_goes_on(own: Cluster, opened: Open, tmp_path: Path) -> None:
    path, mark = tmp_path / "cache.db", tmp_path / "cache.db.mark"
    log = opened(own, cache=path)
    say(log, "one")
    settle(log)
    early = mark.read_bytes()
    say(log, "two")
    settle(log)
    log.close()
    for left in (early, None):
        if left is None:
            mark.unlink()
        else:
            mark.write_bytes(left)
        again = opened(own, cache=path)
        settle(again)
        assert [entry.seq for entry in again.read()] == [0, 1]
        assert json.loads(mark.read_bytes())["head"] == str(again.head())
        again.close()


def test_readers_may_share_a_cache(own: Cluster, opened: Open, tmp_path: Path) -> None:
    writer = opened(own)
    readers = [opened(own, payer=None, cache=tmp_path / "cache.db") for _ in range(3)]
    for number in range(10):
        say(writer, str(number))
    with ThreadPoolExecutor(len(readers)) as pool:
        list(pool.map(settle, readers))
    assert [[entry.seq for entry in reader.read()] for reader in readers] == [list(range(10))] * 3
    with closing(SqliteLog(tmp_path / "cache.db", readonly=True)) as cached:
        assert verify(cached).count == 10
    assert {path.name for path in tmp_path.iterdir()} >= {"cache.db", "cache.db.mark"}
    assert not list(tmp_path.glob(".*")), "nothing unfinished is left"


def test_the_cache_of_another_log_is_refused(own: Cluster, opened: Open, tmp_path: Path) -> None:
    log = opened(own, cache=tmp_path / "cache.db")
    say(log, "one")
    settle(log)
    log.close()
    with pytest.raises(LogCorrupt, match="belongs to another log"):
        opened(own, Rule("another"), cache=tmp_path / "cache.db")


def test_a_cache_with_other_entries_is_refused(own: Cluster, opened: Open, tmp_path: Path) -> None:
    with closing(SqliteLog(tmp_path / "cache.db")) as other:
        say(other, "something else")
    say(opened(own), "one")
    log = opened(own, cache=tmp_path / "cache.db")
    with pytest.raises(LogCorrupt, match=r"Entry 0 is another in the cache than on the chain. Remove the cache"):
        settle(log)


@pytest.mark.parametrize(
    ("mark", "why"),
    [
        ("", "is no mark"),
        ('{"rule":"RULE","head":"1:zz","signature":"x","slot":1}', "is no mark"),
        ('{"rule":"RULE","head":"5:' + "0" * 64 + '","signature":"x","slot":1}', "do not belong together"),
        ('{"rule":"RULE","head":"1:' + "0" * 64 + '","signature":"x","slot":1}', "do not belong together"),
        ('{"rule":"RULE","head":"0:' + "1" * 64 + '","signature":"x","slot":1}', "do not belong together"),
    ],
)
def test_a_mark_that_cannot_be_is_said_clearly(own: Cluster, opened: Open, tmp_path: Path, mark: str, why: str) -> None:
    with closing(SqliteLog(tmp_path / "cache.db")) as cached:
        say(cached, "one")
    (tmp_path / "cache.db.mark").write_text(mark.replace("RULE", Rule("test").id.hex()))
    with pytest.raises(LogCorrupt, match=f"{why}.*all of it is on the chain"):
        opened(own, cache=tmp_path / "cache.db")


def test_an_unfinished_batch_is_read_again_after_a_restart(own: Cluster, opened: Open, tmp_path: Path) -> None:
    """The mark stays before the parts of a batch that may still be completed, however old they are."""
    log = opened(own, cache=tmp_path / "cache.db")
    say(log, "one")
    entries, _ = post_parts(own, log, 3, leave_out=[1])
    settle(log)
    log.close()
    again = opened(own, cache=tmp_path / "cache.db")
    assert again.head().length == 1
    post_parts(own, again, 3, leave_out=[0, 2])
    assert list(again.read(1)) == list(entries)
    with closing(sqlite3.connect(tmp_path / "cache.db")) as connection:
        assert connection.execute("SELECT count(*) FROM entries").fetchone() == (1,)
