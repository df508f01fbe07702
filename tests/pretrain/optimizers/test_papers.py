"""Each optimizer beside its paper's formulas, written as loops: two members, several rounds, one matrix."""

import pytest
import torch

from quiltwork.pretrain.optimizers.muon import orthogonal
from quiltwork.pretrain.optimizers.sparseloco import two_levels
from tests.pretrain.optimizers import naive
from tests.pretrain.optimizers.problems import batch, make, matrix, wavy

HEIGHT, WIDTH, ROUNDS, LR, DECAY, CLIP = 6, 8, 4, 0.05, 0.1, 3.0


def grad(p, data):
    """`wavy` of a list of lists, clipped."""
    return naive.clip(wavy({"w": torch.tensor(p)}, data)[0]["w"].tolist(), CLIP)


def mean_grad(p, batches):
    grads = [wavy({"w": torch.tensor(p)}, data)[0]["w"].tolist() for data in batches]
    return naive.clip(naive.elementwise(lambda *values: sum(values) / len(values), *grads), CLIP)


def work(number: int):
    """Batches of member 0 and of member 1, who has two units."""
    return [[batch(3 * number)], [batch(3 * number + 1), batch(3 * number + 2)]]


def run(optimizer, delay: int = 0):
    """The parameters after each round."""
    parameters = matrix(HEIGHT, WIDTH)
    shared, owns, waiting = optimizer.begin(parameters), [optimizer.begin_own(parameters)] * 2, [[]] * delay
    for number in range(ROUNDS):
        rate, before = LR * (number + 1), LR * number
        steps = [
            optimizer.local_step(parameters, shared, own, batches, wavy, rate, before)
            for own, batches in zip(owns, work(number), strict=True)
        ]
        owns = [step.own for step in steps]
        waiting = [*waiting, [(1, steps[0].payload), (2, steps[1].payload)]]
        parameters, shared = optimizer.aggregate(parameters, shared, waiting.pop(0), rate)
        yield parameters["w"]


def shrunk(p, lr):
    return naive.elementwise(lambda value: value * (1 - lr * DECAY), p)


def sign_step(p, rows, lr, chunk):
    q = naive.inverse_dct(rows, HEIGHT, WIDTH, chunk)
    return naive.elementwise(lambda p, q: p - lr * naive.sign(q), shrunk(p, lr), q)


def mean_of_senders(sent, width):
    """Weighted mean at each place over those who sent something there. `sent`: (weight, chosen rows)."""
    rows = []
    for parts in zip(*(chosen for _, chosen in sent), strict=True):
        row = []
        for place in range(width):
            votes = [(weight, part[place]) for (weight, _), part in zip(sent, parts, strict=True) if place in part]
            row.append(sum(w * v for w, v in votes) / sum(w for w, _ in votes) if votes else 0.0)
        rows.append(row)
    return rows


@pytest.mark.parametrize("values", ["floats", "signs"])
def test_demo_is_algorithm_1(values):
    chunk, k, beta = 4, 3, 0.9
    optimizer = make("demo", chunk=chunk, kept=k, beta=beta, values=values, weight_decay=DECAY, clip=CLIP)
    p, momenta = matrix(HEIGHT, WIDTH)["w"].tolist(), [[[0.0] * WIDTH] * HEIGHT] * 2
    for number, found in enumerate(run(optimizer)):
        lr, sent = LR * (number + 1), []
        for member, batches in enumerate(work(number)):
            d = naive.mixed(beta, momenta[member], lr, mean_grad(p, batches))
            chosen = [naive.top(row, k) for row in naive.dct(d, chunk)]
            back = naive.inverse_dct(naive.spread(chosen, 3 * 4), HEIGHT, WIDTH, chunk)
            momenta[member] = naive.elementwise(lambda d, q: d - q, d, back)
            if values == "signs":
                chosen = [{place: naive.sign(value) for place, value in row.items()} for row in chosen]
            sent.append((member + 1, chosen))
        p = sign_step(p, mean_of_senders(sent, 3 * 4), lr, chunk)
        assert naive.close(found, p)


def test_distro_looks_ahead_and_drops_what_it_sent_a_round_later():
    chunk, k, beta = 4, 3, 0.9
    optimizer = make("distro", chunk=chunk, kept=k, beta=beta, weight_decay=DECAY, clip=CLIP)
    zero = [[0.0] * WIDTH] * HEIGHT
    p, momenta, own_last, waiting = matrix(HEIGHT, WIDTH)["w"].tolist(), [zero] * 2, [zero] * 2, []
    for number, found in enumerate(run(optimizer, delay=1)):
        lr, previous, sent = LR * (number + 1), LR * number, []
        for member, batches in enumerate(work(number)):
            ahead = naive.mixed(1, p, -previous, naive.elementwise(naive.sign, momenta[member]))
            g = mean_grad(ahead, batches)
            d = naive.mixed(beta, naive.mixed(1, momenta[member], -1, own_last[member]), lr, g)
            chosen = [naive.top(row, k) for row in naive.dct(d, chunk)]
            own_last[member] = naive.inverse_dct(naive.spread(chosen, 3 * 4), HEIGHT, WIDTH, chunk)
            momenta[member] = d
            signs = [{place: naive.sign(value) for place, value in row.items()} for row in chosen]
            sent.append((member + 1, signs))
        waiting.append(sent)
        if number:
            p = sign_step(p, mean_of_senders(waiting.pop(0), 3 * 4), lr, chunk)
        assert naive.close(found, p)


