"""The table of contents of a checkpoint: tensors, and the BLAKE3 of each of their pieces. It is a blob itself.

It comes from a stranger, so reading it believes nothing: one encoding, every size following from the shapes. No torch here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import msgspec

from quiltwork.errors import UserError

PIECE_BYTES = 16 << 20
"""A large tensor moves in parts, from several members at once; a part that came twice costs little."""

LARGEST_BYTES = 256 << 20
"""Of a manifest: eight million pieces, or 128 TB of tensors."""

MOST_DIMENSIONS = 16
LARGEST_SIZE = 1 << 48
"""Of a tensor, in elements: products of sizes stay small numbers."""

WIDTHS = {
    "float32": 4,
    "bfloat16": 2,
    "float64": 8,
    "float16": 2,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
}
"""Bytes of an element by the name of its type."""

PARAMETERS, SHARED = "parameters/", "shared/"

_ENCODER = msgspec.msgpack.Encoder(order="sorted")


class CheckpointError(UserError):
    """A checkpoint that cannot be used. The text says which part of it is wrong, and what to do."""


class Held(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One tensor, `parameters/...` or `shared/...`: what it is, how its elements are stored, and its pieces in their order."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    stored: str
    pieces: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """The bytes of all pieces."""
        return math.prod(self.shape) * WIDTHS[self.stored]

    def sizes(self) -> Iterator[tuple[bytes, int]]:
        """Give each piece and its bytes."""
        for number, piece in enumerate(self.pieces):
            yield piece, min(PIECE_BYTES, self.size - number * PIECE_BYTES)


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model after a round: `model` is its hash, `about` what the one who saved it wants to say."""

    round: int
    model: bytes
    tensors: tuple[Held, ...]
    about: dict[str, str] = {}
    version: int = 1

    @property
    def size(self) -> int:
        """The bytes of all tensors as they are stored."""
        return sum(held.size for held in self.tensors)

    def pieces(self) -> Iterator[tuple[str, int]]:
        """Give the blob id and bytes of each piece, once, in the order in which they are loaded."""
        seen = set()
        for held in self.tensors:
            for piece, size in held.sizes():
                if piece not in seen:
                    seen.add(piece)
                    yield piece.hex(), size

    def require(self, parameters: Mapping[str, tuple[int, ...]], shared: Mapping[str, tuple[int, ...]]) -> None:
        """Raise CheckpointError unless it has tensors of exactly these names and shapes: before anything is fetched."""
        expected = {PARAMETERS + name: tuple(shape) for name, shape in parameters.items()}
        expected |= {SHARED + name: tuple(shape) for name, shape in shared.items()}
        found = {held.name: held.shape for held in self.tensors}
        if fault := difference(found, expected):
            raise CheckpointError(f"The checkpoint of round {self.round} is of another model or optimizer: {fault}.")


def difference(found: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]]) -> str:
    """Say how tensors differ from those that were expected, by name and shape, or nothing."""
    if missing := sorted(expected.keys() - found.keys()):
        return f"{missing[0]} is missing{_and_more(missing)}"
    if extra := sorted(found.keys() - expected.keys()):
        return f"{extra[0]} was not expected{_and_more(extra)}"
    for name, shape in sorted(expected.items()):
        if found[name] != shape:
            return f"{name} has the shape {list(found[name])} and should have {list(shape)}"
    return ""


def _and_more(names: list[str]) -> str:
    return f", and so are {len(names) - 1:,} more" if len(names) > 1 else ""


def write_manifest(manifest: Manifest) -> bytes:
    """Give a manifest's only encoding: MessagePack, keys in order."""
    return _ENCODER.encode(manifest)


def read_manifest(raw: bytes) -> Manifest:
    """Read a manifest, perhaps a stranger's. Raises CheckpointError for what `write_manifest` does not give."""
    if len(raw) > LARGEST_BYTES:
        raise CheckpointError(f"A checkpoint's manifest has {len(raw):,} bytes; the largest has {LARGEST_BYTES:,}.")
    try:
        manifest = msgspec.msgpack.decode(raw, type=Manifest)
    except msgspec.MsgspecError as error:
        raise CheckpointError(f"A checkpoint's manifest cannot be read: {error}.") from error
    if manifest.version != 1:
        raise CheckpointError(
            f"A checkpoint's manifest is of version {manifest.version}; this program reads version 1."
        )
    if fault := _fault(manifest) or ("" if write_manifest(manifest) == raw else "it is not in its only encoding"):
        raise CheckpointError(f"A checkpoint's manifest is malformed: {fault}.")
    return manifest


def _fault(manifest: Manifest) -> str:
    if manifest.round < 0 or len(manifest.model) != 32:
        return "its round or its model's hash is none"
    names = [held.name for held in manifest.tensors]
    if names != sorted(set(names)):
        return "its tensors are not sorted by name, each once"
    return next((fault for held in manifest.tensors if (fault := _fault_of(held))), "")


def _fault_of(held: Held) -> str:
    if not held.name.startswith((PARAMETERS, SHARED)):
        return f"{held.name!r} is neither of {PARAMETERS} nor of {SHARED}"
    if held.dtype not in WIDTHS or held.stored not in (held.dtype, "bfloat16"):
        return f"{held.name} is {held.dtype}, stored as {held.stored}"
    if len(held.shape) > MOST_DIMENSIONS or any(not 0 <= size <= LARGEST_SIZE for size in held.shape):
        return f"{held.name} has a shape that no tensor has"
    if math.prod(held.shape) > LARGEST_SIZE:
        return f"{held.name} has more than {LARGEST_SIZE:,} elements"
    if len(held.pieces) != -(-held.size // PIECE_BYTES) or any(len(piece) != 32 for piece in held.pieces):
        return f"the pieces of {held.name} do not follow from its shape"
    return ""
