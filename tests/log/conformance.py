"""What every log backend must do. A backend's tests subclass `LogConformance` and give it logs to try.

class TestMyLog(LogConformance):
    @pytest.fixture
    def new_log(self, tmp_path):
        return lambda: MyLog(...)          # an empty log each time it is called
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator

import msgspec
import pytest

from quiltwork.log import EMPTY, Broken, Conflict, Entry, Head, Log, MemoryLog, Sequencer, Writer, decode, verify
from quiltwork.log.statement import said_in
from tests.log.speech import ALICE, BOB, MALLORY, Said, say, speaker

NewLog = Callable[[], Log]


def forged(entry: Entry, **changes: object) -> Entry:
    return msgspec.structs.replace(entry, **changes)


def draft(*words: str) -> tuple[Entry, ...]:
    """Entries that fit an empty log."""
    return tuple(say(MemoryLog(), *words))


class LogConformance:
    @pytest.fixture
    def log(self, new_log: NewLog) -> Iterator[Log]:
        log = new_log()
        yield log
        log.close()

    def test_a_new_log_is_empty(self, log: Log) -> None:
        assert log.head() == EMPTY
        assert list(log.read()) == []

    def test_what_was_appended_is_read_back_in_order(self, log: Log) -> None:
        entries = [*say(log, "one", "two"), *say(log, "three")]
        assert list(log.read()) == entries
        assert [decode(entry) for entry in log.read()] == [Said("one"), Said("two"), Said("three")]

    def test_entries_are_counted_from_zero_and_chained_by_hash(self, log: Log) -> None:
        say(log, "one", "two", "three")
        first, second, third = log.read()
        assert [first.seq, second.seq, third.seq] == [0, 1, 2]
        assert (first.prev, second.prev, third.prev) == (EMPTY.hash, first.hash, second.hash)

    def test_the_head_is_the_length_and_the_last_hash(self, log: Log) -> None:
        *_, last = say(log, "one", "two")
        assert log.head() == Head(2, last.hash)

    def test_append_gives_the_new_head(self, log: Log) -> None:
        entries = draft("one", "two")
        assert log.append(entries, EMPTY) == Head(2, entries[-1].hash) == log.head()

    def test_appending_nothing_changes_nothing(self, log: Log) -> None:
        head = Head(1, say(log, "one")[0].hash)
        assert log.append((), head) == head == log.head()

    def test_a_slice_can_be_read(self, log: Log) -> None:
        entries = say(log, *"abcdef")
        assert list(log.read(2, 4)) == list(entries[2:4])
        assert list(log.read(4)) == list(entries[4:])
        assert list(log.read(6)) == list(log.read(99)) == list(log.read(3, 3)) == list(log.read(3, 1)) == []
        assert list(log.read(0, 99)) == list(entries)

    def test_an_outdated_writer_meets_a_conflict_and_appends_nothing(self, log: Log) -> None:
        say(log, "first")
        with pytest.raises(Conflict) as conflict:
            log.append(draft("second"), EMPTY)
        assert conflict.value.expected == EMPTY
        assert conflict.value.found == log.head()
        assert log.head().length == 1

    def test_a_head_of_the_right_length_and_another_hash_is_a_conflict(self, log: Log) -> None:
        say(log, "first")
        with pytest.raises(Conflict):
            log.append((), Head(1, bytes(32)))

    @pytest.mark.parametrize(
        "changes",
        [{"seq": 3}, {"prev": b"x" * 32}, {"prev": b"short"}, {"time": -1}, {"kind": "No Kind"}, {"signature": b""}],
        ids=str,
    )
    def test_a_batch_with_an_entry_that_does_not_fit_is_refused_whole(
        self, log: Log, changes: dict[str, object]
    ) -> None:
        one, two, three = draft("one", "two", "three")
        with pytest.raises(Broken) as broken:
            log.append((one, forged(two, **changes), three), EMPTY)
        assert broken.value.seq == 1
        assert log.head() == EMPTY
        assert list(log.read()) == []

    def test_a_log_goes_on_after_a_refused_append(self, log: Log) -> None:
        with pytest.raises(Conflict):
            log.append((), Head(7, bytes(32)))
        say(log, "one")
        assert verify(log).count == 1

    def test_the_largest_and_the_smallest_entries_survive(self, log: Log) -> None:
        words = ("", "x" * (1_000_000), "\0", "é\U0001f9f5")
        say(log, *words, at=2**63 - 1)
        say(log, "now", at=0)
        assert [decode(entry) for entry in log.read()] == [Said(word) for word in (*words, "now")]
        assert [entry.time for entry in log.read()] == [2**63 - 1] * 4 + [0]

    def test_thousands_of_entries_are_read_in_order(self, log: Log) -> None:
        words = [str(number) for number in range(2_500)]
        say(log, *words)
        assert [entry.seq for entry in log.read()] == list(range(2_500))
        assert [entry.seq for entry in log.read(999, 2_001)] == list(range(999, 2_001))

    def test_a_reader_may_append_while_it_reads(self, log: Log) -> None:
        say(log, "one", "two")
        for entry in log.read(0, 2):
            say(log, f"seen {entry.seq}")
        assert log.head().length == 4

    def test_a_follower_gets_what_is_there_and_ends_when_told(self, log: Log) -> None:
        entries = say(log, "one", "two", "three")
        assert list(log.follow(1, poll_s=0.001, stop=lambda: True)) == list(entries[1:])

    def test_a_follower_sees_what_is_appended_later(self, log: Log) -> None:
        say(log, "one")
        seen: list[Entry] = []
        for entry in log.follow(poll_s=0.001, stop=lambda: len(seen) >= 5):
            seen.append(entry)
            if len(seen) < 5:
                say(log, "more")
        assert seen == list(log.read())
        assert len(seen) == 5

    def test_a_follower_from_beyond_the_end_begins_there(self, log: Log) -> None:
        say(log, "one")
        asked = iter([False] * 3)
        assert list(log.follow(5, poll_s=0.001, stop=lambda: next(asked, True))) == []
        seen: list[Entry] = []
        done = threading.Event()
        follower = threading.Thread(target=lambda: seen.extend(log.follow(2, poll_s=0.001, stop=done.is_set)))
        follower.start()
        say(log, "two", "three", "four")
        done.set()
        follower.join()
        assert [entry.seq for entry in seen] == [2, 3]

    def test_a_follower_that_is_let_go_holds_nobody_up(self, log: Log) -> None:
        say(log, "one", "two")
        followers = [log.follow(poll_s=0.001) for _ in range(10)]
        assert [next(follower).seq for follower in followers] == [0] * 10
        for follower in followers:
            assert isinstance(follower, Generator)
            follower.close()
        say(log, "three")
        assert log.head().length == 3

    def test_a_follower_in_another_thread_misses_nothing(self, log: Log) -> None:
        done = threading.Event()
        seen: list[Entry] = []
        follower = threading.Thread(target=lambda: seen.extend(log.follow(poll_s=0.001, stop=done.is_set)))
        follower.start()
        for number in range(50):
            say(log, str(number), "and")
        done.set()
        follower.join()
        assert seen == list(log.read())

    def test_threads_that_append_at_once_lose_nothing_and_fork_nothing(self, log: Log) -> None:
        def insist(identity_words: str) -> None:
            writer = Writer(log, ALICE)
            for number in range(20):
                while True:
                    try:
                        writer.append(Said(f"{identity_words} {number}"), Said("again"))
                        break
                    except Conflict:
                        continue

        threads = [threading.Thread(target=insist, args=(name,)) for name in ("red", "green", "blue")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert verify(log).count == 3 * 20 * 2
        said = [body.words for entry in log.read() if isinstance(body := decode(entry), Said)]
        for name in ("red", "green", "blue"):
            assert [words for words in said if words.startswith(name)] == [f"{name} {number}" for number in range(20)]

    def test_several_authors_may_write_one_log(self, log: Log) -> None:
        say(log, "one")
        say(log, "two", "three", identity=MALLORY)
        assert verify(log).authors == {ALICE.author: 1, MALLORY.author: 2}

    def test_a_signature_by_another_is_found_by_verification(self, log: Log) -> None:
        one, two = draft("one", "two")
        log.append((one, forged(two, signature=MALLORY.sign(two.hash))), EMPTY)
        assert verify(log, signatures=False).count == 2
        with pytest.raises(Broken, match=r"entry 1.*signature"):
            verify(log)

    def test_statements_are_put_in_order_and_speak_for_their_authors(self, log: Log) -> None:
        say(log, "begin")
        sequencer = Sequencer(log, ALICE)
        statements = [*speaker(log).say(Said("one"), Said("x" * 900_000)), *speaker(log, BOB).say(Said("three"))]
        receipt = sequencer.submit(statements)
        assert [outcome.seq for outcome in receipt.outcomes] == [1, 2, 3]
        assert Sequencer(log, ALICE).submit(statements) == receipt
        assert [said_in(entry) for entry in log.read(1)] == statements
        assert verify(log).authors == {ALICE.author: 1, MALLORY.author: 2, BOB.author: 1}

    def test_closing_twice_is_closing_once(self, new_log: NewLog) -> None:
        log = new_log()
        log.close()
        log.close()
