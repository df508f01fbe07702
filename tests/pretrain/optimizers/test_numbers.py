import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.pretrain.optimizers.numbers import clipped, decayed, norm, stepped, total, weighted_mean


@given(st.lists(st.floats(-1e3, 1e3, width=32), max_size=70))
@settings(deadline=None, max_examples=30)
def test_the_sum_is_the_sum(values):
    assert float(total(torch.tensor(values, dtype=torch.float32))) == pytest.approx(math.fsum(values), abs=0.05)


def test_the_sum_does_not_depend_on_the_number_of_threads():
    tensor = torch.randn(1_000_003, generator=torch.Generator().manual_seed(0))
    before = torch.get_num_threads()
    found = set()
    for threads in (1, 2, 3, 8):
        torch.set_num_threads(threads)
        found.add(float(total(tensor)))
    torch.set_num_threads(before)
    assert len(found) == 1


def test_the_sum_is_taken_by_halves():
    # In fp32 these three give 0, 1 or 2, depending on the order.
    big = 2.0**25
    assert float(total(torch.tensor([big, 1.0, -big, 1.0]))) == 2.0


def test_a_long_gradient_is_shortened_and_a_short_one_is_left():
    gradients = {"a": torch.tensor([3.0]), "b": torch.tensor([[4.0]])}
    assert clipped(gradients, 5.0) is gradients
    assert norm(clipped(gradients, 1.0).values()) == pytest.approx(1.0)
    assert norm(gradients.values()) == 5.0


def test_matrices_decay_and_vectors_do_not():
    assert decayed(torch.ones(2, 2), 0.5, 0.2).tolist() == [[pytest.approx(0.9)] * 2] * 2
    vector = torch.ones(2)
    assert decayed(vector, 0.5, 0.2) is vector


@given(st.floats(-10, 10, width=32), st.floats(-10, 10, width=32), st.floats(1e-6, 1))
@settings(deadline=None, max_examples=30)
def test_a_step_is_rounded_after_the_product_and_after_the_difference(p, direction, lr):
    product = torch.tensor([direction]) * torch.tensor([lr], dtype=torch.float32)
    expected = torch.tensor([float(torch.tensor(p)) - float(product)]).to(torch.float32)  # float64: one rounding
    assert torch.equal(stepped(torch.tensor([p]), torch.tensor([direction]), lr), expected)


def test_a_mean_goes_by_the_weights():
    mean = weighted_mean([1, 3], [torch.tensor([0.0]), torch.tensor([4.0])])
    assert mean.tolist() == [3.0]
