from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from quiltwork.blobs import BlobMissing, BlobUnavailable, FolderBlobs, MemoryBlobs, blob_id
from quiltwork.blobs import fetch as fetching
from quiltwork.blobs.exchange import PROTOCOL, Exchange, Fetched, NobodyHasIt, TooSlow
from quiltwork.blobs.loopback import Loopback, LoopbackTransport
from quiltwork.blobs.report import Fault
from quiltwork.blobs.tcp import TcpTransport
from quiltwork.blobs.transport import Listener, Stream, StreamBroken
from quiltwork.blobs.tree import CHUNK_BYTES, chunk_count, outline
from quiltwork.blobs.wire import Request, Status, encode_request
from tests.blobs import liars
from tests.blobs.liars import Answer, holder, honest
from tests.blobs.relay import TOKEN, relay
from tests.blobs.transports import Place, run

DATA = random.Random(1).randbytes(40 * CHUNK_BYTES + 123)
ID = blob_id(DATA)
SMALL = b"an update of a few bytes"


class Town:
    """One who fetches, and holders of every kind, in one process's memory."""

    def __init__(self, **options: Any) -> None:
        self._network = Loopback()
        self.store = MemoryBlobs()
        self.me = Exchange(self.store, [LoopbackTransport(PROTOCOL, self._network, "me")], **options)
        self._listeners: list[Listener] = []
        self._peers: list[Exchange] = []

    async def holder(self, name: str, answer: Answer = honest, data: bytes = DATA) -> str:
        listener = await LoopbackTransport(PROTOCOL, self._network, name).listen(holder(answer, data))
        self._listeners.append(listener)
        return listener.address

    async def peer(self, name: str, *blobs: bytes, **options: Any) -> Exchange:
        store = MemoryBlobs()
        for blob in blobs:
            store.put(blob)
        peer = Exchange(store, [LoopbackTransport(PROTOCOL, self._network, name)], **options)
        await peer.open()
        self._peers.append(peer)
        return peer

    async def fetch(self, *holders: str, data: bytes = DATA, deadline_s: float = 60.0, **options: Any) -> Fetched:
        fetched = await self.me.fetch(blob_id(data), len(data), holders, deadline_s=deadline_s, **options)
        assert fetched.data == data
        return fetched

    async def aclose(self) -> None:
        for each in (*self._listeners, *self._peers, self.me):
            await each.aclose()


@asynccontextmanager
async def town(**options: Any) -> AsyncIterator[Town]:
    made = Town(**options)
    try:
        yield made
    finally:
        await made.aclose()


def in_town(test: Callable[[Town], Any], **options: Any) -> None:
    async def body() -> None:
        async with town(**options) as made:
            await test(made)

    run(body)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "PATIENCE_S", 1.0)
    monkeypatch.setattr(fetching, "SILENCE_S", 0.5)


# Fetching from the honest


@pytest.mark.parametrize("kind", ["memory", "tcp", "iroh"])
@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3_000_000])
def test_a_blob_comes_over_every_transport(kind: str, size: int) -> None:
    data = random.Random(size).randbytes(size)

    async def test() -> None:
        here, store = Place(kind), MemoryBlobs()
        store.put(data)
        async with (
            Exchange(store, [here.transport(PROTOCOL)]) as there,
            Exchange(MemoryBlobs(), [here.transport(PROTOCOL)]) as mine,
        ):
            fetched = await mine.fetch(blob_id(data), size, there.addresses, deadline_s=120)
            assert fetched.data == data
            assert sum(each.bytes for each in fetched.report.holders) == size
            assert fetched.report.blamed == ()
            assert mine.store.get(blob_id(data)) == data

    run(test)


def test_what_is_in_our_store_is_asked_of_nobody() -> None:
    async def test(town: Town) -> None:
        town.store.put(DATA)
        fetched = await town.fetch()
        assert fetched.report.from_store

    in_town(test)


def test_what_was_fetched_can_be_had_from_us() -> None:
    async def test(town: Town) -> None:
        first = await town.peer("first", DATA)
        second = await town.peer("second")
        await second.fetch(ID, len(DATA), first.addresses, deadline_s=60)
        await town.fetch(*second.addresses)

    in_town(test)


