"""A member's home: the folder that makes whoever comes back with it the same member."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from quiltwork.blobs import FolderBlobs, blob_id
from quiltwork.errors import UserError
from quiltwork.pretrain.beacon import HASH_BYTES, Onion
from quiltwork.pretrain.remains import Deleting, Made
from quiltwork.pretrain.secret import write_secret

REVEALS = 1 << 16
"""Rounds for which one secret lasts; then the member joins anew."""


class Shelf:
    """The blobs of a member, which notes what is new on it: that is published. What is put is listed in `made` before."""

    def __init__(self, store: Deleting, made: Made) -> None:
        self._store, self.made = store, made
        self.fresh: list[str] = []

    def put(self, data: bytes) -> str:
        """See BlobStore. Raises UserError where it cannot be listed."""
        self.made.add(blob_id(data))
        id = self._store.put(data)
        self.fresh.append(id)
        return id

    def get(self, id: str) -> bytes:
        """See BlobStore."""
        return self._store.get(id)

    def has(self, id: str) -> bool:
        """See BlobStore."""
        return self._store.has(id)

    def delete(self, id: str) -> None:
        """See Deleting."""
        self._store.delete(id)


@dataclass(frozen=True)
class Home:
    """A member's folder: blobs, optimizer states, half-fetched blobs, the secret of its reveals."""

    path: Path

    @property
    def blobs(self) -> FolderBlobs:
        """What it holds for itself and others."""
        return FolderBlobs(self.path / "blobs")

    @property
    def shelf(self) -> Shelf:
        """Where its trainer puts what it makes."""
        return Shelf(self.blobs, Made(self.path / "made.txt"))

    def onion(self, *, new: bool = False) -> Onion:
        """Its chain of secrets, made at the first call. Raises UserError if the file that keeps it is damaged."""
        place = self.path / "beacon.key"
        if new or not place.exists():
            write_secret(place, secrets.token_bytes(HASH_BYTES))
        secret = place.read_bytes()
        if len(secret) != HASH_BYTES:
            raise UserError(
                f"{place} holds {len(secret)} bytes where a secret of {HASH_BYTES} was. Restore it from a copy, or delete it: "
                "then the member joins with a new one."
            )
        return Onion(secret, REVEALS)
