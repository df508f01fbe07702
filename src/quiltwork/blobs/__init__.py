"""Bytes by their hash: programs, tensors, screenshots, pictures.

A blob's id is the BLAKE3-256 of its bytes in 64 hexadecimal digits. So a blob never changes, is kept once however often
it is put, and proves itself when it is got: bytes that do not match their id are refused.
"""

from quiltwork.blobs.folder import FolderBlobs
from quiltwork.blobs.memory import MemoryBlobs
from quiltwork.blobs.protocol import BlobCorrupt, BlobMissing, BlobStore, BlobUnavailable, blob_id

__all__ = ["BlobCorrupt", "BlobMissing", "BlobStore", "BlobUnavailable", "FolderBlobs", "MemoryBlobs", "blob_id"]
