import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.pretrain.codec.base import Malformed
from quiltwork.pretrain.codec.subsets import Subsets, limits_of, subsets


def rank(chosen) -> int:
    """The formula, in Python's whole numbers."""
    return sum(math.comb(int(c), j) for j, c in enumerate(chosen, start=1))


def number(bits) -> int:
    return sum(int(bit) << i for i, bit in enumerate(bits))


def draw(seed: int, rows: int, width: int, kept: int):
    order = np.random.default_rng(seed).random((rows, width)).argsort(axis=1)
    return np.sort(order[:, :kept], axis=1).astype(np.int64)


@pytest.mark.parametrize(("width", "kept"), [(1, 1), (5, 2), (8, 8), (9, 4), (12, 1)])
def test_every_subset_has_one_rank_and_every_rank_one_subset(width, kept):
    every = np.array(list(combinations(range(width), kept)), dtype=np.int64)
    coder = subsets(width, kept)
    bits = coder.encode(every)
    assert sorted(map(number, bits)) == list(range(math.comb(width, kept)))
    assert (coder.decode(bits) == every).all()


@given(seed=st.integers(0, 2**32), width=st.integers(1, 4_096), share=st.floats(0, 1), rows=st.integers(0, 40))
@settings(deadline=None, max_examples=30)
def test_ranks_follow_the_formula_and_lead_back(seed, width, share, rows):
    kept = 1 + int(share * min(width - 1, 70))
    coder = Subsets(width, kept)
    indices = draw(seed, rows, width, kept)
    bits = coder.encode(indices)
    assert bits.shape == (rows, (math.comb(width, kept) - 1).bit_length())
    assert [number(row) for row in bits] == [rank(row) for row in indices]
    assert (coder.decode(bits) == indices).all()


@pytest.mark.parametrize(("width", "kept"), [(256, 12), (4_096, 8), (4_096, 32), (65_536, 4), (64, 16)])
def test_the_first_the_last_and_their_neighbours_lead_back(width, kept):
    coder, count = subsets(width, kept), math.comb(width, kept)
    ends = [0, 1, 2, count - 3, count - 2, count - 1]
    # where the largest index changes: the rounded search is closest to being wrong there
    edges = [math.comb(c, kept) + step for c in range(kept, width, max(1, width // 200)) for step in (-1, 0, 1)]
    ranks = [value for value in ends + edges if 0 <= value < count]
    bits = np.array([[value >> i & 1 for i in range(coder.bits)] for value in ranks], dtype=np.uint8)
    indices = coder.decode(bits)
    assert [rank(row) for row in indices] == ranks
    assert (np.diff(indices, axis=1) > 0).all()
    assert (coder.encode(indices) == bits).all()


@given(value=st.integers(0, 2**81 - 1))
@settings(deadline=None, max_examples=30)
def test_a_number_is_a_rank_or_refused(value):
    coder = subsets(4_096, 8)
    bits = np.array([[value >> i & 1 for i in range(coder.bits)]], dtype=np.uint8)
    if value < coder.count:
        assert rank(coder.decode(bits)[0]) == value
    else:
        with pytest.raises(Malformed, match="8 of 4096"):
            coder.decode(bits)


@pytest.mark.parametrize(("width", "kept"), [(4, 0), (4, 5), (1 << 17, 2), (4_096, 2_048), (65_536, 70)])
def test_what_would_take_too_much_is_refused(width, kept):
    assert limits_of(width, kept)
    with pytest.raises(ValueError, match=str(kept)):
        Subsets(width, kept)
