from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quiltwork.blobs import (
    BlobCorrupt,
    BlobMissing,
    BlobStore,
    BlobUnavailable,
    FolderBlobs,
    MemoryBlobs,
    blob_id,
)


@pytest.fixture(params=["memory", "folder", "folder with fsync"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "memory":
        return MemoryBlobs()
    return FolderBlobs(tmp_path / "blobs", fsync="fsync" in request.param)


@pytest.fixture
def folder(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "blobs")


def files(store: FolderBlobs) -> list[Path]:
    return [path for path in store.path.rglob("*") if path.is_file()]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.binary())
def test_any_bytes_come_back_by_their_hash(blobs: BlobStore, data: bytes) -> None:
    id = blobs.put(data)
    assert id == blob_id(data) == blake3(data).hexdigest()
    assert blobs.has(id)
    assert blobs.get(id) == data


def test_what_was_never_put_is_missing(blobs: BlobStore) -> None:
    assert not blobs.has(blob_id(b"nothing"))
    with pytest.raises(BlobMissing, match="no blob"):
        blobs.get(blob_id(b"nothing"))


@pytest.mark.parametrize("id", ["", "..", "../../etc/passwd", "ab", "A" * 64, "0" * 63, "0" * 64 + "\n", "/" * 64])
def test_what_is_no_id_is_missing_and_touches_no_file(blobs: BlobStore, id: str) -> None:
    assert not blobs.has(id)
    with pytest.raises(BlobMissing):
        blobs.get(id)


def test_blobs_lie_two_levels_deep_and_once(folder: FolderBlobs) -> None:
    id = folder.put(b"data")
    folder.put(b"data")
    assert files(folder) == [folder.path / id[:2] / id[2:]]


def test_putting_what_is_there_writes_nothing(folder: FolderBlobs) -> None:
    place = folder.path / (id := folder.put(b"data"))[:2] / id[2:]
    before = place.stat()
    folder.put(b"data")
    assert place.stat().st_ino == before.st_ino
    assert place.stat().st_mtime_ns == before.st_mtime_ns


def test_bytes_that_do_not_match_their_hash_are_refused(folder: FolderBlobs) -> None:
    id = folder.put(b"data")
    (folder.path / id[:2] / id[2:]).write_bytes(b"date")
    with pytest.raises(BlobCorrupt, match=r"does not hold.*Delete it, or restore"):
        folder.get(id)


def test_a_blob_that_a_power_cut_left_empty_is_mended_by_putting_it_again(folder: FolderBlobs) -> None:
    id = folder.put(b"data")
    (folder.path / id[:2] / id[2:]).write_bytes(b"")
    with pytest.raises(BlobCorrupt):
        folder.get(id)
    folder.put(b"data")
    assert folder.get(id) == b"data"


def test_a_write_that_fails_leaves_nothing_behind(folder: FolderBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", no_space)
    with pytest.raises(BlobUnavailable, match=r"No space left on device\. Nothing was stored"):
        folder.put(b"data")
    assert files(folder) == []
    assert not folder.has(blob_id(b"data"))


def test_a_place_that_cannot_be_written_to_is_said_clearly(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BlobUnavailable, match="Cannot write the blob"):
        FolderBlobs(tmp_path / "file").put(b"data")


def test_many_who_put_the_same_blob_at_once_all_succeed(folder: FolderBlobs) -> None:
    data = os.urandom(200_000)
    ready = threading.Barrier(8)
    ids: list[str] = []

    def put() -> None:
        ready.wait()
        for _ in range(10):
            ids.append(folder.put(data))
            assert folder.get(ids[-1]) == data

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ids == [blob_id(data)] * 80
    assert len(files(folder)) == 1


def test_with_fsync_a_blob_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (steps.append("fsync"), fsync(file)))
    monkeypatch.setattr(os, "replace", lambda *names: (steps.append("rename"), replace(*names)))
    FolderBlobs(tmp_path / "a", fsync=True).put(b"data")
    assert steps == ["fsync", "rename", "fsync"]
    steps.clear()
    FolderBlobs(tmp_path / "b").put(b"data")
    assert steps == ["rename"]
