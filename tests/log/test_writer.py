from __future__ import annotations

import pytest

from quiltwork.log import Conflict, MemoryLog, Writer, verify
from tests.log.speech import ALICE, MALLORY, Said, say


def test_a_batch_has_one_time_by_the_given_clock() -> None:
    times = iter([5, 7])
    writer = Writer(MemoryLog(), ALICE, clock=lambda: next(times))
    first = writer.append(Said("one"), Said("two"))
    second = writer.append(Said("three"))
    assert [entry.time for entry in (*first, *second)] == [5, 5, 7]


def test_nothing_to_say_appends_nothing() -> None:
    log = MemoryLog()
    assert Writer(log, ALICE).append() == ()
    assert log.head().length == 0


def test_a_writer_that_was_too_late_goes_on_after_the_conflict() -> None:
    log = MemoryLog()
    writer = Writer(log, ALICE)
    writer.append(Said("one"))
    say(log, "two", identity=MALLORY)
    with pytest.raises(Conflict):
        writer.append(Said("three"))
    writer.append(Said("three, knowing of two"))
    assert verify(log).count == 3


def test_a_writer_takes_up_a_log_that_others_began() -> None:
    log = MemoryLog()
    say(log, "one", "two", identity=MALLORY)
    (entry,) = Writer(log, ALICE).append(Said("three"))
    assert entry.seq == 2
    assert verify(log).count == 3