def test_what_is_not_to_be_kept_is_not_kept() -> None:
    async def test(town: Town) -> None:
        await town.fetch(await town.holder("one"), keep=False)
        assert not town.store.has(ID)

    in_town(test)


def test_several_holders_share_the_work() -> None:
    async def test(town: Town) -> None:
        addresses = [await town.holder(f"holder{number}") for number in range(3)]
        report = (await town.fetch(*addresses)).report
        assert {each.address for each in report.holders} == set(addresses)
        assert sum(each.bytes for each in report.holders) == len(DATA)

    in_town(test)


def test_a_holder_named_twice_is_one_holder() -> None:
    async def test(town: Town) -> None:
        address = await town.holder("one")
        assert len((await town.fetch(address, address)).report.holders) == 1

    in_town(test)


def test_connections_are_used_again_by_the_next_fetch() -> None:
    async def test(town: Town) -> None:
        peer = await town.peer("peer", SMALL, SMALL * 2)
        for data in (SMALL, SMALL * 2):
            await town.fetch(*peer.addresses, data=data)
        assert len(peer.serving._streams) == 1
        assert sum(peer.serving._streams.values()) == 1

    in_town(test)


def test_a_connection_that_ended_while_nobody_used_it_is_opened_again() -> None:
    async def test(town: Town) -> None:
        peer = await town.peer("peer", SMALL, SMALL * 2)
        await town.fetch(*peer.addresses, data=SMALL)
        peer.serving._idle_s = 0.0
        await peer._listeners[0].aclose()
        peer._listeners = [await peer._transports[0].listen(peer.serving)]
        peer.serving._idle_s = 60.0
        report = (await town.fetch(*peer.addresses, data=SMALL * 2)).report
        assert report.holders[0].faults == ()

    in_town(test)


def test_a_relay_can_be_a_holder() -> None:
    store = MemoryBlobs()
    store.put(DATA)
    with relay(store) as url:

        async def test(town: Town) -> None:
            report = (await town.fetch(url)).report
            assert report.holders[0].bytes == len(DATA)

        in_town(test, tokens={url: TOKEN})


def test_a_relay_and_a_peer_share_the_work() -> None:
    store = MemoryBlobs()
    store.put(DATA)
    with relay(store) as url:

        async def test(town: Town) -> None:
            await town.fetch(url, await town.holder("peer", liars.slow))

        in_town(test, tokens={url: TOKEN})


def test_a_token_is_shown_to_its_relay_alone() -> None:
    store = MemoryBlobs()
    store.put(DATA)
    with relay(store) as url:

        async def test(town: Town) -> None:
            with pytest.raises(NobodyHasIt) as refused:
                await town.fetch(url)
            assert refused.value.report.holders[0].faults == (Fault.REFUSED,)

        in_town(test, tokens={"https://another.example/blobs": TOKEN})


# Fetching from others


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (liars.wrong_chunks, Fault.WRONG_CHUNK),
        (liars.wrong_outline, Fault.WRONG_OUTLINE),
        (liars.another_blob, Fault.WRONG_OUTLINE),
        (liars.endless, Fault.MALFORMED),
        (liars.garbage, Fault.MALFORMED),
    ],
)
def test_a_liar_alone_is_found_out_and_blamed(answer: Answer, fault: Fault) -> None:
    async def test(town: Town) -> None:
        liar = await town.holder("liar", answer)
        with pytest.raises(NobodyHasIt) as failed:
            await town.fetch(liar)
        assert failed.value.report.blamed == (liar,)
        assert fault in failed.value.report.holders[0].faults
        assert f"{liar} " in str(failed.value)

    in_town(test)


@pytest.mark.parametrize(
    "answer",
    [liars.wrong_chunks, liars.wrong_outline, liars.another_blob, liars.endless, liars.garbage, liars.late_liar(7)],
)
def test_a_liar_among_honest_holders_costs_little_and_is_the_only_one_blamed(answer: Answer) -> None:
    async def test(town: Town) -> None:
        liar = await town.holder("liar", answer)
        report = (await town.fetch(liar, await town.holder("a", liars.slow), await town.holder("b", liars.slow))).report
        assert report.blamed == (liar,)
        assert sum(each.wasted_bytes for each in report.holders) <= len(DATA) / 2

    in_town(test)