def test_adamw_is_algorithm_2_on_the_mean_gradient():
    optimizer = make("adamw", weight_decay=DECAY, clip=CLIP)
    p, adam = matrix(HEIGHT, WIDTH)["w"].tolist(), naive.Adam(HEIGHT, WIDTH, 0.9, 0.95, 1e-8)
    for number, found in enumerate(run(optimizer)):
        lr = LR * (number + 1)
        every = [data for batches in work(number) for data in batches]  # members weigh as many units as they did
        p = adam.step(p, mean_grad(p, every), lr, DECAY)
        assert naive.close(found, p)


INNER = {"adamw": lambda: naive.Adam(HEIGHT, WIDTH, 0.9, 0.95, 1e-8), "muon": lambda: naive.Muon(HEIGHT, WIDTH, 0.95)}


def inner(p, steps, batches, lr):
    for data in batches:
        p = steps.step(p, grad(p, data), lr, DECAY)
    return p


@pytest.mark.parametrize("steps", INNER)
def test_diloco_is_algorithm_1(steps):
    optimizer = make("diloco", inner=steps, weight_decay=DECAY, clip=CLIP, outer_lr=0.7, outer_momentum=0.9)
    p = matrix(HEIGHT, WIDTH)["w"].tolist()
    members = [INNER[steps]() for _ in range(2)]
    momentum = [[0.0] * WIDTH] * HEIGHT
    for number, found in enumerate(run(optimizer)):
        ends = [inner(p, members[member], batches, LR * (number + 1)) for member, batches in enumerate(work(number))]
        change = naive.elementwise(lambda p, a, b: p - (a + 2 * b) / 3, p, *ends)
        momentum = naive.elementwise(lambda m, d: 0.9 * m + d, momentum, change)
        p = naive.elementwise(lambda p, d, m: p - 0.7 * (d + 0.9 * m), p, change, momentum)
        assert naive.close(found, p)


@pytest.mark.parametrize("steps", INNER)
def test_sparseloco_is_algorithm_1(steps):
    chunk, k, memory = 12, 4, 0.9
    optimizer = make(
        "sparseloco", inner=steps, weight_decay=DECAY, clip=CLIP, chunk=chunk, kept=k, memory=memory, outer_lr=0.8
    )
    p = matrix(HEIGHT, WIDTH)["w"].tolist()
    members = [INNER[steps]() for _ in range(2)]
    unsent = [[[0.0] * WIDTH] * HEIGHT] * 2
    for number, found in enumerate(run(optimizer)):
        changes = []
        for member, batches in enumerate(work(number)):
            end = inner(p, members[member], batches, LR * (number + 1))
            e = naive.elementwise(lambda e, p, end: memory * e + p - end, unsent[member], p, end)
            flat = [value for row in e for value in row]
            chosen = [naive.top(flat[start : start + chunk], k) for start in range(0, len(flat), chunk)]
            kept = torch.tensor([[row[place] for place in sorted(row)] for row in chosen])
            rounded = two_levels(kept).tolist()
            rows = [dict(zip(sorted(row), values, strict=True)) for row, values in zip(chosen, rounded, strict=True)]
            sent = [value for row in naive.spread(rows, chunk) for value in row]
            sent = [sent[start : start + WIDTH] for start in range(0, len(sent), WIDTH)]
            unsent[member] = naive.elementwise(lambda e, c: e - c, e, sent)
            changes.append(sent)
        p = naive.elementwise(lambda p, a, b: p - 0.8 * (a + 2 * b) / 3, p, *changes)
        assert naive.close(found, p)


def test_two_levels_halve_the_error_of_one_and_keep_the_signs():
    values = torch.randn(64, 16, generator=torch.Generator().manual_seed(5))
    rounded = two_levels(values)
    assert torch.equal(rounded.sign(), values.sign())
    assert len(rounded.abs().unique()) == 2
    one = values.sign() * values.abs().mean()
    assert (values - rounded).square().sum() < 0.5 * (values - one).square().sum()


@pytest.mark.parametrize("values", [[[2.0, -2.0]], [[0.1] * 7], [[0.0, 0.0]]])
def test_equal_magnitudes_are_one_level(values):
    assert torch.allclose(two_levels(torch.tensor(values)), torch.tensor(values))


@pytest.mark.parametrize("shape", [(6, 8), (8, 6), (5, 5), (2, 4, 6)])
def test_an_orthogonal_matrix_has_the_same_directions_and_all_of_about_the_same_strength(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(4))
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    strengths = u.mT @ orthogonal(matrix) @ v.mT
    diagonal = strengths.diagonal(dim1=-2, dim2=-1)
    assert ((diagonal > 0.6) & (diagonal < 1.3)).all()
    assert torch.allclose(strengths, torch.diag_embed(diagonal), atol=1e-4)


def test_a_matrix_without_a_gradient_does_not_move():
    assert not orthogonal(torch.zeros(3, 4)).any()


def test_with_muon_embeddings_and_vectors_take_adamws_steps():
    parameters = {"embed.w": torch.ones(4, 6), "other.w": torch.ones(4, 6), "scale": torch.ones(6)}
    ends = {}
    for steps in INNER:
        optimizer = make("diloco", inner=steps)
        own = optimizer.begin_own(parameters)
        step = optimizer.local_step(parameters, optimizer.begin(parameters), own, [batch(1)], wavy, 0.1, 0.0)
        ends[steps] = optimizer.aggregate(parameters, optimizer.begin(parameters), [(1, step.payload)], 0.1)[0]
    assert torch.equal(ends["adamw"]["embed.w"], ends["muon"]["embed.w"])
    assert torch.equal(ends["adamw"]["scale"], ends["muon"]["scale"])
    assert not torch.allclose(ends["adamw"]["other.w"], ends["muon"]["other.w"])
