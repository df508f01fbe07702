"""Schemes of products for multiplying matrices, in exact arithmetic: what they compute, what they miss, and how to add it.

A scheme of R products for <n, m, p> multiplies an (n, m) matrix A with an (m, p) matrix B: product r is (a sum of entries of A
with coefficients u[r]) times (the same of B with v[r]), and is added to the entries of C with coefficients w[r]. It is valid
when the tensor sum of u[r] x v[r] x w[r] is the tensor of matrix multiplication: Brent's equations (1970), an identity.

Coefficients are Gaussian half-integers, kept twice as large, as pairs of integers: arrays (R, entries, 2) of real and imaginary
parts. All sums below are of integers far from overflow.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Factors = NDArray[np.int64]
"""(R, entries, 2): twice the real and imaginary parts of the coefficients of one matrix in every product."""

Scheme = tuple[Factors, Factors, Factors]
"""u, v and w: coefficients in A, B and C, each matrix row by row."""

Tensor = NDArray[np.int64]
"""(entries of A, entries of B, entries of C, 2): eight times a tensor's real and imaginary parts."""


def times(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    """Products of Gaussian integers, with broadcasting; the last axis holds real and imaginary parts."""
    real = a[..., 0] * b[..., 0] - a[..., 1] * b[..., 1]
    imaginary = a[..., 0] * b[..., 1] + a[..., 1] * b[..., 0]
    return np.stack([real, imaginary], axis=-1)


def of_scheme(scheme: Scheme) -> Tensor:
    """Eight times what the scheme computes."""
    u, v, w = scheme
    pairs = times(u[:, :, None, :], v[:, None, :, :])
    real = np.einsum("rab,rc->abc", pairs[..., 0], w[..., 0]) - np.einsum("rab,rc->abc", pairs[..., 1], w[..., 1])
    imaginary = np.einsum("rab,rc->abc", pairs[..., 0], w[..., 1]) + np.einsum("rab,rc->abc", pairs[..., 1], w[..., 0])
    return np.stack([real, imaginary], axis=-1)


def of_multiplication(n: int, m: int, p: int) -> Tensor:
    """Eight times the tensor of <n, m, p>."""
    tensor = np.zeros((n * m, m * p, n * p, 2), dtype=np.int64)
    for i in range(n):
        for j in range(m):
            for k in range(p):
                tensor[i * m + j, j * p + k, i * p + k, 0] = 8
    return tensor


def mended(scheme: Scheme, tensor: Tensor) -> tuple[Scheme, int]:
    """The scheme without zero products, and with as many elementary ones as the tensor lacks; returns their number too.

    What is missing is split in lines along the axis that needs the fewest. A line e_a x e_b x (its values) is one product: with
    coefficients 1/2, 1/2 and four times the values, all of them half-integers.
    """
    alive = np.all([factor.any(axis=(1, 2)) for factor in scheme], axis=0)
    scheme = scheme[0][alive], scheme[1][alive], scheme[2][alive]
    missing = tensor - of_scheme(scheme)
    lines = [np.argwhere(np.moveaxis(missing, axis, 2).any(axis=(2, 3))) for axis in range(3)]
    axis = min(range(3), key=lambda candidate: len(lines[candidate]))
    added = [np.zeros((len(lines[axis]), size, 2), dtype=np.int64) for size in tensor.shape[:3]]
    values = np.moveaxis(missing, axis, 2)
    first, second = (other for other in range(3) if other != axis)
    for row, (a, b) in enumerate(lines[axis]):
        added[first][row, a, 0] = added[second][row, b, 0] = 1
        added[axis][row] = values[a, b]
        if not (added[axis][row] % 4).any():
            added[first][row, a, 0] = added[second][row, b, 0] = 2
            added[axis][row] //= 4
    u, v, w = (np.concatenate([given, new]) for given, new in zip(scheme, added, strict=True))
    return (u, v, w), len(lines[axis])
