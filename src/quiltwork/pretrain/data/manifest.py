"""A list of the hashes of all pieces of token files: with it, they may come from a mirror that nobody trusts.

It is JSON, for people to read, and is written with `manifest_of` by whoever has the files.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from blake3 import blake3

from quiltwork.pretrain.data.tokens import HEADER, DataError

PIECE_BYTES = 1 << 16
"""What is fetched to check a sequence: not much more than one needs, and 67 bytes of manifest for each of them is 0.1 %."""

LARGEST_BYTES = 1 << 30
"""Of a manifest: it is read into memory. Lists of more than a terabyte want larger pieces."""


class Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file: its size, its first bytes in hexadecimal (they tell its layout), and the BLAKE3 of each piece."""

    size: int
    head: str
    pieces: tuple[str, ...]
    piece_bytes: int = PIECE_BYTES


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files by name: the last part of their paths or URLs."""

    files: dict[str, Listed]

    def listed(self, url: str, source: str) -> Listed:
        """Give what is listed of a URL's file. Raises DataError."""
        name = base_name(url)
        if name not in self.files:
            raise DataError(f"data source {source}: its manifest does not list {name}")
        return self.files[name]


def base_name(url: str) -> str:
    """Give the last part of a path or URL, without a query."""
    return urlsplit(url).path.rpartition("/")[2]


def manifest_of(paths: Iterable[Path], piece_bytes: int = PIECE_BYTES) -> bytes:
    """List files as a manifest, in JSON."""
    files = {}
    for path in paths:
        pieces, head, size = [], b"", 0
        with open(path, "rb") as file:
            while piece := file.read(piece_bytes):
                head = head or piece[: HEADER.size]
                size += len(piece)
                pieces.append(blake3(piece).hexdigest())
        files[path.name] = Listed(size, head.hex(), tuple(pieces), piece_bytes)
    return msgspec.json.format(msgspec.json.encode(Manifest(files), order="sorted"))


def read_manifest(raw: bytes, expected: str, source: str) -> Manifest:
    """Read a manifest, which must have the BLAKE3 `expected`, if that is not empty. Raises DataError."""
    found = blake3(raw).hexdigest()
    if expected not in ("", found):
        raise DataError(f"data source {source}: its manifest has the hash {found}, and manifest_blake3 says {expected}")
    try:
        manifest = msgspec.json.decode(raw, type=Manifest)
        heads = {name: bytes.fromhex(listed.head) for name, listed in manifest.files.items()}
    except (msgspec.MsgspecError, ValueError) as error:
        raise DataError(f"data source {source}: its manifest cannot be read: {error}") from error
    for name, listed in manifest.files.items():
        if (
            listed.piece_bytes < HEADER.size
            or listed.size < 0
            or len(listed.pieces) != -(-listed.size // listed.piece_bytes)
            or len(heads[name]) != min(HEADER.size, listed.size)
        ):
            raise DataError(f"data source {source}: its manifest contradicts itself about {name}")
    return manifest
