from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.blobs import blob_id
from quiltwork.blobs.tree import CHUNK_BYTES, chunk_bytes, chunk_count, chunk_values, id_of_outline, outline

EDGES = [1, 63, 64, 65, 1023, 1024, 1025, CHUNK_BYTES - 1, CHUNK_BYTES]
SIZES = sorted({whole * CHUNK_BYTES + edge for whole in (1, 2, 3, 4, 6, 35) for edge in EDGES})


@pytest.mark.parametrize("size", SIZES)
def test_the_outline_gives_the_id_that_the_package_gives(size: int) -> None:
    data = random.Random(size).randbytes(size)
    values = outline(data)
    assert len(values) == 32 * chunk_count(size)
    assert id_of_outline(values) == blob_id(data)


@settings(max_examples=25, deadline=None)
@given(st.integers(CHUNK_BYTES + 1, 5 * CHUNK_BYTES), st.integers(0))
def test_one_bit_changes_the_value_of_its_chunk_alone(size: int, seed: int) -> None:
    data = bytearray(random.Random(seed).randbytes(size))
    before = outline(bytes(data))
    place = seed % size
    data[place] ^= 1 << seed % 8
    after = outline(bytes(data))
    differs = [i for i in range(chunk_count(size)) if before[32 * i : 32 * i + 32] != after[32 * i : 32 * i + 32]]
    assert differs == [place // CHUNK_BYTES]


def test_a_chunk_is_bound_to_its_place() -> None:
    chunk = random.Random(1).randbytes(CHUNK_BYTES)
    first, second = chunk_values([(0, chunk), (1, chunk)])
    assert first != second
    assert chunk_values([(1, chunk)]) == [second]


def test_values_come_in_the_order_of_the_chunks_asked_for() -> None:
    data = random.Random(2).randbytes(3 * CHUNK_BYTES + 100)
    values = outline(data)
    asked = [3, 1, 2, 0]
    chunks = [(i, data[i * CHUNK_BYTES : (i + 1) * CHUNK_BYTES]) for i in asked]
    assert chunk_values(chunks) == [values[32 * i : 32 * i + 32] for i in asked]


def test_a_chunk_far_into_a_large_blob_has_the_counter_of_its_place() -> None:
    """Past 2^32 leaves (4 TiB) the counter needs its second word; two chunks that differ there must not be alike."""
    chunk = bytes(CHUNK_BYTES)
    far = 2**32 // 64
    assert chunk_values([(far, chunk)]) != chunk_values([(0, chunk)])


def test_one_chunk_needs_no_outline() -> None:
    assert outline(b"") == outline(bytes(CHUNK_BYTES)) == b""
    assert chunk_count(0) == chunk_count(1) == chunk_count(CHUNK_BYTES) == 1


@given(st.integers(1, 10 * CHUNK_BYTES))
def test_chunks_cover_the_blob(size: int) -> None:
    assert sum(chunk_bytes(size, i) for i in range(chunk_count(size))) == size
