"""A scheme of products that multiplies two matrices."""

import numpy as np

N, M, P = 4, 4, 4


# EVOLVE-BLOCK-START
def construct(start=None):
    """Coefficients u, v, w of the products, one row each; `start` holds the best valid scheme so far, or None.

    This is the school's way: one product for every row of A, every column of B and every entry between.
    """
    return naive()


# EVOLVE-BLOCK-END


def naive():
    """The scheme of N * M * P products of single entries."""
    u, v, w = (np.zeros((N * M * P, size)) for size in (N * M, M * P, N * P))
    for r in range(N * M * P):
        i, j, k = r // (M * P), r // P % M, r % P
        u[r, i * M + j] = v[r, j * P + k] = w[r, i * P + k] = 1.0
    return {"u": u, "v": v, "w": w}
