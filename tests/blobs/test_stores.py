from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quiltwork.blobs import BlobStore, FolderBlobs, MemoryBlobs
from quiltwork.blobs.http import HttpBlobs
from tests.blobs.conformance import BlobStoreConformance
from tests.blobs.relay import TOKEN, relay


@pytest.fixture(scope="module")
def relayed_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpBlobs]:
    with relay(FolderBlobs(tmp_path_factory.mktemp("relay"))) as url:
        store = HttpBlobs(url, TOKEN)
        yield store
        store.close()


@pytest.fixture(scope="module")
def relayed_memory() -> Iterator[HttpBlobs]:
    with relay(MemoryBlobs()) as url:
        store = HttpBlobs(url, TOKEN)
        yield store
        store.close()


class TestMemoryBlobs(BlobStoreConformance):
    @pytest.fixture
    def blobs(self) -> BlobStore:
        return MemoryBlobs()


class TestFolderBlobs(BlobStoreConformance):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> BlobStore:
        return FolderBlobs(tmp_path / "blobs")


class TestFolderBlobsWithFsync(BlobStoreConformance):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> BlobStore:
        return FolderBlobs(tmp_path / "blobs", fsync=True)


class TestHttpBlobsBeforeAFolder(BlobStoreConformance):
    @pytest.fixture
    def blobs(self, relayed_folder: HttpBlobs) -> BlobStore:
        return relayed_folder


class TestHttpBlobsBeforeMemory(BlobStoreConformance):
    @pytest.fixture
    def blobs(self, relayed_memory: HttpBlobs) -> BlobStore:
        return relayed_memory
