from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.log import EMPTY, Broken, Entry, Head, Log, LogUnavailable, MemoryLog, SqliteLog, verify
from quiltwork.log.copy import Copied, Diverged, copy
from quiltwork.log.postgres import PostgresLog
from quiltwork.log.solana import Rule, SolanaLog
from tests.log.postgres_server import PostgresServer
from tests.log.serving import serving
from tests.log.solana.conftest import PACE, PAYER, RICH, ask
from tests.log.solana.rpc import cluster
from tests.log.speech import ALICE, MALLORY, Said, begun, relay, say, speaker

New = Callable[[], Log]
BACKENDS = ["memory", "sqlite", "http", "postgres"]
NUMBERS = count()


@pytest.fixture
def new(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[str], Log]]:
    """Makes an empty log of the backend that is named."""
    with ExitStack() as stack:

        def make(backend: str) -> Log:
            match backend:
                case "memory":
                    return MemoryLog()
                case "sqlite":
                    return stack.enter_context(closing(SqliteLog(tmp_path / f"{next(NUMBERS)}.db")))
                case "http":
                    return stack.enter_context(serving(MemoryLog())).client()
            server: PostgresServer = request.getfixturevalue("postgres")
            return stack.enter_context(closing(PostgresLog(server.dsn, f"copy {next(NUMBERS)}")))

        yield make


def filled(log: Log) -> Log:
    """A log with entries of two authors, and statements."""
    say(log, "begin", *[f"entry {number}" for number in range(20)])
    say(log, "x" * 100_000, identity=MALLORY)
    relay(log, *speaker(log).say(Said("one"), Said("two")))
    return log


@pytest.mark.parametrize("target", BACKENDS)
@pytest.mark.parametrize("source", BACKENDS)
def test_a_log_moves_from_any_backend_to_any_other_with_its_proof(
    new: Callable[[str], Log], source: str, target: str
) -> None:
    ours, theirs = filled(new(source)), new(target)
    assert copy(ours, theirs, batch_entries=7) == Copied(ours.head(), 24)
    assert list(theirs.read()) == list(ours.read())
    assert verify(theirs, expect=ours.head()) == verify(ours)
    assert copy(ours, theirs).copied == 0
    say(ours, "more")
    assert copy(ours, theirs) == Copied(ours.head(), 1)


def test_a_log_moves_to_solana_and_back_with_its_proof(new: Callable[[str], Log]) -> None:
    ours, back = new("sqlite"), new("memory")
    say(ours, "begin", "x" * 3_000)
    relay(ours, *speaker(ours).say(Said("one"), Said("two")))
    with cluster() as made:
        ask(made, "requestAirdrop", PAYER.address, RICH)
        with closing(SolanaLog(made.url_of("a"), Rule("copy"), payer=PAYER, pace=PACE)) as theirs:
            assert copy(ours, theirs, batch_entries=2) == Copied(ours.head(), 4)
            assert copy(ours, theirs).copied == 0
            assert copy(theirs, back) == Copied(ours.head(), 4)
    assert verify(back) == verify(ours)


class Cut(MemoryLog):
    """A target that can be reached only so often."""

    def __init__(self, appends: int) -> None:
        super().__init__()
        self.appends = appends

    def append(self, entries: Sequence[Entry], expect: Head) -> Head:
        if self.appends == 0:
            raise LogUnavailable("The cable was pulled.")
        self.appends -= 1
        return super().append(entries, expect)


@given(cuts=st.lists(st.integers(0, 4), max_size=6), batch=st.integers(1, 10))
def test_a_copy_that_is_cut_off_again_and_again_goes_on_where_it_was(cuts: list[int], batch: int) -> None:
    source, target = filled(MemoryLog()), Cut(0)
    for appends in cuts:
        target.appends, before = appends, target.head().length
        try:
            copy(source, target, batch_entries=batch)
        except LogUnavailable:
            assert target.head().length == min(24, before + appends * batch)
    target.appends = 100
    copy(source, target, batch_entries=batch)
    assert list(target.read()) == list(source.read())


@pytest.mark.parametrize("differ", [0, 3, 9])
def test_a_target_that_diverges_is_refused_with_the_entry_and_left_alone(differ: int) -> None:
    source, target = MemoryLog(), MemoryLog()
    say(source, *"abcdefghijkl")
    say(target, *"abcdefghijkl"[:differ], "another", *"xyz")
    before = target.head()
    with pytest.raises(Diverged, match=f"its entry {differ} is not that of the source") as diverged:
        copy(source, target)
    assert diverged.value.seq == differ
    assert target.head() == before


def test_a_target_that_is_ahead_of_the_source_is_left_as_it_is() -> None:
    source, target = MemoryLog(), MemoryLog()
    for log in (source, target):
        say(log, "one", "two")
    say(target, "three")
    assert copy(source, target) == Copied(source.head(), 0)
    assert target.head().length == 3
    assert copy(MemoryLog(), target) == Copied(EMPTY, 0)


def test_a_forged_source_is_found_at_the_latest_when_its_copy_is_verified() -> None:
    source = begun()
    one, two = say(MemoryLog(), "begin", "two")
    source.append([msgspec.structs.replace(two, signature=MALLORY.sign(two.hash))], Head(1, one.hash))
    with pytest.raises(Broken, match="entry 1: its signature"):
        copy(source, MemoryLog())


def test_a_source_whose_chain_is_broken_is_not_copied_beyond() -> None:
    source, target = MemoryLog(), MemoryLog()
    say(source, *"abcdef")
    source._entries[3] = msgspec.structs.replace(source._entries[3], time=0)
    with pytest.raises(Broken, match="entry 4"):
        copy(source, target, batch_entries=2)
    assert target.head().length == 4


def test_batches_are_bounded_by_bytes_and_progress_is_told() -> None:
    source, target = MemoryLog(), Cut(100)
    say(source, *["x" * 1_000] * 10)
    told: list[tuple[int, int]] = []
    copy(source, target, batch_bytes=2_500, tell=lambda done, of: told.append((done, of)))
    assert told == [(2, 10), (4, 10), (6, 10), (8, 10), (10, 10)]


def test_what_is_appended_meanwhile_is_left_for_the_next_time() -> None:
    source, target = MemoryLog(), MemoryLog()
    say(source, *"abcd")
    found = copy(source, target, batch_entries=2, tell=lambda done, of: say(source, "more", identity=ALICE) and None)
    assert found.head.length == target.head().length == 4
    assert copy(source, target).copied == 2
