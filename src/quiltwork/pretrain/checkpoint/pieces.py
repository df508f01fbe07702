"""Tensors into pieces, and pieces into tensors. What was loaded is the model that the manifest names, or an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import torch

from quiltwork.blobs import blob_id
from quiltwork.pretrain.checkpoint.manifest import (
    PARAMETERS,
    PIECE_BYTES,
    SHARED,
    CheckpointError,
    Held,
    Manifest,
    write_manifest,
)
from quiltwork.pretrain.optimizers.base import Tensors, joined, root

Storage = Literal["fp32", "bf16"]


class Saved(NamedTuple):
    """A checkpoint in a store: the blob id of its manifest, the bytes of that and of all tensors, and the model's hash."""

    id: str
    manifest_size: int
    size: int
    model: bytes


class Loaded(NamedTuple):
    """The model that a checkpoint holds, on the CPU."""

    parameters: Tensors
    shared: Tensors


def save(
    parameters: Tensors,
    shared: Tensors,
    *,
    round: int,
    put: Callable[[bytes], str],
    about: Mapping[str, str] | None = None,
    storage: Storage = "fp32",
) -> Saved:
    """Put a model after a round into a store, piece by piece; a tensor that did not change is there already.

    With "bf16", parameters are rounded to it: half the bytes, and the model that is saved, whose hash is given, is the rounded
    one. So that is for a model that is passed on; members who continue a run need its bits. `shared` is kept as it is.
    """
    kept, tensors = [], joined(parameters=parameters, shared=shared)
    for name, tensor in tensors.items():
        stored = tensor.detach().cpu()
        if storage == "bf16" and name.startswith(PARAMETERS) and tensor.dtype == torch.float32:
            stored = stored.to(torch.bfloat16)
            tensors[name] = stored.to(torch.float32)
        raw = stored.contiguous().reshape(-1).view(torch.uint8).numpy().data
        pieces = tuple(
            bytes.fromhex(put(bytes(raw[start : start + PIECE_BYTES]))) for start in range(0, len(raw), PIECE_BYTES)
        )
        kept.append(Held(name, tuple(tensor.shape), _name(tensor.dtype), _name(stored.dtype), pieces))
    manifest = Manifest(round, root(tensors), tuple(kept), dict(about or {}))
    encoded = write_manifest(manifest)
    return Saved(put(encoded), len(encoded), manifest.size, manifest.model)


def load(manifest: Manifest, get: Callable[[str], bytes]) -> Loaded:
    """Give the model of a manifest, whose pieces `get` gives by their ids. Raises CheckpointError, and what `get` raises.

    Every piece is held to its hash and its size, and the whole to the hash of the model. Whether that is the model which a run
    agreed on is for the caller to ask of its log.
    """
    tensors = {held.name: _tensor(held, get) for held in manifest.tensors}
    if root(tensors) != manifest.model:
        raise CheckpointError(
            f"The checkpoint of round {manifest.round} does not hold the model {manifest.model[:4].hex()} that it names. "
            "Whoever saved it is wrong or lies; take another member's."
        )
    return Loaded(_part(tensors, PARAMETERS), _part(tensors, SHARED))


def _tensor(held: Held, get: Callable[[str], bytes]) -> torch.Tensor:
    flat = torch.empty(held.size, dtype=torch.uint8)
    start = 0
    for piece, size in held.sizes():
        data = get(piece.hex())
        if len(data) != size or blob_id(data) != piece.hex():
            raise CheckpointError(f"A piece of {held.name} is not the {size:,} bytes with the hash {piece.hex()}.")
        flat[start : start + size] = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        start += size
    stored = flat.view(getattr(torch, held.stored)).reshape(held.shape)
    return stored.to(getattr(torch, held.dtype))


def _part(tensors: Tensors, prefix: str) -> Tensors:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
