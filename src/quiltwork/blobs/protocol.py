"""What every blob store can do, and what can go wrong."""

from __future__ import annotations

import re
from typing import Protocol

from blake3 import blake3

from quiltwork.errors import UserError

_ID = re.compile(r"[0-9a-f]{64}")


class BlobMissing(UserError):
    """Nothing is stored under this id."""


class BlobCorrupt(UserError):
    """What is stored under this id is something else."""


class BlobUnavailable(UserError):
    """The store cannot be read or written now."""


class BlobStore(Protocol):
    """Bytes by their hash. Threads and processes may put the same blob at once."""

    def put(self, data: bytes) -> str:
        """Keep the bytes and give their id. Putting what is there already is cheap. Raises BlobUnavailable."""
        ...

    def get(self, id: str) -> bytes:
        """Give the bytes with this id. Raises BlobMissing, BlobCorrupt, BlobUnavailable."""
        ...

    def has(self, id: str) -> bool:
        """Tell whether something is stored under this id; only `get` proves that it is the right thing."""
        ...


def blob_id(data: bytes) -> str:
    """Give the id of these bytes."""
    return blake3(data).hexdigest()


def is_blob_id(text: str) -> bool:
    """Tell whether a text, perhaps a stranger's, is an id and not, say, a path."""
    return _ID.fullmatch(text) is not None
