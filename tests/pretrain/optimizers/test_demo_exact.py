import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.errors import UserError
from quiltwork.pretrain.optimizers.base import root
from quiltwork.pretrain.optimizers.dct import Chunks, dct_matrix
from quiltwork.pretrain.optimizers.demo_exact import LARGEST, MOST_VOTES_IN_FP32, direction, whole_basis
from tests.pretrain.optimizers import naive
from tests.pretrain.optimizers.problems import batch, make, matrix, wavy

SHAPE = {"v": torch.ones(40), "w": torch.randn(32, 48, generator=torch.Generator().manual_seed(1))}


def updates_of(optimizer, parameters, members: int, gradient=wavy, weights=None):
    own = optimizer.begin_own(parameters)
    return [
        (
            (weights or [1] * members)[member],
            optimizer.local_step(parameters, {}, own, [batch(member)], gradient, 0.01, 0.0).payload,
        )
        for member in range(members)
    ]


OPTIMIZER = make("demo_exact", chunk=16, kept=12)
UPDATES = updates_of(OPTIMIZER, SHAPE, 6, weights=[1, 2, 3, 1, 1, 4])


@given(order=st.permutations(range(6)))
@settings(deadline=None, max_examples=12)
def test_any_order_of_updates_gives_the_same_bits(order):
    expected = root(OPTIMIZER.aggregate(SHAPE, {}, UPDATES, 0.01)[0])
    assert root(OPTIMIZER.aggregate(SHAPE, {}, [UPDATES[i] for i in order], 0.01)[0]) == expected


