"""Muon's direction: the momentum of a matrix, made orthogonal (Jordan et al., "Muon", 2024; its scale from arXiv 2502.16982).

m <- mu m + g
o <- U V^T, where g + mu m = U S V^T            approximately, by five Newton-Schulz steps
direction = 0.2 sqrt(max(height, width)) o      as long as AdamW's usually is: one learning rate serves both
"""

from __future__ import annotations

import torch

STEPS = 5
COEFFICIENTS = 3.4445, -4.7750, 2.0315
"""Of the odd polynomial a s + b s^3 + c s^5: five steps bring every s from 0.002 to 1 to between 0.6 and 1.2 (Jordan)."""


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """Bring the singular values near 1, all but the smallest: [..., height, width] -> the same."""
    a, b, c = COEFFICIENTS
    tall = matrix.shape[-2] > matrix.shape[-1]
    x = matrix.transpose(-1, -2) if tall else matrix
    x = x / (x.square().sum(dim=(-2, -1), keepdim=True).sqrt() + 1e-7)
    for _ in range(STEPS):
        gram = x @ x.transpose(-1, -2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.transpose(-1, -2) if tall else x).contiguous()


def muon(gradient: torch.Tensor, momentum: torch.Tensor, mu: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Give the direction of a matrix and its new momentum."""
    momentum = mu * momentum + gradient
    return 0.2 * max(gradient.shape[-2:]) ** 0.5 * orthogonal(gradient + mu * momentum), momentum
