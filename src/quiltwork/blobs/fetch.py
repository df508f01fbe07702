"""One fetch: many connections to several holders, each chunk proved as it comes. `exchange.Exchange.fetch` is its door."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence

from quiltwork.blobs.links import Link, Links
from quiltwork.blobs.partial import Partial
from quiltwork.blobs.plan import Plan, Stripes, first_stripes
from quiltwork.blobs.protocol import blob_id
from quiltwork.blobs.report import BLAMED, Fault, FetchReport, HolderReport
from quiltwork.blobs.transport import TransportError, Unreachable, WrongProtocol, finish
from quiltwork.blobs.tree import BATCH_CHUNKS, VALUE_BYTES, chunk_values, id_of_outline
from quiltwork.blobs.wire import OUTLINE, Request, Status, WireError

HOLDERS_AT_ONCE = 8
"""More add connections rather than goodput; the others are asked when one of these fails."""

STRIPES_PER_HOLDER = 16
"""Over 100 ms and 1 % loss sixteen get most of a 20 Mbit/s line (docs/blobs.md); a holder lets 32 in from one address."""

STRIPES = 32
"""Connections of one fetch to all holders."""

PATIENCE_S = 30.0
"""A connection that brings no chunk for so long is given up. The slowest line on which four connections never wait longer
carries 70 kbit/s; a holder who merely seems to be at work costs no more than this, and nothing if there are others."""

OUTLINE_BYTES_PER_S = 10e6
"""What we expect of a holder that must first compute the outline, on a machine that is busy."""

TRIES = 4
"""Connections in a row that a holder may break before it is left out."""

SILENCE_S = 10.0
"""A holder that breaks off, or cannot be reached, and gave no sign of life for so long, is left out at once."""

PAUSE_S = 0.25
"""Before the second try; twice as long before each further one, up to the longest."""

LONGEST_PAUSE_S = 5.0

LOOK_S = 0.1
"""How often a connection with nothing to do looks for a chunk to take over."""

TRUSTED_CHUNKS = 8
"""What a holder may bring before any of it is proved; each chunk that is proved lets it bring one more. A liar wastes little
more than this, however fast his line is."""

_TOLD = {
    Status.MISSING: Fault.MISSING,
    Status.OTHER_SIZE: Fault.OTHER_SIZE,
    Status.REFUSED: Fault.REFUSED,
    Status.BUSY: Fault.BUSY,
}


class _Holder:
    """What is known of one holder during one fetch."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.bytes = self.wasted_bytes = self.connections = 0
        self.proved = self.unproved = 0  # chunks
        self.faults: list[Fault] = []
        self.said = ""
        self.dropped = False
        self._breaks = 0
        self._alive = self._broke = time.monotonic()
        self.stripes: dict[int, asyncio.Task[None]] = {}
        self.wanted: Stripes | None = None
        self.working: set[int] = set()
        """The numbers of the stripes that have brought something."""

    def note(self, fault: Fault, said: str = "") -> None:
        if fault not in self.faults:
            self.faults.append(fault)
        self.said = said or self.said
        self.dropped = self.dropped or fault in BLAMED

    def lives(self) -> None:
        """It has sent what it was asked for."""
        self._breaks, self._alive = 0, time.monotonic()

    def broke(self, fault: Fault, said: str) -> None:
        """A connection has ended that should not have. What breaks together counts as one."""
        now = time.monotonic()
        self.note(fault, said)
        if self._breaks == 0 or now - self._broke >= PAUSE_S:
            self._breaks += 1
            self._broke = now
        self.dropped = self.dropped or self._breaks >= TRIES or now - self._alive >= SILENCE_S

    def report(self) -> HolderReport:
        return HolderReport(
            self.address, self.bytes, self.wasted_bytes, self.connections, tuple(self.faults), self.said
        )