def test_liars_in_the_majority_do_not_outvote_the_honest_one() -> None:
    async def test(town: Town) -> None:
        gang = [await town.holder(f"liar{number}", liars.another_blob) for number in range(5)]
        report = (await town.fetch(*gang, await town.holder("honest", liars.slow))).report
        assert set(report.blamed) <= set(gang)

    in_town(test)


def test_a_wrong_small_blob_is_found_out_by_its_id() -> None:
    async def test(town: Town) -> None:
        liar = await town.holder("liar", liars.wrong_chunks, SMALL)
        report = (await town.fetch(liar, await town.holder("slow", liars.slow, SMALL), data=SMALL)).report
        assert report.blamed == (liar,)

    in_town(test)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("answer", [liars.silent, liars.dripping, liars.truncated])
def test_one_who_does_not_get_done_costs_little_and_is_named_not_blamed(answer: Answer) -> None:
    async def test(town: Town) -> None:
        bad = await town.holder("bad", answer)
        report = (await town.fetch(bad, await town.holder("good"))).report
        assert report.blamed == ()
        with pytest.raises(NobodyHasIt) as failed:
            await town.me.fetch(blob_id(DATA[1:]), len(DATA), [bad], deadline_s=60)
        assert set(failed.value.report.holders[0].faults) <= {Fault.SLOW, Fault.BROKE_OFF}
        assert failed.value.report.blamed == ()

    in_town(test)


def test_a_slow_holder_gives_its_share_and_no_more() -> None:
    async def test(town: Town) -> None:
        slow = await town.holder("slow", liars.slow)
        start = time.monotonic()
        report = (await town.fetch(slow, await town.holder("quick"))).report
        shares = {each.address: each.bytes for each in report.holders}
        assert shares.get(slow, 0) < len(DATA) / 2
        assert (
            time.monotonic() - start < 2 + liars.SLOW_S * len(DATA) / CHUNK_BYTES
        )  # what the slow one alone would take

    in_town(test)


def test_a_holder_that_dies_in_the_middle_is_replaced() -> None:
    async def test(town: Town) -> None:
        dying = await town.holder("dying", liars.dies_after(8, asyncio.Event()))
        report = (await town.fetch(dying, await town.holder("other", liars.slow))).report
        named = {each.address: each for each in report.holders}
        assert named[dying].faults == (Fault.BROKE_OFF,)
        assert not named[dying].blamed

    in_town(test)


def test_holders_in_reserve_are_asked_when_others_fail() -> None:
    async def test(town: Town) -> None:
        missing = [await town.holder(f"without{number}", liars.says(Status.MISSING)) for number in range(10)]
        report = (await town.fetch(*missing, await town.holder("with"))).report
        assert [each.bytes for each in report.holders][-1] == len(DATA)

    in_town(test)


@pytest.mark.parametrize(
    ("status", "fault"),
    [(Status.MISSING, Fault.MISSING), (Status.REFUSED, Fault.REFUSED), (Status.OTHER_SIZE, Fault.OTHER_SIZE)],
)
def test_why_nobody_gave_it_is_told(status: Status, fault: Fault) -> None:
    async def test(town: Town) -> None:
        address = await town.holder("one", liars.says(status))
        with pytest.raises(NobodyHasIt, match=fault.value) as failed:
            await town.fetch(address, "memory://nobody", "tcp://127.0.0.1:1", "nonsense")
        assert isinstance(failed.value, BlobMissing)
        faults = {each.address: each.faults for each in failed.value.report.holders}
        assert faults[address] == (fault,)
        assert faults["memory://nobody"] == (Fault.UNREACHABLE,)
        assert failed.value.report.blamed == ()

    in_town(test)


