"""No update counts for more than its length may: one member that lies cannot throw the model away before an audit finds it.

Lengths are bounded by a multiple of the round's median, as in norm bounding (Sun et al., "Can You Really Backdoor Federated
Learning?", arXiv 1911.07963) with a bound that follows the training (Andrew et al., "Differentially Private Learning with
Adaptive Clipping", arXiv 1905.03871). The median is the lower one: while liars are no more than half of the updates it is not
above all honest lengths, and while they are fewer it is not below them all. So liars can move the mean by no more than their
share of `most` times the longest honest update, and honest updates are left as they are, bit by bit, while none is more than
`most` times as long as another. Every length is a sum by halves (`numbers.norm`), and a median knows no order: all members
find the same bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch

from quiltwork.pretrain.codec.base import Malformed
from quiltwork.pretrain.optimizers.numbers import norm

LARGEST = 2.0**40
"""A number beyond this is no update. Squares of those within, 2^46 of them, add up to less than fp32's largest number."""


def require_bounded(tensors: Mapping[str, torch.Tensor]) -> None:
    """Raise Malformed for numbers beyond `LARGEST`, in either direction."""
    for name, tensor in tensors.items():
        if tensor.numel() and not bool((tensor.abs() <= LARGEST).all()):
            raise Malformed(f"{name}: a number is beyond 2^40")


def shares(updates: Sequence[Iterable[torch.Tensor]], most: float, units: Sequence[int] | None = None) -> list[float]:
    """Say how much of each update counts: 1, or less where it is longer than `most` times the lower median.

    With `units`, lengths are per unit: for updates that grow with the work behind them.
    """
    lengths = [norm(tensors) for tensors in updates]
    if units is not None:
        lengths = [length / work for length, work in zip(lengths, units, strict=True)]
    longest = most * sorted(lengths)[(len(lengths) - 1) // 2]
    return [1.0 if length <= longest else longest / length for length in lengths]


def shortened(tensor: torch.Tensor, share: float) -> torch.Tensor:
    """Give this share of a tensor; the tensor itself if that is all of it."""
    return tensor if share == 1 else tensor * share
