from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.keys import Identity
from quiltwork.log import (
    Body,
    Conflict,
    Entry,
    Head,
    LogUnavailable,
    MemoryLog,
    Refused,
    Speaker,
    Speakers,
    Spoken,
    SqliteLog,
    Statement,
    decode,
    log_id,
    verify,
)
from quiltwork.log.sequencer import Outcome, Receipt, Sequencer, SequencerBusy
from quiltwork.log.statement import said_in
from tests.log.speech import ALICE, BOB, MALLORY, Noted, Said, begun, say, speaker


def at_once(*actions: Callable[[], object]) -> None:
    threads = [threading.Thread(target=action) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def spoken(log: MemoryLog | SqliteLog) -> list[tuple[bytes, Body]]:
    speakers = Speakers(signatures=True)
    found = [speakers.hear(entry) for entry in log.read()]
    assert not [each for each in found if isinstance(each, Refused)]
    return [(each.author, each.body) for each in found if isinstance(each, Spoken) and isinstance(each.body, Body)]


class Counted(MemoryLog):
    """A log that counts its appends, and can be told to hold them up or to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.waiting = threading.Event()
        self.fail_before = 0
        self.fail_after = 0

    def append(self, entries: Sequence[Entry], expect: Head) -> Head:
        self.waiting.set()
        self.gate.wait()
        if self.fail_before:
            self.fail_before -= 1
            raise LogUnavailable("The disk is gone.")
        head = super().append(entries, expect)
        self.batches.append(len(entries))
        if self.fail_after:
            self.fail_after -= 1
            raise LogUnavailable("The answer is lost.")
        return head


@pytest.fixture
def log() -> Counted:
    log = Counted()
    say(log, "begin")
    log.batches.clear()
    log.waiting.clear()
    return log


def test_what_is_submitted_is_placed_and_told_where(log: Counted) -> None:
    sequencer = Sequencer(log, ALICE, clock=lambda: 5)
    receipt = sequencer.submit(speaker(log).say(Said("one"), Said("two")))
    assert receipt == Receipt((Outcome(1), Outcome(2)))
    assert receipt.refused == ()
    assert spoken(log)[1:] == [(MALLORY.author, Said("one")), (MALLORY.author, Said("two"))]
    assert [entry.time for entry in log.read(1)] == [5, 5]
    assert verify(log).authors == {ALICE.author: 1, MALLORY.author: 2}


def test_nothing_submitted_appends_nothing(log: Counted) -> None:
    sequencer = Sequencer(log, ALICE, before=lambda: [Said("tick")])
    assert sequencer.submit(()) == Receipt(())
    assert sequencer.say() == ()
    assert log.batches == []


def test_what_cannot_be_placed_is_refused_with_the_reason_and_the_rest_is_placed(log: Counted) -> None:
    one, two, three = speaker(log).say(Said("one"), Said("two"), Said("three"))
    (elsewhere,) = speaker(begun(owner=MALLORY)).say(Said("elsewhere"))
    forged = msgspec.structs.replace(two, body=b"\x80")
    receipt = Sequencer(log, ALICE).submit([one, forged, elsewhere, three, two, two])
    assert [outcome.seq for outcome in receipt.outcomes] == [1, None, None, 2, None, None]
    assert [outcome.code for outcome in receipt.refused] == ["forged", "other-log", "number-used", "number-used"]
    assert "its author has used 3 before" in receipt.refused[2].why
    assert log.batches == [2]


def test_a_batch_in_which_everything_is_refused_is_not_appended(log: Counted) -> None:
    sequencer = Sequencer(log, ALICE, before=lambda: [Said("tick")])
    sequencer.submit([msgspec.structs.replace(each, time=0) for each in speaker(log).say(Said("one"))])
    assert log.batches == []


def test_what_waits_at_the_same_time_is_one_append(log: Counted) -> None:
    sequencer = Sequencer(log, ALICE)
    log.gate.clear()
    others = [speaker(log, Identity.generate()).say(Said(str(number))) for number in range(8)]
    first = threading.Thread(target=sequencer.submit, args=(speaker(log, BOB).say(Said("first")),))
    first.start()
    log.waiting.wait()
    threads = [threading.Thread(target=sequencer.submit, args=(each,)) for each in others]
    for thread in threads:
        thread.start()
    while len(sequencer._queue) < 8:
        pass
    log.gate.set()
    for thread in (first, *threads):
        thread.join()
    assert log.batches == [1, 8]
    assert verify(log).count == 10


def test_many_threads_that_submit_at_once_lose_and_fork_nothing(tmp_path: Path) -> None:
    with closing(SqliteLog(tmp_path / "log.db")) as log:
        say(log, "begin")
        sequencer = Sequencer(log, ALICE)
        voices = [Speaker(Identity.generate(), log_id(log)) for _ in range(12)]
        receipts: dict[bytes, list[int | None]] = {voice.author: [] for voice in voices}

        def speak(voice: Speaker) -> None:
            for number in range(20):
                receipt = sequencer.submit(voice.say(Noted(number), Said("and")))
                receipts[voice.author] += [outcome.seq for outcome in receipt.outcomes]

        def tick() -> None:
            for _ in range(20):
                sequencer.say(Said("tick"), Said("tock"))

        at_once(tick, *[lambda voice=voice: speak(voice) for voice in voices])
        found = verify(log)
        assert found.authors == {ALICE.author: 41, **{voice.author: 40 for voice in voices}}
        said = spoken(log)
        for voice in voices:
            assert [body.number for author, body in said if author == voice.author and isinstance(body, Noted)] == list(
                range(20)
            )
            places = receipts[voice.author]
            assert places == [seq for seq, (author, _) in enumerate(said) if author == voice.author]
        own = [body for author, body in said if author == ALICE.author]
        assert own[1:] == [Said("tick"), Said("tock")] * 20


def test_a_statement_that_is_sent_again_gets_the_same_receipt_and_is_appended_once(log: Counted) -> None:
    sequencer = Sequencer(log, ALICE)
    statements = speaker(log).say(Said("one"), Said("two"))
    first = sequencer.submit(statements)
    assert sequencer.submit(statements) == first
    assert Sequencer(log, ALICE).submit(statements) == first
    assert Sequencer(log, ALICE).submit([*statements, *statements]).outcomes == first.outcomes * 2
    assert log.head().length == 3


def test_a_statement_that_is_sent_twice_at_once_is_placed_once(log: Counted) -> None:
    statements = speaker(log).say(Said("one"))
    assert Sequencer(log, ALICE).submit([*statements, *statements]).outcomes == (Outcome(1), Outcome(1))
    assert log.head().length == 2


def test_a_statement_beyond_memory_is_refused_and_never_appended_twice(
    log: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quiltwork.log.sequencer.REMEMBERED", 2)
    sequencer = Sequencer(log, ALICE)
    one, two, three = speaker(log).say(Said("one"), Said("two"), Said("three"))
    sequencer.submit([one, two, three])
    (outcome,) = sequencer.submit([one]).outcomes
    assert outcome.seq is None
    assert "further back than the last 2" in outcome.why
    assert sequencer.submit([two]).outcomes == (Outcome(2),)


def test_its_owner_speaks_through_it_too_and_all_or_none(log: Counted) -> None:
    sequencer = Sequencer(log, ALICE)
    entries = sequencer.say(Said("one"), Noted(2))
    assert [decode(entry) for entry in entries] == [Said("one"), Noted(2)]
    assert list(log.read(1)) == list(entries)
    assert log.batches == [2]


def test_an_empty_log_is_begun_through_it_and_then_takes_statements() -> None:
    log = MemoryLog()
    sequencer = Sequencer(log, ALICE)
    (early,) = sequencer.submit(speaker(begun(owner=MALLORY)).say(Said("early"))).outcomes
    assert early.code == "other-log"
    (first,) = sequencer.say(Said("begin"))
    assert first.seq == 0
    assert sequencer.submit(speaker(log).say(Said("one"))).outcomes == (Outcome(1),)


def test_what_comes_before_a_batch_is_its_own_and_comes_once_a_batch(log: Counted) -> None:
    ticks = iter(range(100))
    sequencer = Sequencer(log, ALICE, before=lambda: [Noted(next(ticks))])
    assert sequencer.submit(speaker(log).say(Said("one"), Said("two"))).outcomes == (Outcome(2), Outcome(3))
    (entry,) = sequencer.say(Said("mine"))
    assert entry.seq == 5
    assert [body for _, body in spoken(log)][1:] == [Noted(0), Said("one"), Said("two"), Noted(1), Said("mine")]


def test_a_failing_storage_is_told_to_all_who_wait_and_the_next_append_goes_on(log: Counted) -> None:
    sequencer = Sequencer(log, ALICE)
    log.fail_before = 1
    statements = speaker(log).say(Said("one"))
    with pytest.raises(LogUnavailable, match="The disk is gone"):
        sequencer.submit(statements)
    assert sequencer.submit(statements).outcomes == (Outcome(1),)


def test_an_append_whose_answer_was_lost_is_found_when_the_statements_come_again(log: Counted) -> None:
    sequencer = Sequencer(log, ALICE)
    log.fail_after = 1
    statements = speaker(log).say(Said("one"), Said("two"))
    with pytest.raises(LogUnavailable, match="The answer is lost"):
        sequencer.submit(statements)
    assert sequencer.submit(statements).outcomes == (Outcome(1), Outcome(2))
    assert log.head().length == 3


def test_a_flaw_in_what_comes_before_reaches_its_caller_and_leaves_nobody_waiting(log: Counted) -> None:
    def before() -> Sequence[Body]:
        log.waiting.set()
        log.gate.wait()
        raise ZeroDivisionError

    sequencer = Sequencer(log, ALICE, before=before)
    log.gate.clear()
    raised: list[BaseException] = []

    def submit(statements: Iterable[Statement]) -> None:
        try:
            sequencer.submit(statements)
        except (ZeroDivisionError, LogUnavailable) as error:
            raised.append(error)

    threads = [threading.Thread(target=submit, args=(speaker(log, who).say(Said("x")),)) for who in (MALLORY, BOB)]
    for thread in threads:
        thread.start()
    log.waiting.wait()
    log.gate.set()
    for thread in threads:
        thread.join()
    assert len(raised) == 2
    assert any(isinstance(error, ZeroDivisionError) for error in raised)


def test_entries_of_another_writer_are_read_before_going_on(log: Counted) -> None:
    sequencer = Sequencer(log, ALICE)
    one, two = speaker(log).say(Said("one"), Said("two"))
    say(log, "from elsewhere", identity=BOB)
    assert Sequencer(log, ALICE).submit([one]).outcomes == (Outcome(2),)
    assert sequencer.submit([one, two]).outcomes == (Outcome(2), Outcome(3))
    assert verify(log).count == 4


def test_a_log_that_is_always_ahead_is_given_up(log: Counted) -> None:
    def before() -> Sequence[Body]:
        say(log, "faster", identity=BOB)
        return ()

    sequencer = Sequencer(log, ALICE, before=before)
    with pytest.raises(Conflict):
        sequencer.say(Said("never"))


def test_a_log_that_was_cut_is_not_written_on(log: Counted) -> None:
    sequencer = Sequencer(log, ALICE)
    sequencer.say(Said("one"), Said("two"))
    log._entries.pop()
    log._head = Head(2, log._entries[-1].hash)
    with pytest.raises(Conflict):
        sequencer.say(Said("three"))


def test_batches_are_bounded(log: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quiltwork.log.sequencer.MAX_BATCH_ENTRIES", 4)
    sequencer = Sequencer(log, ALICE)
    sequencer.submit(speaker(log).say(*[Noted(number) for number in range(10)]))
    assert log.batches == [4, 4, 2]
    monkeypatch.setattr("quiltwork.log.sequencer.MAX_BATCH_BYTES", 2_500)
    sequencer.submit(speaker(log, BOB).say(*[Said("x" * 1_000) for _ in range(4)]))
    assert log.batches[3:] == [2, 2]
    sequencer.say(*[Said("x" * 1_000) for _ in range(6)])
    assert log.batches[5:] == [6]


def test_who_would_wait_behind_too_many_is_told_to_come_back(log: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quiltwork.log.sequencer.MAX_WAITING_ENTRIES", 3)
    sequencer = Sequencer(log, ALICE)
    log.gate.clear()
    voice = speaker(log)
    first = threading.Thread(target=sequencer.submit, args=(voice.say(Said("one")),))
    first.start()
    log.waiting.wait()
    second = threading.Thread(target=sequencer.submit, args=(voice.say(Said("two"), Said("three")),))
    second.start()
    while len(sequencer._queue) < 2:
        pass
    with pytest.raises(SequencerBusy, match="2 entries wait already"):
        sequencer.submit(speaker(log, BOB).say(Said("x"), Said("y")))
    log.gate.set()
    first.join()
    second.join()
    assert log.head().length == 4
    assert len(sequencer.submit(speaker(log, BOB).say(*[Said("x")] * 9)).outcomes) == 9


@given(order=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), max_size=25))
def test_however_often_and_in_whatever_order_things_are_sent_each_is_placed_once_and_numbers_rise(
    order: list[tuple[int, int]],
) -> None:
    log = begun()
    sequencer = Sequencer(log, ALICE)
    said = [speaker(log, who).say(*[Noted(n) for n in range(6)]) for who in (MALLORY, BOB, ALICE)]
    for who, number in order:
        (outcome,) = sequencer.submit([said[who][number]]).outcomes
        if outcome.seq is not None:
            assert said_in(next(log.read(outcome.seq))) == said[who][number]
    assert verify(log).count == log.head().length
    for who, identity in enumerate((MALLORY, BOB, ALICE)):
        wanted: list[int] = []
        for number in [number for each, number in order if each == who]:
            if number > max(wanted, default=-1):
                wanted.append(number)
        assert [b.number for a, b in spoken(log) if a == identity.author and isinstance(b, Noted)] == wanted