def test_without_holders_nobody_has_it() -> None:
    async def test(town: Town) -> None:
        with pytest.raises(NobodyHasIt, match="no holder was named"):
            await town.fetch()

    in_town(test)


def test_the_wrong_size_in_a_question_blames_nobody() -> None:
    async def test(town: Town) -> None:
        peer = await town.peer("peer", DATA)
        for size in (len(DATA) + 1, len(DATA) - CHUNK_BYTES, 1):
            with pytest.raises(NobodyHasIt, match="another size") as failed:
                await town.me.fetch(ID, size, peer.addresses, deadline_s=60)
            assert failed.value.report.blamed == ()

    in_town(test)


def test_a_deadline_is_kept_and_says_what_had_come() -> None:
    async def test(town: Town) -> None:
        slow = await town.holder("slow", liars.stalls_after(3))
        with pytest.raises(TooSlow, match=r"did not come within 0\.8 s") as failed:
            await town.fetch(slow, deadline_s=0.8)
        assert isinstance(failed.value, BlobUnavailable)
        assert failed.value.report.holders[0].address == slow

    in_town(test)


def test_a_busy_holder_is_asked_again() -> None:
    async def test(town: Town) -> None:
        answers = [0]

        async def first_busy(stream: Any, request: Any, data: bytes) -> None:
            answers[0] += 1
            await (liars.says(Status.BUSY) if answers[0] == 1 else honest)(stream, request, data)

        await town.fetch(await town.holder("busy", first_busy, SMALL), data=SMALL)

    in_town(test)


@pytest.mark.parametrize("id", ["", "x", "A" * 64])
def test_what_is_no_id_is_asked_of_nobody(id: str) -> None:
    async def test(town: Town) -> None:
        with pytest.raises(BlobMissing, match="not the id"):
            await town.me.fetch(id, 1, [], deadline_s=1)

    in_town(test)


@pytest.mark.parametrize("size", [-1, 1 << 50])
def test_a_size_that_nobody_means_is_refused(size: int) -> None:
    async def test(town: Town) -> None:
        with pytest.raises(BlobUnavailable, match="at most"):
            await town.me.fetch(ID, size, [], deadline_s=1)

    in_town(test)


def test_a_cancelled_fetch_leaves_nothing_behind() -> None:
    async def test(town: Town) -> None:
        addresses = [await town.holder(f"slow{number}", liars.slow) for number in range(3)]
        before = asyncio.all_tasks()
        fetch = asyncio.create_task(town.fetch(*addresses))
        await asyncio.sleep(0.4)
        fetch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetch
        await asyncio.sleep(0.5)  # the holders' own tasks notice that nobody is there any more
        assert len(asyncio.all_tasks() - before) <= 3

    in_town(test)


# Serving


def test_who_is_not_allowed_gets_nothing() -> None:
    async def test(town: Town) -> None:
        asked: list[tuple[str, str]] = []

        def allow(remote: str, id: str) -> bool:
            asked.append((remote, id))
            return False

        peer = await town.peer("peer", DATA, allow=allow)
        with pytest.raises(NobodyHasIt, match="refused"):
            await town.fetch(*peer.addresses)
        assert set(asked) == {("me", ID)}

    in_town(test)


def test_bytes_per_second_are_limited_for_each_remote() -> None:
    async def test(town: Town) -> None:
        peer = await town.peer("peer", DATA, bytes_per_s=1_000_000)
        start = time.monotonic()
        await town.fetch(*peer.addresses)
        assert time.monotonic() - start > (len(DATA) - 1_000_000) / 1_000_000 - 0.1

    in_town(test)


def test_more_connections_than_allowed_are_turned_away_and_the_fetch_succeeds() -> None:
    async def test(town: Town) -> None:
        peer = await town.peer("peer", DATA)
        peer.serving._streams_per_remote = 1
        report = (await town.fetch(*peer.addresses)).report
        assert report.holders[0].bytes == len(DATA)

    in_town(test)


