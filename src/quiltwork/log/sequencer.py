"""The sequencer: puts what many say at once into one order, and is the only one who appends to its log.

Whoever waits while an append goes on is taken into the next one together with all others who wait, so that the log's speed
is that of its batches, and nobody has to know the head. No thread belongs to it: whose turn it is does the work for all.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from threading import Lock

import msgspec

from quiltwork.errors import UserError
from quiltwork.keys import Identity
from quiltwork.log.entry import Entry
from quiltwork.log.kinds import Body, encode
from quiltwork.log.protocol import EMPTY, Conflict, Head, Log, LogUnavailable, chain_on
from quiltwork.log.statement import Fault, Refused, Relayed, Speakers, Statement, check
from quiltwork.log.writer import sign_on

MAX_BATCH_ENTRIES = 512
"""Of one append: signing so many takes 11 ms, and everybody in the batch waits for it."""

MAX_BATCH_BYTES = 8 << 20
"""Of one append: what a slow disk writes in a fraction of a second."""

MAX_WAITING_ENTRIES = 16 * MAX_BATCH_ENTRIES
MAX_WAITING_BYTES = 8 * MAX_BATCH_BYTES
"""Of all who wait: seconds of work. More would be memory that clients fill, for answers that come when nobody waits."""

REMEMBERED = 65_536
"""How many of the last statements are known again when they are sent again.

A client sends again within minutes, after which its patience ends; at 500 statements a second this is two minutes of
everybody's, and 10 MB. Of an older one its author is told that its number was used.
"""

MAX_CONFLICTS = 5
"""Appends in a row that find another writer's entries before them, though nobody else should write."""


class SequencerBusy(UserError):
    """More statements wait than are kept waiting. None of these was taken; submit them again in a while."""


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """What became of a statement: it stands at `seq` in the log, or was refused for `why`, of which `code` is the sort."""

    seq: int | None
    code: str = ""
    why: str = ""


class Receipt(msgspec.Struct, frozen=True, array_like=True):
    """What became of each statement that was submitted, in the same order."""

    outcomes: tuple[Outcome, ...]

    @property
    def refused(self) -> tuple[Outcome, ...]:
        """Those outcomes that are refusals."""
        return tuple(outcome for outcome in self.outcomes if outcome.seq is None)


class _Waiting:
    """What goes into one batch together: one statement, or the bodies of one `say`."""

    def __init__(self, said: Statement | tuple[Body, ...]) -> None:
        self.said = said
        self.encoded = [encode(body) for body in ((Relayed(said),) if isinstance(said, Statement) else said)]
        self.bytes = sum(len(body) for _, body in self.encoded)
        self.entries: tuple[Entry, ...] = ()
        self.outcome: Outcome | None = None
        self.error: UserError | None = None

    @property
    def settled(self) -> bool:
        return self.outcome is not None or self.error is not None

    def place(self, entries: tuple[Entry, ...]) -> None:
        self.entries = entries
        self.outcome = Outcome(entries[0].seq)


