"""How alike the states of two computations of one step are: what an audit compares beside the updates."""

import pytest
import torch

from quiltwork.pretrain.optimizers.base import steps_alike, zeros
from tests.pretrain.optimizers.problems import KINDS, batch, make, matrix, wavy

SENDING = {"demo": {"chunk": 4, "kept": 4}, "demo_exact": {"chunk": 4, "kept": 4}, "distro": {"chunk": 4, "kept": 4}}


def twice(kind, change=lambda gradients: gradients):
    """A step after two others, and the same with changed gradients: before, (mine, theirs), (my update, theirs)."""
    optimizer, parameters = make(kind, **SENDING.get(kind, {})), matrix()
    shared, own = optimizer.begin(parameters), optimizer.begin_own(parameters)
    for number in (1, 2):
        own = optimizer.local_step(parameters, shared, own, [batch(number)], wavy, 0.01, 0.01).own

    def changed(values, data):
        gradients, loss = wavy(values, data)
        return change(gradients), loss

    steps = [optimizer.local_step(parameters, shared, own, [batch(3)], g, 0.01, 0.01) for g in (wavy, changed)]
    return optimizer, parameters, own, steps


def likeness(optimizer, parameters, own, steps):
    mine, theirs = steps
    return optimizer.compare_states(own, mine.own, theirs.own, (mine.payload, theirs.payload), parameters)


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_is_like_itself(kind):
    assert likeness(*twice(kind)) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "adamw"])
def test_other_gradients_leave_other_states(kind):
    assert likeness(*twice(kind, lambda gradients: {"w": gradients["w"].roll(1, 1)})) < 0.5


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "adamw"])
def test_a_state_that_was_bent_is_seen_by_the_length_of_the_step(kind):
    optimizer, parameters, own, (mine, theirs) = twice(kind)
    bent = {name: tensor + 0.05 * tensor.norm() * torch.ones_like(tensor) for name, tensor in theirs.own.items()}
    found = optimizer.compare_states(own, mine.own, bent, (mine.payload, theirs.payload), parameters)
    assert found < 0.9


@pytest.mark.parametrize("kind", ["demo", "demo_exact"])
def test_which_of_two_equal_coefficients_was_sent_is_of_no_account(kind):
    """The two lie at the border of what is sent, and rounding decides: the states differ by a whole coefficient."""
    optimizer, parameters = make(kind, chunk=4, kept=1, beta=0.5), {"w": torch.zeros(4, 4)}
    chunks = optimizer.coefficients.chunks(parameters["w"])
    own, steps = zeros(parameters), []
    for larger in (1, 2):
        rows = torch.linspace(0.01, 0.1, 16).reshape(1, 16)
        rows[0, 1:3] = 1.0
        rows[0, larger] += 1e-6
        gradients = {"w": chunks.inverse(rows)}
        given = lambda values, data, gradients=gradients: (gradients, 0.0)  # noqa: E731
        steps.append(optimizer.local_step(parameters, {}, own, [batch(1)], given, 1.0, 1.0))
    assert optimizer.compare(steps[0].payload, steps[1].payload, parameters) == 0.0
    assert steps_alike(own, steps[0].own, steps[1].own) < 0.5
    assert likeness(optimizer, parameters, own, steps) > 0.99


@pytest.mark.parametrize("kind", ["demo", "demo_exact"])
def test_nothing_can_be_hidden_where_something_was_sent(kind):
    optimizer, parameters, own, (mine, theirs) = twice(kind)
    chunks = optimizer.coefficients.chunks(parameters["w"])
    places = optimizer.coefficients.decode(theirs.payload, parameters)["w"]
    hidden = {"w": theirs.own["w"] + chunks.inverse(places.spread(chunks.width))}
    assert optimizer.compare_states(own, mine.own, hidden, (mine.payload, theirs.payload), parameters) < 0.5


@pytest.mark.parametrize("kind", ["demo", "sparseloco", "diloco", "adamw"])
def test_who_sends_the_right_signs_too_loudly_is_not_alike(kind):
    dials = {"kept": 4, "values": "floats"} if kind == "demo" else {}
    optimizer, parameters = make(kind, **dials), matrix()
    shared, own = optimizer.begin(parameters), optimizer.begin_own(parameters)
    lr, loud = (0.01, 0.02) if kind != "adamw" else (1.0, 1.0)
    by = 2.0 if kind == "adamw" else 1.0

    def louder(values, data):
        gradients, loss = wavy(values, data)
        return {name: g * by for name, g in gradients.items()}, loss

    plain = optimizer.local_step(parameters, shared, own, [batch(1)], wavy, lr, 0.0)
    twice = optimizer.local_step(parameters, shared, own, [batch(1)], louder, loud, 0.0)
    assert optimizer.compare(plain.payload, twice.payload, parameters) < 0.7
    assert optimizer.compare(plain.payload, plain.payload, parameters) == 1.0


def test_likeness_goes_from_nothing_to_all():
    before, after = {"w": torch.zeros(2)}, {"w": torch.tensor([3.0, 4.0])}
    assert steps_alike(before, after, {"w": torch.tensor([3.0, 3.0])}) == pytest.approx(0.8)
    assert steps_alike(before, after, {"w": torch.tensor([-30.0, 4.0])}) == 0.0
    assert steps_alike(before, before, before) == 1.0
    assert steps_alike(before, before, after) == 0.0
    assert steps_alike({}, {}, {}) == 1.0