@pytest.mark.parametrize("said", [b"\0" * 45, b"\x01" + b"\xff" * 44, b"\x03" * 45, os.urandom(100_000)])
def test_nonsense_ends_the_stream_and_nothing_else(said: bytes) -> None:
    async def test() -> None:
        store = MemoryBlobs()
        store.put(SMALL)
        async with Exchange(store, [TcpTransport(PROTOCOL)]) as there, Exchange(MemoryBlobs(), []) as mine:
            stranger = await TcpTransport(PROTOCOL).dial(there.addresses[0])
            await stream_until_closed(stranger, said)
            assert there.serving.served_bytes.total() <= len(SMALL)
            mine._links._transports["tcp"] = TcpTransport(PROTOCOL)
            assert (await mine.fetch(blob_id(SMALL), len(SMALL), there.addresses, deadline_s=60)).data == SMALL

    run(test)


async def stream_until_closed(stream: Stream, said: bytes) -> None:
    with contextlib.suppress(StreamBroken):
        await stream.send(said)
        while await stream.receive(100_000):
            pass
    await stream.aclose()


def test_a_flood_of_requests_is_answered_one_by_one_and_stops_with_its_sender() -> None:
    async def test() -> None:
        store = MemoryBlobs()
        store.put(DATA)
        async with Exchange(store, [TcpTransport(PROTOCOL)]) as there:
            flood = await TcpTransport(PROTOCOL).dial(there.addresses[0])
            ask = encode_request(Request(ID, len(DATA), 3))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.0):
                    await flood.send(ask * 1_000_000)  # who does not read is not served
            served = there.serving.served_bytes.total()
            assert served < 30_000_000
            flood.abort()
            for _ in range(100):
                if not there.serving._streams:
                    break
                await asyncio.sleep(0.1)
            assert not there.serving._streams

    run(test)


def test_who_asks_and_never_reads_is_hung_up_on() -> None:
    async def test(town: Town) -> None:
        peer = await town.peer("peer", DATA)
        peer.serving._taking_s = 0.3
        stream = await LoopbackTransport(PROTOCOL, town._network, "lazy").dial(peer.addresses[0])
        await stream.send(encode_request(Request(ID, len(DATA), 3)) * 100)
        for _ in range(100):
            if not peer.serving._streams:
                break
            await asyncio.sleep(0.1)
        assert not peer.serving._streams
        await stream.aclose()

    in_town(test)


def test_a_blob_that_decayed_is_missing_and_noted(tmp_path: Path) -> None:
    async def test() -> None:
        store = FolderBlobs(tmp_path)
        id = store.put(DATA)
        (tmp_path / id[:2] / id[2:]).write_bytes(bytes(len(DATA)))
        network = Loopback()
        there = Exchange(store, [LoopbackTransport(PROTOCOL, network, "there")])
        mine = Exchange(MemoryBlobs(), [LoopbackTransport(PROTOCOL, network, "mine")])
        async with there, mine:
            with pytest.raises(NobodyHasIt, match="does not have it"):
                await mine.fetch(id, len(DATA), there.addresses, deadline_s=60)
            assert id in there.serving.sources.corrupt

    run(test)


# Going on


def anything_landed(partials: Path) -> bool:
    flags = len(DATA) + 32 * chunk_count(len(DATA))
    return any(any(path.read_bytes()[flags:]) for path in partials.glob("*.part"))


async def interrupted(town: Town, partials: Path) -> None:
    """Fetch until something has landed on the disk, and stop there."""
    fetch = asyncio.create_task(town.fetch(await town.holder("stalls", liars.stalls_after(20)), deadline_s=200))
    while not anything_landed(partials):
        await asyncio.sleep(0.05)
        assert not fetch.done()
    fetch.cancel()
    await asyncio.gather(fetch, return_exceptions=True)


def test_a_large_blob_goes_on_where_an_earlier_try_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quiltwork.blobs.exchange.ON_DISK_BYTES", 1_000_000)

    async def test(town: Town) -> None:
        await interrupted(town, tmp_path)
        report = (await town.fetch(await town.holder("quick"))).report
        assert report.resumed_bytes > 0
        assert report.resumed_bytes + sum(each.bytes for each in report.holders) == len(DATA)
        assert list(tmp_path.iterdir()) == []

    in_town(test, partials=tmp_path)


