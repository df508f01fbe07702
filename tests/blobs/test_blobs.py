from __future__ import annotations

import os
from pathlib import Path

import pytest

from quiltwork.blobs import (
    BlobCorrupt,
    BlobUnavailable,
    FolderBlobs,
    blob_id,
)


@pytest.fixture
def folder(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "blobs")


def files(store: FolderBlobs) -> list[Path]:
    return [path for path in store.path.rglob("*") if path.is_file()]


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
