from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.blobs import BlobMissing, FolderBlobs, MemoryBlobs
from quiltwork.blobs import sources as sources_module
from quiltwork.blobs.serving import Bucket
from quiltwork.blobs.sources import Sources
from quiltwork.blobs.tree import outline
from tests.blobs.transports import run


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(1, 5_000)), max_size=60))
def test_no_more_than_its_rate_flows_through_a_bucket(moves: list[tuple[float, int]]) -> None:
    bucket, now, sent = Bucket(1_000.0, 0.0), 0.0, 0
    for pause, cost in moves:
        now += pause
        now += bucket.wait_s(cost, now)
        sent += cost
        assert sent <= 1_000 * (1 + now) + 1e-3


def test_what_is_given_back_to_a_bucket_costs_nothing() -> None:
    bucket = Bucket(1_000.0, 0.0)
    assert bucket.wait_s(3_000, 0.0) == pytest.approx(2.0)
    bucket.give_back(3_000)
    assert bucket.wait_s(1_000, 0.0) == 0.0


@pytest.mark.parametrize("kind", ["folder", "memory"])
def test_a_source_gives_parts_and_its_outline(kind: str, tmp_path: Path) -> None:
    async def test() -> None:
        store = FolderBlobs(tmp_path) if kind == "folder" else MemoryBlobs()
        data = bytes(range(256)) * 1_000
        sources = Sources(store)
        source = await sources.open(store.put(data))
        assert (source.size, source.read(10, 20)) == (len(data), data[10:20])
        assert await asyncio.gather(source.outline(), source.outline()) == [outline(data)] * 2
        empty = await sources.open(store.put(b""))
        assert (empty.size, empty.read(0, 0)) == (0, b"")
        with pytest.raises(BlobMissing):
            await sources.open("0" * 64)
        await sources.aclose()

    run(test)


def test_only_so_many_blobs_are_kept_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources_module, "COPIED_BYTES", 250)

    async def test() -> None:
        store = MemoryBlobs()
        sources = Sources(store)
        for number in range(5):
            await sources.open(store.put(bytes([number]) * 100))
        assert sum(each.copied_bytes for each in sources._open.values()) <= 250
        await sources.open(store.put(bytes(1_000)))  # one is kept, however large
        assert [each.size for each in sources._open.values()] == [1_000]

    run(test)
