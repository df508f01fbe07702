"""One of several writers of a log: what it believes, and what it bears."""

from collections.abc import Callable, Iterator, Sequence

import pytest

from quiltwork.errors import UserError
from quiltwork.keys import Identity
from quiltwork.log import Broken, Conflict, Entry, Head, LogUnavailable, MemoryLog, Writer
from quiltwork.pretrain import voice
from quiltwork.pretrain.entries import Left, Ticked
from quiltwork.pretrain.voice import WriterVoice

ME, OTHER = Identity.generate(), Identity.generate()


class Weather(MemoryLog):
    """A log that is out of reach now and then, and that breaks off after each entry."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = 0
        self.conflicts = 0

    def append(self, entries: Sequence[Entry], expect: Head) -> Head:
        if self.conflicts:
            self.conflicts -= 1
            raise Conflict(expect, self.head())
        return super().append(entries, expect)

    def follow(
        self, start: int = 0, *, poll_s: float = 0.2, stop: Callable[[], bool] = lambda: False
    ) -> Iterator[Entry]:
        if self.failures:
            self.failures -= 1
            raise LogUnavailable("out of reach")
        for entry in super().follow(start, poll_s=0.01, stop=stop):
            yield entry
            raise LogUnavailable("broken off")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice, "AGAIN_S", 0.01)


def followed(mine: WriterVoice, start: int, count: int) -> list[int]:
    found: list[int] = []
    for entry in mine.follow(start, lambda: len(found) >= count):
        found.append(entry.seq)
    return found


def test_several_writers_take_turns_and_read_the_same() -> None:
    log = MemoryLog()
    mine, theirs = WriterVoice(log, ME), WriterVoice(log, OTHER)
    for now in range(3):
        mine.say(Ticked(now))
        theirs.say(Ticked(now))
    assert [entry.author for entry in mine.read()] == [ME.author, OTHER.author] * 3
    assert list(mine.read()) == list(theirs.read())


@pytest.mark.usefixtures("quick")
def test_a_log_that_breaks_off_and_is_out_of_reach_is_followed_without_a_gap() -> None:
    log = Weather()
    mine = WriterVoice(log, ME)
    Writer(log, OTHER).append(*(Ticked(now) for now in range(5)))
    assert len(list(mine.read())) == 5
    Writer(log, OTHER).append(*(Ticked(now) for now in range(4)))
    log.failures = 3
    assert followed(mine, 5, 4) == [5, 6, 7, 8]


@pytest.mark.usefixtures("quick")
def test_who_cannot_reach_the_log_any_more_is_told_so_in_the_end() -> None:
    log = Weather()
    log.failures = 1 << 30
    mine = WriterVoice(log, ME, patience_s=0.05)
    with pytest.raises(LogUnavailable, match="out of reach"):
        followed(mine, 0, 1)
    assert log.failures < (1 << 30) - 1, "it was tried again"


def test_nobody_speaks_for_another() -> None:
    log = MemoryLog()
    mine = WriterVoice(log, ME)
    Writer(log, OTHER).append(Ticked(1))
    assert len(list(mine.read())) == 1
    forger = Identity.generate()
    (entry,) = Writer(MemoryLog(), forger).append(Left("says somebody else"))
    forged = Entry(1, log.head().hash, entry.time, OTHER.author, entry.kind, entry.body, forger.sign(b"whatever"))
    log.append([forged], log.head())
    with pytest.raises(Broken, match=r"entry 1: its signature is not that of"):
        followed(mine, 1, 1)
    with pytest.raises(Broken):
        list(mine.read())


def test_where_others_are_always_faster_it_says_that_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice, "MOST_CONFLICTS", 10)
    log = Weather()
    log.conflicts = 5
    WriterVoice(log, ME).say(Ticked(1))
    assert log.head().length == 1, "after five conflicts its turn came"
    log.conflicts = 1 << 30
    with pytest.raises(UserError, match="too many writers"):
        WriterVoice(log, ME).say(Ticked(2))
