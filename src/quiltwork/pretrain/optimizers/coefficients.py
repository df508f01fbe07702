"""The largest DCT coefficients of every chunk, as a member sends them and as all members read them."""

from __future__ import annotations

import torch

from quiltwork.pretrain.codec.base import Kind
from quiltwork.pretrain.codec.sparse import Rows, SparseCodec
from quiltwork.pretrain.codec.values import Floats, Signs
from quiltwork.pretrain.optimizers.base import Tensors
from quiltwork.pretrain.optimizers.chosen import Chosen, agreement, largest, read, write
from quiltwork.pretrain.optimizers.config import Compression
from quiltwork.pretrain.optimizers.dct import Chunks


class Coefficients:
    """What is sent of the DCT of a set of tensors, under one compression."""

    def __init__(self, kind: Kind, config: Compression) -> None:
        self.chunk, self.kept, self.signs = config.chunk, config.kept, config.values == "signs"
        self.codec = SparseCodec(kind, Signs() if self.signs else Floats())

    def chunks(self, tensor: torch.Tensor) -> Chunks:
        """Give the cut of a tensor."""
        return Chunks(tensor.shape, self.chunk)

    def choose(self, tensor: torch.Tensor) -> Chosen:
        """Transform a tensor and choose of each chunk what is sent, before rounding to signs."""
        chunks = self.chunks(tensor)
        return largest(chunks.forward(tensor), min(self.kept, chunks.width))

    def restore(self, chosen: Chosen, like: torch.Tensor) -> torch.Tensor:
        """Transform back what was chosen of a tensor of this shape."""
        chunks = self.chunks(like)
        return chunks.inverse(chosen.spread(chunks.width))

    def layout(self, parameters: Tensors) -> list[Rows]:
        """Say how the tensors' coefficients lie in a payload."""
        cut = [self.chunks(parameter) for parameter in parameters.values()]
        return [Rows(chunks.rows, chunks.width, min(self.kept, chunks.width)) for chunks in cut]

    def encode(self, chosen: dict[str, Chosen], parameters: Tensors) -> bytes:
        """Make the payload; as a sign, zero counts as positive."""
        parts = list(chosen.values())
        if self.signs:
            parts = [Chosen(part.places, torch.where(part.values < 0, -1.0, 1.0)) for part in parts]
        return write(self.codec, self.layout(parameters), parts)

    def decode(self, payload: bytes, parameters: Tensors) -> dict[str, Chosen]:
        """Read a payload. Raises Malformed."""
        return read(self.codec, self.layout(parameters), payload, parameters)

    def compare(self, mine: bytes, theirs: bytes, parameters: Tensors) -> float:
        """Of the coefficients that either side sent, give the share that both sent, with the same sign."""
        return agreement(self.codec, self.layout(parameters), mine, theirs)