def test_what_was_spoilt_on_the_disk_is_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quiltwork.blobs.exchange.ON_DISK_BYTES", 1_000_000)

    async def test(town: Town) -> None:
        await interrupted(town, tmp_path)
        (left,) = tmp_path.iterdir()
        spoilt = bytearray(left.read_bytes())
        spoilt[: len(DATA) - 1] = bytes(len(DATA) - 1)
        left.write_bytes(spoilt)
        await town.fetch(await town.holder("quick"))

    in_town(test, partials=tmp_path)


def test_a_full_disk_is_said_and_what_came_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quiltwork.blobs.exchange.ON_DISK_BYTES", 1_000_000)
    real, writes = os.pwrite, [0]

    def fills_up(file: int, data: bytes, place: int) -> int:
        writes[0] += 1
        if writes[0] > 20:
            raise OSError(28, "No space left on device")
        return real(file, data, place)

    async def test(town: Town) -> None:
        with monkeypatch.context() as full:
            full.setattr(os, "pwrite", fills_up)
            with pytest.raises(BlobUnavailable, match=r"No space left on device\. What has come so far stays"):
                await town.fetch(await town.holder("one"))
        assert (await town.fetch(await town.holder("two"))).report.resumed_bytes > 0

    in_town(test, partials=tmp_path)


def test_a_store_that_is_full_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(town: Town) -> None:
        def no_space(data: bytes) -> str:
            raise BlobUnavailable("Cannot write: No space left on device. Nothing was stored.")

        monkeypatch.setattr(town.store, "put", no_space)
        with pytest.raises(BlobUnavailable, match="No space left"):
            await town.fetch(await town.holder("one"))

    in_town(test)


FETCHER = """
import asyncio, sys
from pathlib import Path
from quiltwork.blobs import FolderBlobs
from quiltwork.blobs.exchange import PROTOCOL, Exchange
from quiltwork.blobs.tcp import TcpTransport
import quiltwork.blobs.exchange as exchange
exchange.ON_DISK_BYTES = 1_000_000

async def main(folder, id, size, address):
    folder, transports = Path(folder), [TcpTransport(PROTOCOL)]
    async with Exchange(FolderBlobs(folder / "store"), transports, partials=folder / "partials") as mine:
        print("begins", flush=True)
        fetched = await mine.fetch(id, int(size), [address], deadline_s=200)
        print("resumed", fetched.report.resumed_bytes, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


def test_a_fetcher_killed_with_nine_goes_on_when_it_comes_back(tmp_path: Path) -> None:
    async def test() -> None:
        store = MemoryBlobs()
        store.put(DATA)
        async with Exchange(store, [TcpTransport(PROTOCOL)], bytes_per_s=600_000) as there:
            command = [sys.executable, "-c", FETCHER, str(tmp_path), ID, str(len(DATA)), there.addresses[0]]
            first = subprocess.Popen(command, stdout=subprocess.PIPE)
            while not anything_landed(tmp_path / "partials"):
                await asyncio.sleep(0.05)
                assert first.poll() is None
            first.send_signal(signal.SIGKILL)
            first.wait()
            assert list((tmp_path / "partials").glob("*.part"))
            there.serving._bytes_per_s = None
            again = await asyncio.to_thread(subprocess.run, command, stdout=subprocess.PIPE, check=True, text=True)
        resumed = int(again.stdout.split()[-1])
        assert 0 < resumed < len(DATA)
        assert FolderBlobs(tmp_path / "store").get(ID) == DATA
        assert list((tmp_path / "partials").iterdir()) == []

    run(test)


def test_the_outline_of_what_we_serve_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[int] = []

    def counting(data: bytes) -> bytes:
        computed.append(len(data))
        return outline(data)

    monkeypatch.setattr("quiltwork.blobs.sources.outline", counting)

    async def test(town: Town) -> None:
        peer = await town.peer("peer", DATA)
        await peer.prepare(ID)
        for _ in range(2):
            await town.fetch(*peer.addresses, keep=False)
        assert computed == [len(DATA)]

    in_town(test)
