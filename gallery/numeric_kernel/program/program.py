"""A numeric kernel: steps of a reaction between two substances that diffuse on a torus."""

import numpy as np


# EVOLVE-BLOCK-START
def kernel(u, v, steps, feed, kill):
    """`steps` steps of the Gray-Scott reaction (Pearson 1993) on a torus; returns both concentrations, (rows, columns)."""
    for _ in range(steps):
        around_u = np.roll(u, 1, 0) + np.roll(u, -1, 0) + np.roll(u, 1, 1) + np.roll(u, -1, 1) - 4.0 * u
        around_v = np.roll(v, 1, 0) + np.roll(v, -1, 0) + np.roll(v, 1, 1) + np.roll(v, -1, 1) - 4.0 * v
        reaction = u * v * v
        u = u + 0.16 * around_u - reaction + feed * (1.0 - u)
        v = v + 0.08 * around_v + reaction - (feed + kill) * v
    return [u, v]


# EVOLVE-BLOCK-END
