"""What an optimizer sends, keeps and computes in a round, from a model's shapes alone: no torch, no model in memory.

Bytes are exact (a test holds them to real payloads and states); operations are of the products of matrices and of what touches
every parameter, which is all that counts in a model of any size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from quiltwork.pretrain.codec.base import Kind
from quiltwork.pretrain.codec.dense import dense_bytes
from quiltwork.pretrain.codec.sparse import Rows, SparseCodec
from quiltwork.pretrain.codec.values import Floats, Signs, TwoLevels
from quiltwork.pretrain.optimizers.config import (
    AdamWConfig,
    DemoConfig,
    DemoExactConfig,
    DilocoConfig,
    DistroConfig,
    InnerSteps,
    OptimizerConfig,
    SparselocoConfig,
)

Shape = tuple[int, ...]

FLOAT_BYTES = 4
"""Models and optimizer states are fp32."""

ADAM_FLOPS = 15
"""Of Adam for a parameter: two moving averages, a root, a quotient, the decay and the step."""

UNSEEN_BYTES = 2 * FLOAT_BYTES
"""Beside Adam's moments: how much of each is still its first zero."""

MUON_STEPS = 5
"""Of Newton and Schulz, in `optimizers.muon`."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """Of one member in one round. Sizes in bytes, work in floating-point operations."""

    payload_bytes: int
    shared_bytes: int
    """State that is equal at all members."""
    own_bytes: int
    """State that is the member's own; an audit discloses it twice, before and after."""
    unit_flops: int
    """For each unit, beside its gradient."""
    encode_flops: int
    apply_flops: int
    """For each round, however many payloads."""
    apply_flops_each: int
    """For each payload that is applied."""


def footprint(config: OptimizerConfig, shapes: Mapping[str, Shape]) -> Footprint:
    """Give the footprint of an optimizer on a model with these parameters."""
    count = sum(math.prod(shape) for shape in shapes.values())
    dense, state = dense_bytes(list(shapes.values())), FLOAT_BYTES * count
    match config:
        case AdamWConfig():
            return Footprint(dense, 2 * state + UNSEEN_BYTES, 0, 2 * count, 0, ADAM_FLOPS * count, 2 * count)
        case DilocoConfig():
            inner, steps = _inner(config, shapes)
            return Footprint(dense, state, inner, steps, count, 6 * count, 2 * count)
        case SparselocoConfig():
            rows = _runs(config, shapes.values())
            size = SparseCodec(Kind.SPARSELOCO, TwoLevels()).size(rows)
            inner, steps = _inner(config, shapes)
            return Footprint(size, 0, inner + state, steps, 6 * count, 4 * count, 2 * count)
        case DemoConfig() | DistroConfig() | DemoExactConfig():
            blocks = [_block(shape, config.chunk) for shape in shapes.values()]
            rows = [_rows(shape, h * w, config.kept) for shape, (h, w) in zip(shapes.values(), blocks, strict=True)]
            size = SparseCodec(Kind.DEMO, Floats() if config.values == "floats" else Signs()).size(rows)
            transform = sum(
                2 * (h + w) * math.prod(shape) for shape, (h, w) in zip(shapes.values(), blocks, strict=True)
            )
            kept = sum(row.rows * row.kept for row in rows)
            own = 2 * state if isinstance(config, DistroConfig) else state
            # There and back to send (what is sent is taken out of the momentum), once back for all payloads together.
            return Footprint(size, 0, own, 2 * count, 2 * transform + 4 * count, transform + 4 * count, 2 * kept)


def _inner(config: InnerSteps, shapes: Mapping[str, Shape]) -> tuple[int, int]:
    """What the steps between two exchanges keep, in bytes, and compute for each batch (see `optimizers.inner`)."""
    held, flops = UNSEEN_BYTES, 0
    for name, shape in shapes.items():
        size = math.prod(shape)
        if config.inner == "muon" and len(shape) >= 2 and not any(part in name for part in config.never_muon):
            held += FLOAT_BYTES * size
            # A step: times its transpose (short x long x short), that squared, and the way back.
            short, long = sorted(shape[-2:])
            flops += MUON_STEPS * (4 * size * short + 2 * size * short * short // long) + 6 * size
        else:
            held += 2 * FLOAT_BYTES * size
            flops += ADAM_FLOPS * size
    return held, flops


def _block(shape: Shape, chunk: int) -> tuple[int, int]:
    """The sides of a tensor's blocks, as `optimizers.dct` cuts them."""
    height, across = (1, *shape)[-2:] if shape else (1, 1)
    return _largest_divisor(height, chunk), _largest_divisor(across, chunk)


def _rows(shape: Shape, width: int, kept: int) -> Rows:
    return Rows(math.prod(shape) // width, width, min(kept, width))


def _runs(config: SparselocoConfig, shapes: Iterable[Shape]) -> list[Rows]:
    """Rows of the flattened tensors, as `optimizers.sparseloco` cuts them."""
    return [_rows(shape, _largest_divisor(math.prod(shape), config.chunk), config.kept) for shape in shapes]


def _largest_divisor(number: int, most: int) -> int:
    return next(divisor for divisor in range(min(number, most), 0, -1) if number % divisor == 0)


def psyche_payload_bytes(parameters: int, chunk: int, kept: int) -> float:
    """Say what Psyche sends for a model whose tensors fill chunks: 16 bits of place and one of sign for each coefficient.

    (Places take 8 bits where a chunk has at most 256 coefficients.)
    """
    width = chunk * chunk
    place_bits = 8 if width <= 256 else 16
    return parameters / width * kept * (place_bits + 1) / 8
