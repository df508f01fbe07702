"""The largest numbers of every row: chosen, sent, read, compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    """Of the numbers that either of two payloads sent, give the share that both sent, with the same sign."""
    same, either = 0, 0
    for rows, a, b in zip(layout, codec.decode(layout, mine), codec.decode(layout, theirs), strict=True):
        ours, others = (_signs(sparse).spread(rows.width) for sparse in (a, b))
        same += int((ours * others > 0).sum())
        either += int(((ours != 0) | (others != 0)).sum())
    return same / either if either else 1.0


def _signs(sparse: Sparse) -> Chosen:
    return Chosen(torch.from_numpy(sparse.indices), torch.from_numpy(sparse.values).sign())
