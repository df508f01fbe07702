from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.blobs import BlobUnavailable, blob_id
from quiltwork.blobs.partial import SLOTS, FilePartial, delete_forgotten
from quiltwork.blobs.tree import CHUNK_BYTES, chunk_count, outline

DATA = random.Random(1).randbytes(5 * CHUNK_BYTES + 77)
ID, COUNT = blob_id(DATA), chunk_count(len(DATA))


def chunk(index: int) -> bytes:
    return DATA[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES]


def begun(folder: Path, indexes: set[int]) -> FilePartial:
    partial = FilePartial(folder, ID, len(DATA))
    partial.keep_outline(outline(DATA))
    for index in indexes:
        partial.write(index, chunk(index))
    return partial


@settings(max_examples=10, deadline=None)
@given(before=st.sets(st.integers(0, COUNT - 1)), spoilt=st.sets(st.integers(0, COUNT - 1)))
def test_what_landed_is_there_again_but_for_what_was_spoilt(
    tmp_path_factory: pytest.TempPathFactory, before: set[int], spoilt: set[int]
) -> None:
    folder = tmp_path_factory.mktemp("partial")
    begun(folder, before).close(done=False)
    (path,) = folder.iterdir()
    held = bytearray(path.read_bytes())
    for index in spoilt:
        held[index * CHUNK_BYTES] ^= 1
    path.write_bytes(held)
    again = FilePartial(folder, ID, len(DATA))
    assert again.landed == before - spoilt
    for index in set(range(COUNT)) - again.landed:
        again.write(index, chunk(index))
    assert again.read() == DATA
    again.close(done=True)
    assert list(folder.iterdir()) == []


def test_a_spoilt_outline_makes_it_begin_again(tmp_path: Path) -> None:
    begun(tmp_path, {0, 1}).close(done=False)
    (path,) = tmp_path.iterdir()
    held = bytearray(path.read_bytes())
    held[len(DATA)] ^= 1
    path.write_bytes(held)
    again = FilePartial(tmp_path, ID, len(DATA))
    assert (again.landed, again.outline) == (frozenset(), b"")
    again.close(done=True)


def test_another_size_makes_it_begin_again(tmp_path: Path) -> None:
    begun(tmp_path, {0, 1}).close(done=False)
    again = FilePartial(tmp_path, ID, len(DATA) + 1)
    assert again.landed == frozenset()
    again.close(done=True)


def test_two_who_fetch_the_same_blob_do_not_meet(tmp_path: Path) -> None:
    first, second = begun(tmp_path, {0}), begun(tmp_path, {1})
    first.close(done=True)
    second.close(done=False)
    again = FilePartial(tmp_path, ID, len(DATA))
    again.close(done=False)
    rest = [FilePartial(tmp_path, ID, len(DATA)) for _ in range(SLOTS)]
    with pytest.raises(BlobUnavailable, match=f"{SLOTS} processes"):
        FilePartial(tmp_path, ID, len(DATA))
    for each in rest:
        each.close(done=True)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BlobUnavailable, match="Cannot keep a half-fetched blob"):
        FilePartial(tmp_path / "file", ID, len(DATA))


def test_what_nobody_went_on_with_for_a_week_is_deleted(tmp_path: Path) -> None:
    begun(tmp_path, {0}).close(done=False)
    (path,) = tmp_path.iterdir()
    delete_forgotten(tmp_path)
    assert path.exists()
    os.utime(path, (0, 0))
    delete_forgotten(tmp_path)
    assert not path.exists()
