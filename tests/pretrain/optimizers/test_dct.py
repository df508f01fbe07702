import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dctn

from quiltwork.pretrain.optimizers.dct import Chunks, block_side, dct_matrix
from tests.pretrain.optimizers import naive

SIDES = st.integers(1, 24)


@given(side=st.integers(1, 3_000), chunk=st.integers(1, 100))
@settings(deadline=None, max_examples=30)
def test_a_block_is_the_largest_divisor_that_is_allowed(side, chunk):
    found = block_side(side, chunk)
    assert side % found == 0
    assert found <= chunk
    assert not any(side % d == 0 for d in range(found + 1, min(side, chunk) + 1))


@pytest.mark.parametrize("n", [1, 2, 3, 8, 16, 64, 100])
def test_the_basis_is_orthonormal(n):
    basis = np.array(dct_matrix(n))
    assert np.allclose(basis @ basis.T, np.eye(n), atol=1e-12)


@given(height=SIDES, width=SIDES, chunk=st.integers(1, 16), seed=st.integers(0, 100))
@settings(deadline=None, max_examples=30)
def test_a_matrix_is_transformed_block_by_block_as_scipy_does(height, width, chunk, seed):
    tensor = torch.randn(height, width, generator=torch.Generator().manual_seed(seed))
    chunks = Chunks(tensor.shape, chunk)
    expected = [
        dctn(tensor.numpy()[top : top + h, left : left + w], norm="ortho").reshape(-1)
        for h, w, top, left in naive.blocks(height, width, chunk)
    ]
    assert chunks.forward(tensor).shape == (chunks.rows, chunks.width)
    assert np.allclose(chunks.forward(tensor), expected, atol=1e-5)


@given(shape=st.lists(st.integers(1, 9), max_size=4), chunk=st.integers(1, 9), seed=st.integers(0, 100))
@settings(deadline=None, max_examples=30)
def test_the_inverse_gives_back_tensors_of_any_number_of_dimensions(shape, chunk, seed):
    tensor = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    chunks = Chunks(tensor.shape, chunk)
    assert torch.allclose(chunks.inverse(chunks.forward(tensor)), tensor, atol=1e-5)


def test_a_vector_is_cut_into_pieces_and_a_stack_of_matrices_matrix_by_matrix():
    vector = torch.randn(12, generator=torch.Generator().manual_seed(1))
    pieces = Chunks(vector.shape, 4).forward(vector)
    assert np.allclose(pieces, [dctn(piece, norm="ortho") for piece in vector.numpy().reshape(3, 4)], atol=1e-6)
    stack = torch.randn(3, 6, 8, generator=torch.Generator().manual_seed(2))
    apart = [Chunks(matrix.shape, 4).forward(matrix) for matrix in stack]
    assert torch.allclose(Chunks(stack.shape, 4).forward(stack), torch.cat(apart), atol=1e-6)


def test_the_loops_agree():
    matrix = torch.randn(6, 8, generator=torch.Generator().manual_seed(3))
    rows = naive.dct(matrix.tolist(), 4)
    assert naive.close(Chunks(matrix.shape, 4).forward(matrix), rows)
    assert naive.close(matrix, naive.inverse_dct(rows, 6, 8, 4))
