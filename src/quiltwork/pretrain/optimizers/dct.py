"""Chunks of a tensor, and their discrete cosine transform (as in DeMo, arXiv 2411.19870, section 3).

A matrix is cut into blocks of at most `chunk` by `chunk`, a vector into pieces of at most `chunk`; what has more dimensions
is cut along its last two. The side of a block is the largest divisor of the tensor's side that is not above `chunk`, so
blocks fill the tensor exactly. Each block becomes a row of its orthonormal DCT-II coefficients, by products of matrices.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch


def block_side(side: int, chunk: int) -> int:
    """Give the largest divisor of `side` that is at most `chunk`."""
    return next(divisor for divisor in range(min(side, chunk), 0, -1) if side % divisor == 0)


def dct_matrix(n: int) -> list[list[float]]:
    """Give the orthonormal DCT-II basis: row i is the cosine of frequency i."""
    scale = [math.sqrt((1 if i == 0 else 2) / n) for i in range(n)]
    return [[scale[i] * math.cos(math.pi * i * (2 * j + 1) / (2 * n)) for j in range(n)] for i in range(n)]


@lru_cache(maxsize=64)
def basis(n: int, device: torch.device) -> torch.Tensor:
    """Give the basis in fp32, [frequency, place]."""
    return torch.tensor(dct_matrix(n), dtype=torch.float32, device=device)


class Chunks:
    """How a tensor of this shape is cut: [rows, width] is what its coefficients look like."""

    def __init__(self, shape: torch.Size, chunk: int) -> None:
        self.shape = shape
        height, self.across = (1, *shape)[-2:] if shape else (1, 1)
        self.h = block_side(height, chunk)
        self.w = block_side(self.across, chunk)
        self.width = self.h * self.w
        self.rows = shape.numel() // self.width
        self.down = height

    def forward(self, tensor: torch.Tensor) -> torch.Tensor:
        """Transform: tensor of this shape -> coefficients [rows, width]."""
        blocks = tensor.reshape(-1, self.down // self.h, self.h, self.across // self.w, self.w)
        blocks = blocks @ basis(self.w, tensor.device).T
        blocks = blocks.permute(0, 1, 3, 4, 2) @ basis(self.h, tensor.device).T  # [..., w, h]
        return blocks.transpose(-1, -2).reshape(self.rows, self.width)

    def inverse(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Undo `forward`."""
        return self.back(coefficients, basis(self.h, coefficients.device), basis(self.w, coefficients.device))

    def back(self, coefficients: torch.Tensor, down: torch.Tensor, across: torch.Tensor) -> torch.Tensor:
        """Undo `forward`, with these bases instead of the cosines."""
        blocks = coefficients.reshape(-1, self.down // self.h, self.across // self.w, self.h, self.w)
        blocks = (blocks @ across).transpose(-1, -2) @ down  # [..., w, h]
        return blocks.permute(0, 1, 4, 2, 3).reshape(self.shape).contiguous()
