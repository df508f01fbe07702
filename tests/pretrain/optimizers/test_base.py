import subprocess
import sys

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from quiltwork.pretrain.optimizers.base import group, joined, root
from quiltwork.pretrain.optimizers.config import OptimizerConfig

TENSORS = {"a": torch.tensor([[1.0, 2.0]]), "b": torch.tensor([3.0])}


def test_a_root_is_what_it_has_always_been():
    assert root(TENSORS).hex() == "59dae1fbf9aa9b3b92950ab4785e287e08639c8e80fcc231f50feba196cb422e"
    assert root({}).hex() == "c2d19597210145607d9498b03fe2ae088c81194da21c5ee6469d521c84754432"


def test_a_root_does_not_depend_on_the_order_or_the_layout_in_memory():
    assert root(dict(reversed(TENSORS.items()))) == root(TENSORS)
    assert root({**TENSORS, "a": torch.tensor([[1.0], [2.0]]).T}) == root(TENSORS)


@pytest.mark.parametrize(
    "other",
    [
        {**TENSORS, "b": torch.tensor([-3.0])},
        {**TENSORS, "b": torch.tensor([[3.0]])},
        {**TENSORS, "b": torch.tensor([3.0], dtype=torch.float64)},
        {"a": TENSORS["a"], "c": TENSORS["b"]},
        {"a": TENSORS["a"]},
        {**TENSORS, "a": torch.tensor([[1.0], [2.0]])},
        {**TENSORS, "c": torch.tensor([])},
    ],
)
def test_a_root_tells_tensors_apart(other):
    assert root(other) != root(TENSORS)


def test_zero_and_minus_zero_have_different_roots():
    assert root({"a": torch.tensor([0.0])}) != root({"a": torch.tensor([-0.0])})


def test_groups_of_a_state_come_apart_as_they_were_joined():
    state = joined(moments=joined(first=TENSORS), unsent=TENSORS)
    assert list(state) == ["moments/first/a", "moments/first/b", "unsent/a", "unsent/b"]
    assert group(group(state, "moments"), "first") == TENSORS


def test_every_dial_says_what_it_is():
    for kind in OptimizerConfig.__origin__.__args__:
        for name, field in kind.model_fields.items():
            assert name == "kind" or field.description, f"{kind.__name__}.{name}"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"kind": "sgd"}, "kind"),
        ({"kind": "demo", "beta": 1.0}, "beta"),
        ({"kind": "demo", "lr": 1.0}, "lr"),
        ({"kind": "demo", "chunk": 256, "kept": 4_096}, "bits a row"),
        ({"kind": "sparseloco", "chunk": 4_096, "kept": 2_048}, "bits a row"),
        ({"kind": "demo_exact", "values": "floats"}, "values"),
    ],
)
def test_what_cannot_work_is_refused(written, said):
    with pytest.raises(ValidationError, match=said):
        TypeAdapter(OptimizerConfig).validate_python(written)


def test_a_configuration_is_read_without_torch():
    code = "import sys, quiltwork.pretrain.optimizers.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
