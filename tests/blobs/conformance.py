"""What every blob store must do. A store's tests subclass `BlobStoreConformance` and give it a store to try.

class TestMyBlobs(BlobStoreConformance):
    @pytest.fixture
    def blobs(self, tmp_path):
        return MyBlobs(...)          # an empty store
"""

from __future__ import annotations

import random
import threading

import pytest
from blake3 import blake3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quiltwork.blobs import BlobMissing, BlobStore, blob_id
from quiltwork.blobs.tree import CHUNK_BYTES


class BlobStoreConformance:
    @settings(
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
        max_examples=20,
        deadline=None,
    )
    @given(st.binary())
    def test_any_bytes_come_back_by_their_hash(self, blobs: BlobStore, data: bytes) -> None:
        id = blobs.put(data)
        assert id == blob_id(data) == blake3(data).hexdigest()
        assert blobs.has(id)
        assert blobs.get(id) == data

    @pytest.mark.parametrize(
        "size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 40 * CHUNK_BYTES + 17]
    )
    def test_blobs_of_all_sizes_come_back(self, blobs: BlobStore, size: int) -> None:
        data = random.Random(size).randbytes(size)
        assert blobs.get(blobs.put(data)) == data

    def test_what_was_never_put_is_missing(self, blobs: BlobStore) -> None:
        assert not blobs.has(blob_id(b"nothing"))
        with pytest.raises(BlobMissing, match="no blob"):
            blobs.get(blob_id(b"nothing"))

    @pytest.mark.parametrize(
        "id", ["", "..", "../../etc/passwd", "ab", "A" * 64, "0" * 63, "0" * 64 + "\n", "/" * 64, "outline", "ä" * 64]
    )
    def test_what_is_no_id_is_missing(self, blobs: BlobStore, id: str) -> None:
        assert not blobs.has(id)
        with pytest.raises(BlobMissing):
            blobs.get(id)

    def test_putting_twice_is_putting_once(self, blobs: BlobStore) -> None:
        assert blobs.put(b"data") == blobs.put(b"data")
        assert blobs.get(blob_id(b"data")) == b"data"

    def test_what_was_put_does_not_change_with_what_it_was_put_from(self, blobs: BlobStore) -> None:
        data = bytearray(b"data")
        id = blobs.put(bytes(data))
        data[0] = 0
        assert blobs.get(id) == b"data"

    def test_many_who_put_and_get_the_same_blob_at_once_all_succeed(self, blobs: BlobStore) -> None:
        data = random.Random(7).randbytes(200_000)
        ready = threading.Barrier(4)
        got: list[bytes] = []

        def put() -> None:
            ready.wait()
            for _ in range(3):
                got.append(blobs.get(blobs.put(data)))

        threads = [threading.Thread(target=put) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert got == [data] * 12
