"""The largest numbers of every row: chosen, sent, read, compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from quiltwork.pretrain.codec.sparse import Rows, Sparse, SparseCodec
from quiltwork.pretrain.optimizers.base import Tensors
from quiltwork.pretrain.optimizers.bounds import require_bounded, shares, shortened


@dataclass(frozen=True)
class Chosen:
    """Numbers at some places of every row: `places` int64, rising, and `values` fp32, both [rows, kept]."""

    places: torch.Tensor
    values: torch.Tensor

    def spread(self, width: int) -> torch.Tensor:
        """Put them into rows of this width, [rows, width], with zeros elsewhere."""
        rows = self.values.new_zeros(len(self.values), width)
        return rows.scatter_(1, self.places, self.values)


def largest(rows: torch.Tensor, kept: int) -> Chosen:
    """Choose the `kept` largest of every row by magnitude."""
    places = rows.abs().topk(kept, dim=1, sorted=False).indices.sort(dim=1).values
    return Chosen(places, rows.gather(1, places))


def write(codec: SparseCodec, layout: Sequence[Rows], chosen: Sequence[Chosen]) -> bytes:
    """Make a payload."""
    return codec.encode(layout, [Sparse(part.places.cpu().numpy(), part.values.cpu().numpy()) for part in chosen])


def read(codec: SparseCodec, layout: Sequence[Rows], payload: bytes, parameters: Tensors) -> dict[str, Chosen]:
    """Read a payload, onto the parameters' devices. Raises Malformed, also for numbers beyond `bounds.LARGEST`."""
    chosen = {
        name: Chosen(torch.from_numpy(part.indices).to(p.device), torch.from_numpy(part.values).to(p.device))
        for (name, p), part in zip(parameters.items(), codec.decode(layout, payload), strict=True)
    }
    require_bounded({name: part.values for name, part in chosen.items()})
    return chosen


def bounded(
    sent: Sequence[dict[str, Chosen]], most: float, units: Sequence[int] | None = None
) -> list[dict[str, Chosen]]:
    """Shorten updates that are longer than `most` times the median, as in `bounds.shares`."""
    parts = shares([[part.values for part in chosen.values()] for chosen in sent], most, units)
    return [
        {name: Chosen(part.places, shortened(part.values, share)) for name, part in chosen.items()}
        for chosen, share in zip(sent, parts, strict=True)
    ]


def agreement(codec: SparseCodec, layout: Sequence[Rows], mine: bytes, theirs: bytes) -> float:
    """Of the numbers that either of two payloads sent, give the share that both sent, with the same sign.

    Times how long the shorter of each tensor's two is beside the longer, of the tensor where that is least: who sends the right
    signs too loudly is not alike.
    """
    same, either, loudness = 0, 0, 1.0
    for rows, a, b in zip(layout, codec.decode(layout, mine), codec.decode(layout, theirs), strict=True):
        ours, others = (_signs(sparse).spread(rows.width) for sparse in (a, b))
        same += int((ours * others > 0).sum())
        either += int(((ours != 0) | (others != 0)).sum())
        short, long = sorted(float(np.linalg.norm(sparse.values.astype(np.float64))) for sparse in (a, b))
        loudness = min(loudness, short / long if long else 1.0)
    return loudness * same / either if either else 1.0


def _signs(sparse: Sparse) -> Chosen:
    return Chosen(torch.from_numpy(sparse.indices), torch.from_numpy(sparse.values).sign())
