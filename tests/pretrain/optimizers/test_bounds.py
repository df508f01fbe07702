"""What liars can do to a model with numbers of any size: no more than the bound says."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.pretrain.codec.base import Kind, Malformed
from quiltwork.pretrain.codec.dense import encode_dense
from quiltwork.pretrain.optimizers.base import root
from quiltwork.pretrain.optimizers.bounds import LARGEST, shares
from quiltwork.pretrain.optimizers.chosen import Chosen, write
from quiltwork.pretrain.optimizers.numbers import norm
from tests.pretrain.optimizers.problems import batch, make, matrix, wavy

MOST, LR = 3.0, 0.01
DIALS = {
    "adamw": {"weight_decay": 0.0},
    "demo": {"values": "floats", "chunk": 4, "kept": 4, "weight_decay": 0.0},
    "distro": {"values": "floats", "chunk": 4, "kept": 4, "weight_decay": 0.0},
    "diloco": {},
    "sparseloco": {"chunk": 8, "kept": 4},
}
PARAMETERS = matrix()
COUNT = PARAMETERS["w"].numel()


def optimizer_of(kind, most=MOST):
    return make(kind, most_times_median=most, **DIALS[kind])


def honest(kind):
    """Three updates, of one, two and three units."""
    optimizer = optimizer_of(kind)
    shared, own = optimizer.begin(PARAMETERS), optimizer.begin_own(PARAMETERS)
    return [
        (
            units,
            optimizer.local_step(PARAMETERS, shared, own, [batch(units)] * units, wavy, LR, LR).payload,
        )
        for units in (1, 2, 3)
    ]


HONEST = {kind: honest(kind) for kind in DIALS}


def lie(kind, numbers, places=0):
    """A well-formed payload with these numbers in it, as many of them as it holds."""
    optimizer, tensor = optimizer_of(kind), torch.tensor(numbers, dtype=torch.float32)
    if kind in ("adamw", "diloco"):
        return encode_dense(Kind.ADAMW if kind == "adamw" else Kind.DILOCO, [tensor.reshape(6, 8).numpy()])
    codec, layout = (
        (optimizer.codec, optimizer.layout(PARAMETERS))
        if kind == "sparseloco"
        else (optimizer.coefficients.codec, optimizer.coefficients.layout(PARAMETERS))
    )
    (rows,) = layout
    order = torch.rand(rows.rows, rows.width, generator=torch.Generator().manual_seed(places))
    where = order.topk(rows.kept, dim=1).indices.sort(dim=1).values
    if kind == "sparseloco":  # two magnitudes are all that it can send
        tensor = torch.where(
            tensor.abs() < tensor.abs().median(), tensor.abs().min(), tensor.abs().max()
        ) * torch.where(tensor < 0, -1.0, 1.0)
        tensor = tensor.abs() if (tensor == 0).any() else tensor
    values = tensor.repeat(math.ceil(rows.rows * rows.kept / COUNT))[: rows.rows * rows.kept]
    return write(codec, layout, [Chosen(where, values.reshape(rows.rows, rows.kept))])


NUMBERS = st.lists(st.floats(-LARGEST, LARGEST, width=32), min_size=COUNT, max_size=COUNT)
LIARS = st.lists(st.tuples(st.integers(1, 3), NUMBERS, st.integers(0, 99)), min_size=1, max_size=3)


def moved(kind, updates, most=MOST):
    optimizer = optimizer_of(kind, most)
    new, shared = optimizer.aggregate(PARAMETERS, optimizer.begin(PARAMETERS), updates, LR)
    assert all(tensor.isfinite().all() for tensor in (*new.values(), *shared.values()))
    return new["w"] - PARAMETERS["w"]


@pytest.mark.parametrize("kind", ["diloco", "sparseloco"])
@given(liars=LIARS, order=st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=25)
def test_liars_that_are_not_the_majority_move_the_model_no_further_than_the_bound(kind, liars, order):
    updates = HONEST[kind] + [(units, lie(kind, numbers, places)) for units, numbers, places in liars]
    order.shuffle(updates)
    if kind == "diloco":
        times = 0.7 * (1 + 0.9)
        lengths = [norm([moved(kind, [update])]) / times / update[0] for update in HONEST[kind]]
    else:
        times = 1.0
        lengths = [norm([moved(kind, [update])]) / update[0] for update in HONEST[kind]]
    bound = times * MOST * max(lengths) * 3  # units
    assert norm([moved(kind, updates)]) <= bound * 1.001 + 1e-6


@pytest.mark.parametrize("kind", ["adamw", "demo", "distro"])
@given(liars=LIARS)
@settings(deadline=None, max_examples=25)
def test_where_steps_are_of_one_length_no_number_makes_them_longer(kind, liars):
    updates = HONEST[kind] + [(units, lie(kind, numbers, places)) for units, numbers, places in liars]
    assert float(moved(kind, updates).abs().max()) <= LR * 1.001


@pytest.mark.parametrize("kind", DIALS)
@given(liars=LIARS)
@settings(deadline=None, max_examples=10)
def test_a_model_stays_a_model_even_if_all_lie(kind, liars):
    moved(kind, [(units, lie(kind, numbers, places)) for units, numbers, places in liars])


@pytest.mark.parametrize("kind", DIALS)
def test_one_that_shouts_is_not_louder_than_the_bound(kind):
    """Without the bound, the three honest would not be heard."""
    towards = HONEST[kind]
    loud = (1, lie(kind, [LARGEST * (-1) ** (place // 3) for place in range(COUNT)]))
    alone, drowned = moved(kind, towards), moved(kind, [*towards, loud], most=1.0)
    assert float((alone.sign() == drowned.sign()).float().mean()) > 0.6


@pytest.mark.parametrize("kind", DIALS)
@pytest.mark.parametrize("number", [LARGEST * 1.001, -3.4e38])
def test_numbers_that_no_update_has_are_refused(kind, number):
    optimizer, wrong = optimizer_of(kind), lie(kind, [number] * COUNT)
    with pytest.raises(Malformed, match="beyond 2"):
        optimizer.check(wrong, PARAMETERS)
    with pytest.raises(Malformed, match="beyond 2"):
        optimizer.aggregate(PARAMETERS, optimizer.begin(PARAMETERS), [(1, wrong)], LR)


@pytest.mark.parametrize("kind", DIALS)
def test_honest_updates_count_whole_to_the_last_bit(kind):
    found = set()
    for most in (MOST, 1_000.0):
        optimizer = optimizer_of(kind, most)
        new, shared = optimizer.aggregate(PARAMETERS, optimizer.begin(PARAMETERS), HONEST[kind], LR)
        found.add((root(new), root(shared)))
    assert len(found) == 1


@given(
    st.lists(st.just(0.0) | st.floats(2.0**-20, 2.0**20, width=32), min_size=1, max_size=9),
    st.floats(1, 100),
    st.randoms(use_true_random=False),
)
@settings(deadline=None, max_examples=50)
def test_shares_do_not_depend_on_the_order_and_leave_all_below_the_bound_alone(lengths, most, order):
    found = dict(zip(lengths, shares([[torch.tensor([length])] for length in lengths], most), strict=True))
    longest = most * sorted(norm([torch.tensor([length])]) for length in lengths)[(len(lengths) - 1) // 2]
    for length, share in found.items():
        assert (share == 1.0) == (norm([torch.tensor([length])]) <= longest)
        assert length * share <= longest * 1.0001
    order.shuffle(lengths)
    assert shares([[torch.tensor([length])] for length in lengths], most) == [found[length] for length in lengths]


def test_lengths_are_by_the_unit_where_more_work_goes_further():
    updates = [[torch.tensor([length])] for length in (1.0, 1.0, 8.0, 80.0)]
    assert shares(updates, 2.0) == [1.0, 1.0, 0.25, 0.025]
    assert shares(updates, 2.0, [1, 1, 8, 8]) == [1.0, 1.0, 1.0, 0.2]
    assert shares(updates[:1], 1.0) == [1.0], "who is alone is the median"
