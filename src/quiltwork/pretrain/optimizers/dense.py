"""Whole tensors as payloads: encoded, averaged, compared."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from quiltwork.pretrain.codec.base import Kind
from quiltwork.pretrain.codec.dense import decode_dense, encode_dense
from quiltwork.pretrain.optimizers.base import Tensors, Update
from quiltwork.pretrain.optimizers.bounds import require_bounded, shares, shortened
from quiltwork.pretrain.optimizers.numbers import norm, weighted_mean


def encode(kind: Kind, tensors: Tensors) -> bytes:
    """Make the payload."""
    return encode_dense(kind, [tensor.cpu().numpy() for tensor in tensors.values()])


def decode(kind: Kind, payload: bytes, parameters: Tensors) -> Tensors:
    """Read a payload, onto the parameters' devices. Raises Malformed, also for numbers beyond `bounds.LARGEST`."""
    arrays = decode_dense(kind, [tuple(parameter.shape) for parameter in parameters.values()], payload)
    tensors = {
        name: torch.from_numpy(array).to(parameter.device)
        for (name, parameter), array in zip(parameters.items(), arrays, strict=True)
    }
    require_bounded(tensors)
    return tensors


def mean(kind: Kind, updates: Sequence[Update], parameters: Tensors, most: float, *, grows: bool) -> Tensors:
    """Average payloads by their weights, in their order, none longer than `most` times the median. Raises Malformed.

    `grows` says that they are the longer, the more units are behind them.
    """
    weights = [weight for weight, _ in updates]
    sent = [decode(kind, payload, parameters) for _, payload in updates]
    parts = shares([tensors.values() for tensors in sent], most, weights if grows else None)
    return {
        name: weighted_mean(
            weights, [shortened(tensors[name], share) for tensors, share in zip(sent, parts, strict=True)]
        )
        for name in parameters
    }


def compare(kind: Kind, mine: bytes, theirs: bytes, parameters: Tensors) -> float:
    """Give 1 - |a - b| / (|a| + |b|), Euclidean: 1 if they are equal, 0 if opposite, 2/3 if one is twice the other."""
    a, b = decode(kind, mine, parameters), decode(kind, theirs, parameters)
    lengths = norm(a.values()) + norm(b.values())
    return 1 - norm([a[name] - b[name] for name in parameters]) / lengths if lengths else 1.0
