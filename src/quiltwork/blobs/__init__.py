"""Bytes by their hash: programs, tensors, screenshots, pictures.

A blob's id is the BLAKE3-256 of its bytes in 64 hexadecimal digits. So a blob never changes, is kept once however often
it is put, and proves itself when it is got: bytes that do not match their id are refused.

    protocol.py, memory.py, folder.py, http.py     stores: BlobStore and who keeps it
    tree.py                                        parts of a blob, proved by nothing but its id
    transport.py, tcp.py, iroh.py, loopback.py     streams between machines
    wire.py, serving.py, sources.py                what peers say to each other, and who answers
    plan.py, links.py, partial.py, fetch.py        one blob from many holders over many connections
    exchange.py, report.py                         the door to that, and what it tells
    server.py, uploads.py                          a relay over HTTP

What travels is not imported here, so that who only keeps blobs does not wait for it.
"""

from quiltwork.blobs.folder import FolderBlobs
from quiltwork.blobs.memory import MemoryBlobs
from quiltwork.blobs.protocol import BlobCorrupt, BlobMissing, BlobStore, BlobUnavailable, blob_id

__all__ = ["BlobCorrupt", "BlobMissing", "BlobStore", "BlobUnavailable", "FolderBlobs", "MemoryBlobs", "blob_id"]