class Fetch:
    """Fill a `Partial` from holders. `run` ends when all chunks have landed, or nobody is left to ask."""

    def __init__(
        self,
        links: Links,
        id: str,
        size: int,
        holders: Sequence[str],
        partial: Partial,
        stripes: int = STRIPES_PER_HOLDER,
    ) -> None:
        self._links, self._id, self._size, self._partial = links, id, size, partial
        self._plan = Plan(size, landed=partial.landed, outline_known=bool(partial.outline))
        self._outline = partial.outline
        self._stripes = stripes
        self._holders = [_Holder(address) for address in dict.fromkeys(holders)]
        self._arrivals: asyncio.Queue[tuple[_Holder, int, bytes]] = asyncio.Queue()  # bounded by the plan
        self._changed = asyncio.Event()
        self._lanes = 0
        self._started = time.monotonic()
        self._resumed_bytes = sum(Request(id, size, index).answer_bytes for index in partial.landed)

    @property
    def done(self) -> bool:
        """Whether every chunk has landed."""
        return self._plan.done

    def report(self) -> FetchReport:
        """What has happened so far."""
        return FetchReport(
            self._id,
            self._size,
            time.monotonic() - self._started,
            tuple(holder.report() for holder in self._holders if holder.connections or holder.faults),
            self._resumed_bytes,
        )

    async def run(self) -> None:
        """Raises BlobUnavailable if the disk is full. Whether it succeeded is said by `done`."""
        if self.done:
            return
        tasks = {asyncio.create_task(self._prove_arrivals()), asyncio.create_task(self._keep_stripes())}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            tasks.update(task for holder in self._holders for task in holder.stripes.values())
            await finish(tasks)
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def _keep_stripes(self) -> None:
        """Open connections where they are wanted, until all is done or nobody is left."""
        first = first_stripes(self._size, min(len(self._holders), HOLDERS_AT_ONCE))
        while not self.done:
            active = [holder for holder in self._holders if not holder.dropped][:HOLDERS_AT_ONCE]
            if not active and not (self._plan.proving and self._plan.outline_known):
                return
            for holder in active:
                if holder.wanted is None:
                    holder.wanted = Stripes(first, max(1, min(self._stripes, STRIPES // len(active))))
                for number in range(holder.wanted.measure(time.monotonic(), holder.bytes, len(holder.working))):
                    if number not in holder.stripes and not holder.dropped:
                        holder.stripes[number] = asyncio.create_task(self._stripe(holder, number))
            await self._change(LOOK_S)

    async def _stripe(self, holder: _Holder, number: int) -> None:
        """One connection to a holder, opened again when it breaks."""
        pause = 0.0
        while not holder.dropped and not self.done:
            await asyncio.sleep(pause)
            pause = min(max(PAUSE_S, 2 * pause), LONGEST_PAUSE_S)
            before, dialled = holder.bytes, time.monotonic()
            try:
                link = await self._links.open(holder.address)
            except WrongProtocol as error:
                holder.note(Fault.UNREACHABLE, str(error))
                holder.dropped = True
                break
            except TransportError as error:
                fault = Fault.UNREACHABLE if isinstance(error, Unreachable) else Fault.BROKE_OFF
                holder.broke(fault, str(error))
                self._changed.set()
                continue
            holder.connections += 1
            if holder.wanted is not None:
                holder.wanted.reached(time.monotonic() - dialled, self._size)
                self._changed.set()
            try:
                again = await self._work(link, holder, number)
            finally:
                await self._links.give_back(holder.address, link)
            if not again:
                return  # this connection is one too many for the holder; others go on
            if holder.bytes > before:
                pause = 0.0
        self._changed.set()

    async def _work(self, link: Link, holder: _Holder, number: int) -> bool:
        """Use one connection as long as it holds. Tells whether to open it again."""
        lane, self._lanes = self._lanes, self._lanes + 1
        self._plan.join(lane, time.monotonic())
        try:
            while not self.done and not holder.dropped:
                await self._ask(link, lane, holder)
                if not self._plan.under_way(lane):
                    await self._change(LOOK_S)
                    continue
                index = self._plan.under_way(lane)[0]
                status, body = await self._answer(link, index)
                if status is not Status.HERE:
                    return self._turned_away(holder, status)
                holder.working.add(number)
                self._take_in(holder, lane, index, body)
        except TimeoutError:
            holder.broke(Fault.SLOW, f"no chunk within {PATIENCE_S:g} s")
        except WireError as error:
            holder.note(Fault.MALFORMED, str(error))
        except TransportError as error:
            if not link.used or number in holder.working:
                holder.broke(Fault.BROKE_OFF, str(error))
        finally:
            self._plan.leave(lane)
            self._changed.set()
        return True

    async def _ask(self, link: Link, lane: int, holder: _Holder) -> None:
        if not link.pipelines and self._plan.under_way(lane):
            return
        if holder.unproved > TRUSTED_CHUNKS + holder.proved:
            return
        indexes = self._plan.take(lane, time.monotonic())
        if indexes:
            async with asyncio.timeout(PATIENCE_S):
                await link.ask([Request(self._id, self._size, index) for index in indexes])

    async def _answer(self, link: Link, index: int) -> tuple[Status, bytes]:
        patience_s = PATIENCE_S + (self._size / OUTLINE_BYTES_PER_S if index == OUTLINE else 0.0)
        async with asyncio.timeout(patience_s):
            return await link.answer()

    def _take_in(self, holder: _Holder, lane: int, index: int, body: bytes) -> None:
        holder.lives()
        if not self._plan.arrived(lane, index, time.monotonic()):
            holder.wasted_bytes += len(body)
        elif index == OUTLINE:
            self._take_outline(holder, body)
        else:
            holder.unproved += 1
            self._arrivals.put_nowait((holder, index, body))

    def _take_outline(self, holder: _Holder, outline: bytes) -> None:
        if id_of_outline(outline) == self._id:
            self._outline = outline
            self._partial.keep_outline(outline)
            self._plan.prove(OUTLINE)
        else:
            holder.wasted_bytes += len(outline)
            holder.note(Fault.WRONG_OUTLINE)
            self._plan.refute(OUTLINE)
        self._changed.set()

    def _turned_away(self, holder: _Holder, status: Status) -> bool:
        holder.note(_TOLD[status])
        if status is not Status.BUSY:
            holder.dropped = True
            return True
        # one of several is one too many; a single one tries again later
        return sum(not task.done() for task in holder.stripes.values()) == 1

    async def _prove_arrivals(self) -> None:
        """Prove what has arrived, as much at once as there is, and keep what is true."""
        while not self.done:
            batch = [await self._arrivals.get()]
            while not self._plan.outline_known:
                await self._change(LOOK_S)
            while len(batch) < BATCH_CHUNKS and not self._arrivals.empty():
                batch.append(self._arrivals.get_nowait())
            truths = await asyncio.to_thread(self._prove_and_keep, [(index, data) for _, index, data in batch])
            for (holder, index, data), true in zip(batch, truths, strict=True):
                holder.unproved -= 1
                if true:
                    holder.proved += 1
                    holder.bytes += len(data)
                    self._plan.prove(index)
                else:
                    holder.wasted_bytes += len(data)
                    holder.note(Fault.WRONG_CHUNK)
                    self._plan.refute(index)
            self._changed.set()

    def _prove_and_keep(self, chunks: list[tuple[int, bytes]]) -> list[bool]:
        if self._plan.count == 1:
            truths = [blob_id(data) == self._id for _, data in chunks]
        else:
            truths = [
                value == self._outline[VALUE_BYTES * index : VALUE_BYTES * (index + 1)]
                for (index, _), value in zip(chunks, chunk_values(chunks), strict=True)
            ]
        for (index, data), true in zip(chunks, truths, strict=True):
            if true:
                self._partial.write(index, data)
        return truths

    async def _change(self, at_most_s: float) -> None:
        """Wait until something has happened, or a little."""
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(at_most_s):
                await self._changed.wait()
