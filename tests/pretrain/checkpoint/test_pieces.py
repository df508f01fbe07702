from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.blobs import BlobMissing, FolderBlobs, MemoryBlobs
from quiltwork.pretrain.architectures import GptConfig, shapes
from quiltwork.pretrain.architectures.model import build, parameters
from quiltwork.pretrain.checkpoint import CheckpointError, load, manifest, pieces, read_manifest, save, write_manifest
from quiltwork.pretrain.checkpoint.manifest import WIDTHS, Manifest
from quiltwork.pretrain.optimizers.base import joined, root

SMALL = GptConfig(vocabulary=64, context=32, hidden=32, layers=2, heads=4, mlp_hidden=48)


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a small model has tensors of several pieces."""
    monkeypatch.setattr(manifest, "PIECE_BYTES", 4_096)
    monkeypatch.setattr(pieces, "PIECE_BYTES", 4_096)


def a_model(seed: int = 1) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    values = parameters(build(SMALL, seed))
    return values, {f"momentum/{name}": torch.randn_like(value) for name, value in values.items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return list(one) == list(other) and all(
        torch.equal(one[name], other[name]) and one[name].dtype == other[name].dtype for name in one
    )


def changed(found: Manifest, **fields: object) -> Manifest:
    return msgspec.structs.replace(found, **fields)


def test_a_model_comes_back_bit_for_bit_from_a_folder_of_blobs(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path)
    values, shared = a_model()
    saved = save(values, shared, round=7, put=blobs.put, about={"run": "a-run"})
    found = read_manifest(blobs.get(saved.id))
    loaded = load(found, blobs.get)
    assert same(loaded.parameters, values)
    assert same(loaded.shared, shared)
    assert (found.round, found.about) == (7, {"run": "a-run"})
    assert found.model == saved.model == root(joined(parameters=values, shared=shared))
    assert saved.manifest_size == len(blobs.get(saved.id))
    assert saved.size == found.size == sum(4 * value.numel() for value in [*values.values(), *shared.values()])


def test_large_tensors_move_in_pieces_of_a_bounded_size() -> None:
    blobs = MemoryBlobs()
    values, _ = a_model()
    found = read_manifest(blobs.get(save(values, {}, round=0, put=blobs.put).id))
    listed = list(found.pieces())
    assert len(listed) > len(values)
    assert all(size <= 4_096 and len(blobs.get(id)) == size for id, size in listed)
    assert len({id for id, _ in listed}) == len(listed)  # tensors of ones are one piece
    embedding = next(held for held in found.tensors if held.name == "parameters/model.embed_tokens.weight")
    assert [size for _, size in embedding.sizes()] == [4_096, 4_096]


def test_what_did_not_change_is_not_sent_again() -> None:
    blobs = MemoryBlobs()
    values, shared = a_model()
    before = dict(read_manifest(blobs.get(save(values, shared, round=1, put=blobs.put).id)).pieces())
    values["model.embed_tokens.weight"] = values["model.embed_tokens.weight"].clone()
    values["model.embed_tokens.weight"][-1, -1] += 1
    after = dict(read_manifest(blobs.get(save(values, shared, round=2, put=blobs.put).id)).pieces())
    assert len(after.keys() - before.keys()) == 1


tensors = st.builds(
    lambda dtype, shape, seed: torch.randn(shape, generator=torch.Generator().manual_seed(seed)).mul(100).to(dtype),
    st.sampled_from([getattr(torch, name) for name in WIDTHS if name != "bfloat16"]),
    st.lists(st.integers(0, 5), max_size=3),
    st.integers(0, 9),
)


@settings(max_examples=40, deadline=None)
@given(
    values=st.dictionaries(st.text(min_size=1, max_size=4), tensors, max_size=4),
    shared=st.dictionaries(st.text(min_size=1, max_size=4), tensors, max_size=4),
)
def test_tensors_of_any_type_and_shape_come_back(
    values: dict[str, torch.Tensor], shared: dict[str, torch.Tensor]
) -> None:
    blobs = MemoryBlobs()
    loaded = load(read_manifest(blobs.get(save(values, shared, round=0, put=blobs.put).id)), blobs.get)
    assert same(loaded.parameters, dict(sorted(values.items())))
    assert same(loaded.shared, dict(sorted(shared.items())))


def test_in_bf16_a_model_has_half_the_bytes_and_is_the_rounded_one() -> None:
    blobs = MemoryBlobs()
    values, shared = a_model()
    saved = save(values, shared, round=0, put=blobs.put, storage="bf16")
    loaded = load(read_manifest(blobs.get(saved.id)), blobs.get)
    rounded = {name: value.to(torch.bfloat16).to(torch.float32) for name, value in values.items()}
    assert same(loaded.parameters, rounded)
    assert same(loaded.shared, shared)
    assert saved.model == root(joined(parameters=rounded, shared=shared))
    assert saved.size == sum(6 * value.numel() for value in values.values())


def test_a_wrong_piece_and_a_missing_one_are_found() -> None:
    blobs = MemoryBlobs()
    found = read_manifest(blobs.get(save(*a_model(), round=0, put=blobs.put).id))
    victim = next(found.pieces())[0]

    def getting(answer: Callable[[bytes], bytes]) -> Callable[[str], bytes]:
        return lambda id: answer(blobs.get(id)) if id == victim else blobs.get(id)

    for wrong in (lambda data: data[:-1] + bytes([data[-1] ^ 1]), lambda data: data[:-1], lambda data: data + b"\0"):
        with pytest.raises(
            CheckpointError, match=rf"A piece of parameters/model\.embed.* is not the 4,096 bytes .* {victim}"
        ):
            load(found, getting(wrong))
    del blobs._blobs[victim]
    with pytest.raises(BlobMissing):
        load(found, blobs.get)


def test_a_manifest_that_names_another_model_than_it_holds_is_refused() -> None:
    blobs = MemoryBlobs()
    found = read_manifest(blobs.get(save(*a_model(), round=3, put=blobs.put).id))
    with pytest.raises(CheckpointError, match=r"round 3 does not hold the model 00000000 .* take another member's"):
        load(changed(found, model=bytes(32)), blobs.get)


def test_another_model_is_noticed_before_anything_is_fetched() -> None:
    blobs = MemoryBlobs()
    values, shared = a_model()
    found = read_manifest(blobs.get(save(values, shared, round=3, put=blobs.put).id))
    of_shared = {name: tuple(value.shape) for name, value in shared.items()}
    found.require(shapes(SMALL), of_shared)
    with pytest.raises(
        CheckpointError, match=r"another model or optimizer: shared/momentum/.* is missing, and so are 19 more"
    ):
        found.require(shapes(SMALL), {f"{name}.x": shape for name, shape in of_shared.items()})
    with pytest.raises(CheckpointError, match=r"parameters/model\.layers\.1\..* was not expected"):
        found.require(shapes(SMALL.model_copy(update={"layers": 1})), of_shared)
    with pytest.raises(CheckpointError, match=r"has the shape \[64, 32\] and should have \[65, 32\]"):
        found.require(shapes(SMALL.model_copy(update={"vocabulary": 65})), of_shared)


def test_a_strangers_manifest_is_believed_nothing() -> None:
    blobs = MemoryBlobs()
    raw = blobs.get(save(*a_model(), round=3, put=blobs.put).id)
    found = read_manifest(raw)
    assert write_manifest(found) == raw
    first, *rest = found.tensors

    def with_first(**fields: object) -> Manifest:
        return changed(found, tensors=(msgspec.structs.replace(first, **fields), *rest))

    for bad, reason in (
        (changed(found, version=2), "version 2"),
        (changed(found, round=-1), "round"),
        (changed(found, model=b"short"), "hash"),
        (changed(found, tensors=(*rest, first)), "not sorted"),
        (changed(found, tensors=(first, first, *rest)), "each once"),
        (with_first(name="own/a"), "neither of parameters/ nor of shared/"),
        (with_first(dtype="complex64", stored="complex64"), "complex64"),
        (with_first(stored="int8"), "stored as int8"),
        (with_first(shape=(-1, 3)), "shape that no tensor has"),
        (with_first(shape=(1,) * 17), "shape that no tensor has"),
        (with_first(shape=(2**40, 2**40)), "more than"),
        (with_first(shape=(2**40,)), "do not follow from its shape"),
        (with_first(pieces=first.pieces[:-1]), "do not follow from its shape"),
        (with_first(pieces=(*first.pieces[:-1], b"short")), "do not follow from its shape"),
    ):
        with pytest.raises(CheckpointError, match=reason):
            read_manifest(write_manifest(bad))
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_manifest(raw[:-1])
    loose = msgspec.msgpack.encode(dict(reversed(msgspec.msgpack.decode(raw).items())))
    with pytest.raises(CheckpointError, match="not in its only encoding"):
        read_manifest(loose)


def test_a_manifest_has_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "LARGEST_BYTES", 10)
    with pytest.raises(CheckpointError, match="has 11 bytes; the largest has 10"):
        read_manifest(bytes(11))