@given(weights=st.lists(st.integers(1, 30), min_size=3, max_size=3), threads=st.sampled_from([1, 2, 5]))
@settings(deadline=None, max_examples=12)
def test_a_weight_is_that_many_votes_with_any_number_of_threads(weights, threads):
    """30 units of 3 members are beyond what fp32 counts, so both paths are met."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    weighed = [(weight, payload) for weight, (_, payload) in zip(weights, UPDATES, strict=False)]
    apart = [(1, payload) for weight, payload in weighed for _ in range(weight)]
    found = {root(OPTIMIZER.aggregate(SHAPE, {}, updates, 0.01)[0]) for updates in (weighed, apart[::-1])}
    torch.set_num_threads(before)
    assert len(found) == 1


@given(seed=st.integers(0, 2**32), most=st.integers(1, 86), kept=st.integers(1, 12))
@settings(deadline=None, max_examples=12)
def test_fp32_and_whole_numbers_give_the_same_signs_as_python(seed, most, kept):
    random = torch.Generator().manual_seed(seed)
    chunks = Chunks(torch.Size((4, 12)), 6)
    votes = torch.zeros(chunks.rows, chunks.width, dtype=torch.int64)
    for _ in range(most):  # each voter: `kept` places, all with one sign
        places = torch.rand(chunks.rows, chunks.width, generator=random).argsort(1)[:, :kept]
        sign = 2 * torch.randint(0, 2, (1,), generator=random) - 1
        votes.scatter_add_(1, places, sign.expand_as(places))
    fast = direction(votes, chunks, MOST_VOTES_IN_FP32)
    slow = direction(votes, chunks, MOST_VOTES_IN_FP32 + 1)
    assert torch.equal(fast, slow)
    down, across = whole_basis(chunks.h).tolist(), whole_basis(chunks.w).tolist()
    for row, (h, w, top, left) in zip(votes.tolist(), naive.blocks(4, 12, 6), strict=True):
        for y in range(h):
            for x in range(w):
                q = sum(row[i * w + j] * down[i][y] * across[j][x] for i in range(h) for j in range(w))
                assert fast[top + y, left + x] == naive.sign(q)


def test_at_the_bound_a_sum_is_still_exact_and_beyond_it_integers_take_over():
    assert MOST_VOTES_IN_FP32 == 1_056
    assert MOST_VOTES_IN_FP32 * LARGEST**2 < 2**24 <= (MOST_VOTES_IN_FP32 + 1) * LARGEST**2
    # Two sums that fp32 would take for equal: 2^24 and 2^24 + 1 are one number in it.
    chunks = Chunks(torch.Size((1, 1)), 1)
    assert whole_basis(1).tolist() == [[LARGEST]]
    votes = torch.tensor([[1]])
    assert direction(votes, chunks, MOST_VOTES_IN_FP32).item() == 1.0


def test_members_that_compute_in_bf16_hold_the_same_model():
    """What members send differs; what they make of the same payloads does not."""

    def rough(parameters, data):
        gradients, loss = wavy({name: p.bfloat16() for name, p in parameters.items()}, data)
        return {name: g.float() for name, g in gradients.items()}, loss

    models, owns = [SHAPE, SHAPE], [OPTIMIZER.begin_own(SHAPE)] * 2
    for number in range(4):
        steps = [
            OPTIMIZER.local_step(models[member], {}, owns[member], [batch(number)], compute, 0.01, 0.01)
            for member, compute in enumerate((wavy, rough))
        ]
        assert steps[0].payload != steps[1].payload
        owns = [step.own for step in steps]
        updates = [(1, step.payload) for step in steps]
        models[0] = OPTIMIZER.aggregate(models[0], {}, updates, 0.01)[0]
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=False):
            models[1] = OPTIMIZER.aggregate(models[1], {}, updates[::-1], 0.01)[0]
        assert root(models[0]) == root(models[1])


@pytest.mark.parametrize("n", [*range(1, 65), 96, 100, 128, 256])
def test_no_entry_of_the_whole_basis_is_close_to_rounding_the_other_way(n):
    """So that a cosine that differs in its last bit gives the same whole number."""
    largest = max(abs(entry) for row in dct_matrix(n) for entry in row)
    fractions = [abs(LARGEST * entry / largest) % 1 for row in dct_matrix(n) for entry in row]
    assert min(abs(fraction - 0.5) for fraction in fractions) > 1e-9
    assert int(whole_basis(n).abs().max()) == LARGEST


def test_signs_agree_with_the_float_transform():
    exact, published = make("demo_exact"), make("demo")
    random = torch.Generator().manual_seed(2)
    large = {"w": torch.randn(256, 256, generator=random)}
    noise = [torch.randn(256, 256, generator=random) for _ in range(4)]
    own = exact.begin_own(large)

    def gradient(parameters, data):
        return {"w": noise[int(data[0, 0])]}, 0.0

    steps = [exact.local_step(large, {}, own, [batch(member)], gradient, 0.01, 0.0) for member in range(4)]
    theirs = [published.local_step(large, {}, own, [batch(member)], gradient, 0.01, 0.0) for member in range(4)]
    a = exact.aggregate(large, {}, [(1, step.payload) for step in steps], 0.01)[0]["w"]
    b = published.aggregate(large, {}, [(1, step.payload) for step in theirs], 0.01)[0]["w"]
    # DeMo averages over those who sent a coefficient, votes are added up: the signs differ where they outvote each other.
    assert (a == b).float().mean() > 0.9


def test_rounded_products_of_matrices_are_refused():
    torch.set_float32_matmul_precision("medium")
    try:
        with pytest.raises(UserError, match="highest"):
            OPTIMIZER.aggregate(SHAPE, {}, UPDATES, 0.01)
    finally:
        torch.set_float32_matmul_precision("highest")


def test_one_member_steps_by_the_sign_of_what_it_sent():
    parameters = matrix()
    optimizer = make("demo_exact", chunk=4, kept=2, weight_decay=0.0)
    (update,) = updates_of(optimizer, parameters, 1)
    new, _ = optimizer.aggregate(parameters, {}, [update], 0.5)
    moved = (new["w"] - parameters["w"]).abs()
    assert ((moved - 0.5).abs() < 1e-6).logical_or(moved == 0).all()
