"""The rank of a matrix multiplication tensor (AlphaEvolve, table of <n, m, p>): products counted, the identity exact."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from quiltwork.evolve import Certificate, InvalidScore, Score

from .tensor import mended, of_multiplication, of_scheme

N, M, P = 4, 4, 4
MOST_PRODUCTS = 4 * N * M * P
LARGEST = 64
"""No coefficient of a construction is larger; with it, no sum of integers comes near 2**63."""

SIZES = {"u": N * M, "v": M * P, "w": N * P}
TENSOR = of_multiplication(N, M, P)


def evaluate(candidate):
    """Count products, those included that mend what the scheme lacks: whatever comes back is scored as a valid scheme."""
    given = in_halves(candidate.construct("construct"))
    scheme, added = mended(given, TENSOR)
    if max(np.abs(factor).max() for factor in scheme) > 2 * LARGEST:
        raise InvalidScore(f"what the scheme lacks needs coefficients above {LARGEST}; too much of it is wrong")
    rank = len(scheme[0])
    kinds = kind_of(scheme)
    full = [float(factor.any(axis=2).mean()) for factor in scheme]
    return Score(
        metrics={"rank": float(rank), "added": float(added)},
        descriptors={"rank": float(rank), "full": float(np.mean(full))},
        artifacts={
            "feedback.txt": f"{rank - added} products of the scheme that are not zero, and {added} added for what it lacked: "
            f"{rank}. Coefficients are {kinds}; {100 * full[0]:.0f} % of those in A are not zero, {100 * full[1]:.0f} % in B, "
            f"{100 * full[2]:.0f} % in C"
        },
        construction={name: as_numbers(factor) for name, factor in zip(SIZES, scheme, strict=True)},
    )


def in_halves(reply):
    """The three factors as twice their values, whole Gaussian numbers; raises `InvalidScore` for anything else."""
    if not isinstance(reply, dict) or set(reply) != set(SIZES):
        raise InvalidScore(
            'construct() must return {"u": ..., "v": ..., "w": ...}: one row of coefficients per product'
        )
    factors = [_factor(reply[name], name, size) for name, size in SIZES.items()]
    if len({len(factor) for factor in factors}) != 1:
        raise InvalidScore("u, v and w must have as many rows as each other: one per product")
    return tuple(factors)


def _factor(reply, name, size):
    wanted = f"{name} must be rows of {size} numbers, at most {MOST_PRODUCTS} of them"
    if isinstance(reply, list):
        reply = np.array(reply, dtype=np.float64) if _is_table(reply, size) else None
    if isinstance(reply, np.ndarray) and reply.size == 0:
        return np.zeros((0, size, 2), dtype=np.int64)
    if not isinstance(reply, np.ndarray) or reply.dtype.kind not in "iufc" or reply.ndim != 2 or reply.shape[1] != size:
        raise InvalidScore(wanted)
    if len(reply) > MOST_PRODUCTS:
        raise InvalidScore(f"{wanted}, not {len(reply)}")
    parts = np.stack([reply.real, reply.imag], axis=-1).astype(np.float64)
    if not np.isfinite(parts).all() or np.abs(parts).max() > LARGEST or (2.0 * parts % 1.0).any():
        raise InvalidScore(
            f"{name} must hold whole or half numbers (or Gaussian ones) of at most {LARGEST}, exactly: round them"
        )
    return (2.0 * parts).astype(np.int64)


def _is_table(rows, size):
    return all(
        isinstance(row, list) and len(row) == size and all(type(x) in (int, float) and abs(x) <= LARGEST for x in row)
        for row in rows
    )


def as_numbers(factor):
    """A factor as an array of floats, or of complex numbers where it has imaginary parts."""
    return (factor[..., 0] + 1j * factor[..., 1]) / 2.0 if factor[..., 1].any() else factor[..., 0] / 2.0


def kind_of(scheme):
    """What numbers the coefficients are, in words."""
    gaussian = any(factor[..., 1].any() for factor in scheme)
    half = any((factor % 2).any() for factor in scheme)
    return f"{'half-integers' if half else 'integers'}{', some with imaginary parts' if gaussian else ''}"


def certify(construction) -> Certificate:
    """A valid scheme, its coefficients doubled, as pairs of real and imaginary parts; raises `InvalidScore` for another."""
    scheme = in_halves(construction)
    if (of_scheme(scheme) != TENSOR).any():
        raise InvalidScore("the scheme does not multiply matrices")
    rank = len(scheme[0])
    claim = f"{rank} products ({kind_of(scheme)}) multiply a {N} x {M} matrix with a {M} x {P} matrix, over any entries"
    data = {name: factor.tolist() for name, factor in zip(SIZES, scheme, strict=True)}
    return Certificate(Fraction(rank), claim, {"doubled": data})
