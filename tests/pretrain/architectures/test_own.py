from __future__ import annotations

from pathlib import Path

import pytest
import torch
from blake3 import blake3
from pydantic import TypeAdapter, ValidationError

from quiltwork.pretrain.architectures import Architecture, OwnConfig, parameter_count, shapes
from quiltwork.pretrain.architectures.model import build, evaluate, gradient, parameters
from quiltwork.pretrain.architectures.own import OwnModelError

A_MODEL = """
import torch
from torch import nn

class Bigrams(nn.Module):
    def __init__(self, width, dropout=0.5):
        super().__init__()
        self.read, self.predict = nn.Embedding(16, width), nn.Linear(width, 16)
        self.drop = nn.Dropout(dropout)

    def forward(self, tokens):
        return self.predict(self.drop(self.read(tokens)))

def build_model(width=8):
    return Bigrams(width)

class Output:
    def __init__(self, logits):
        self.logits = logits

class Wrapped(Bigrams):
    def forward(self, tokens):
        return Output(super().forward(tokens))

def wrapped(seed):
    assert seed == 7
    return Wrapped(8)

def nothing(): return None
def empty(): return nn.Identity()
def whole_numbers():
    model = nn.Module()
    model.count = nn.Parameter(torch.zeros(3, dtype=torch.int64), requires_grad=False)
    return model
def frozen(): return nn.Embedding(16, 16).requires_grad_(False)
def running(): return nn.Sequential(nn.Embedding(16, 16), nn.BatchNorm1d(16))
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "mine.py"
    path.write_text(A_MODEL)
    return str(path)


def test_a_model_from_a_file_is_built_and_trained(file: str) -> None:
    config = OwnConfig(model=file, options={"width": 4})
    values = parameters(build(config, 1))
    assert {name: tuple(value.shape) for name, value in values.items()} == shapes(config)
    assert parameter_count(config) == 16 * 4 + 4 * 16 + 16
    batch = torch.arange(12).reshape(2, 6)
    found, loss = gradient(build(config, 1))(values, batch)
    assert list(found) == list(values)
    assert evaluate(build(config, 1), values, [batch]) == pytest.approx(loss, rel=1e-6)


def test_dropout_is_off_since_auditors_compute_again(file: str) -> None:
    module, batch = build(OwnConfig(model=file), 1), torch.arange(12).reshape(2, 6)
    losses = {gradient(module)(parameters(module), batch)[1] for _ in range(3)}
    assert len(losses) == 1


def test_equal_seeds_give_equal_models_and_torchs_chance_is_left_alone(file: str) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    one, same, other = (parameters(build(OwnConfig(model=file), seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["read.weight"], other["read.weight"])


def test_a_function_may_take_the_seed_and_return_what_hugging_face_returns(file: str) -> None:
    module = build(OwnConfig(model=f"{file}:wrapped"), 7)
    assert evaluate(module, parameters(module), [torch.arange(12).reshape(2, 6)]) > 0


def test_a_model_from_a_package_is_built() -> None:
    config = OwnConfig(model="torch.nn:Embedding", options={"num_embeddings": 16, "embedding_dim": 16})
    assert shapes(config) == {"weight": (16, 16)}
    assert list(parameters(build(config, 1))) == ["weight"]


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("FILE:missing", {}, r"no function missing in it; it has build_model, empty, frozen, nothing"),
        ("/nowhere/mine.py", {}, "cannot read /nowhere/mine.py: No such file"),
        ("no_such_package.models:gpt", {}, "no module named no_such_package. Install it here"),
        ("FILE", {"depth": 3}, r"model\.options do not fit build_model\(\).*depth"),
        ("FILE:nothing", {}, "returned NoneType, not a torch.nn.Module"),
        ("FILE:empty", {}, "without parameters"),
        ("FILE:whole_numbers", {}, r"count holds torch\.int64"),
        ("FILE:frozen", {}, "parameter weight is frozen"),
        ("FILE:running", {}, r"1 \(BatchNorm1d\) keeps running statistics"),
    ],
)
def test_what_cannot_be_trained_is_told(file: str, model: str, options: dict[str, int], message: str) -> None:
    with pytest.raises(OwnModelError, match=message):
        build(OwnConfig(model=model.replace("FILE", file), options=options), 1)


def test_another_file_than_the_runs_is_refused(file: str) -> None:
    right = blake3(A_MODEL.encode()).hexdigest()
    assert parameter_count(OwnConfig(model=file, blake3=right)) > 0
    with pytest.raises(OwnModelError, match=f"has the hash {right}, the run wants {'0' * 64}"):
        build(OwnConfig(model=file, blake3="0" * 64), 1)
    with pytest.raises(ValidationError, match="hash of a file"):
        OwnConfig(model="torch.nn:Embedding", blake3=right)


def test_what_a_user_writes_is_told_apart_by_kind() -> None:
    read = TypeAdapter(Architecture).validate_python
    assert type(read({"kind": "own", "model": "a.b:c"})) is OwnConfig
    with pytest.raises(ValidationError, match="'gpt', 'mla', 'own'"):
        read({"kind": "rnn"})