class Sequencer:
    """Appends to `log`, as `identity`, what is submitted. Threads share it.

    `before`, if given, is asked before each append for bodies of the sequencer's own, which go to its front. `clock` gives
    the time of entries in nanoseconds since 1970. Reads the whole log once, to know which numbers were used: raises what
    reading raises. Should somebody else append after all, or the storage fail, it reads what is new before it goes on.
    """

    def __init__(
        self,
        log: Log,
        identity: Identity,
        before: Callable[[], Sequence[Body]] | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._log = log
        self._identity = identity
        self._before = before or (lambda: ())
        self._clock = clock
        self._queue: deque[_Waiting] = deque()
        self._queue_bytes = 0
        self._queue_lock = Lock()
        self._turn = Lock()
        # All below belongs to whose turn it is
        self._head: Head = EMPTY
        self._head_is_certain = False
        self._speakers = Speakers()
        self._places: OrderedDict[bytes, int] = OrderedDict()
        self._catch_up()

    def submit(self, statements: Iterable[Statement]) -> Receipt:
        """Put statements into the log, in this order and as soon as possible; tell what became of each.

        One that is in the log already gets the same outcome again, so a client that lost the answer may ask again.
        Raises SequencerBusy, and what appending raises: then some of them may have been placed, and asking again tells.
        """
        return self.order(self.check(statements))

    def check(self, statements: Iterable[Statement]) -> tuple[Statement | Refused, ...]:
        """Check the statements' form and signatures (68 µs each): the first half of `submit`."""
        return tuple(check(statement) or statement for statement in statements)

    def order(self, checked: Iterable[Statement | Refused]) -> Receipt:
        """Append what `check` let pass: the second half of `submit`."""
        found = [each if isinstance(each, Refused) else _Waiting(each) for each in checked]
        self._wait_for([each for each in found if isinstance(each, _Waiting)])
        return Receipt(tuple(_refusal(each) if isinstance(each, Refused) else _outcome(each) for each in found))

    def say(self, *bodies: Body) -> tuple[Entry, ...]:
        """Append bodies as the sequencer's own, all or none and one after another; give the entries.

        Raises InvalidBody, SequencerBusy, and what appending raises.
        """
        if not bodies:
            return ()
        waiting = _Waiting(bodies)
        self._wait_for([waiting])
        _outcome(waiting)
        return waiting.entries

    def _wait_for(self, waiting: Sequence[_Waiting]) -> None:
        self._join_queue(waiting)
        while not all(each.settled for each in waiting):
            with self._turn:
                if not all(each.settled for each in waiting):
                    self._append_next()

    def _join_queue(self, waiting: Sequence[_Waiting]) -> None:
        with self._queue_lock:
            entries = len(self._queue) + len(waiting)
            size = self._queue_bytes + sum(each.bytes for each in waiting)
            if self._queue and (entries > MAX_WAITING_ENTRIES or size > MAX_WAITING_BYTES):
                raise SequencerBusy(
                    f"The log is busy: {len(self._queue)} entries wait already. Nothing was taken; try again in a while."
                )
            self._queue.extend(waiting)
            self._queue_bytes = size

    def _append_next(self) -> None:
        """Take a batch out of the queue and settle all that is in it."""
        batch = self._take()
        failure: UserError = LogUnavailable(
            "The append was interrupted, and may have happened. Submit statements again: none is appended twice."
        )
        try:
            self._append(batch)
        except UserError as error:
            failure = error
        finally:
            for each in batch:
                if not each.settled:
                    each.error = failure

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        entries, size = 0, 0
        with self._queue_lock:
            while self._queue and (
                not batch
                or (
                    entries + len(self._queue[0].encoded) <= MAX_BATCH_ENTRIES
                    and size + self._queue[0].bytes <= MAX_BATCH_BYTES
                )
            ):
                batch.append(self._queue.popleft())
                entries += len(batch[-1].encoded)
                size += batch[-1].bytes
            self._queue_bytes -= size
        return batch

    def _append(self, batch: Sequence[_Waiting]) -> None:
        for tries in range(MAX_CONFLICTS):
            self._catch_up()
            admitted, twins = self._admit(batch)
            if not admitted:
                return
            own = [encode(body) for body in self._before()]
            encoded = [*own, *(each for waiting in admitted for each in waiting.encoded)]
            entries = sign_on(self._identity, self._head, self._clock(), encoded)
            self._head_is_certain = False  # until the append has returned
            try:
                self._log.append(entries, self._head)
            except Conflict:
                if tries + 1 == MAX_CONFLICTS:
                    raise
                continue
            for entry in entries:
                self._hear(entry)
            self._head_is_certain = True
            start = len(own)
            for waiting in admitted:
                waiting.place(entries[start : start + len(waiting.encoded)])
                start += len(waiting.encoded)
            for waiting, first in twins:
                waiting.place(first.entries)
            return

    def _admit(self, batch: Sequence[_Waiting]) -> tuple[list[_Waiting], list[tuple[_Waiting, _Waiting]]]:
        """Settle the statements that cannot be placed or are placed already; give the rest, and those that repeat them."""
        admitted: list[_Waiting] = []
        twins: list[tuple[_Waiting, _Waiting]] = []
        numbers: dict[bytes, int] = {}
        new: dict[bytes, _Waiting] = {}
        for waiting in batch:
            said = waiting.said
            if waiting.settled:
                continue
            if not isinstance(said, Statement):
                admitted.append(waiting)
            elif (hash := said.hash) in self._places:
                waiting.outcome = Outcome(self._places[hash])
            elif hash in new:
                twins.append((waiting, new[hash]))
            elif refused := self._misplaced(said, numbers):
                waiting.outcome = _refusal(refused)
            else:
                numbers[said.author] = said.number
                new[hash] = waiting
                admitted.append(waiting)
        return admitted, twins

    def _misplaced(self, statement: Statement, numbers: dict[bytes, int]) -> Refused | None:
        last = numbers.get(statement.author) or self._speakers.last_number(statement.author)
        refused = self._speakers.misplaced(statement, last)
        if refused is not None and refused.code == Fault.NUMBER_USED:
            return refused._replace(
                why=f"{refused.why}; if it was this very statement, it is further back than the last {REMEMBERED}"
            )
        return refused

    def _catch_up(self) -> None:
        if not self._head_is_certain:
            for entry in self._log.read(self._head.length):
                self._hear(entry)
            self._head_is_certain = True

    def _hear(self, entry: Entry) -> None:
        self._head = chain_on((entry,), self._head)
        said = self._speakers.attribute(entry)
        if isinstance(said, Statement):
            self._places[said.hash] = entry.seq
            if len(self._places) > REMEMBERED:
                self._places.popitem(last=False)


def _refusal(refused: Refused) -> Outcome:
    return Outcome(None, str(refused.code), refused.why)


def _outcome(waiting: _Waiting) -> Outcome:
    if waiting.error is not None:
        raise waiting.error
    assert waiting.outcome is not None
    return waiting.outcome
