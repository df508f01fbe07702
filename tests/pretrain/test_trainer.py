"""Training, applying, keeping and auditing with a real model, so small that all of it takes seconds."""

from pathlib import Path

import pytest
import safetensors.torch
import torch

from quiltwork.audit import Kind
from quiltwork.blobs import BlobMissing, FolderBlobs
from quiltwork.errors import UserError
from quiltwork.pretrain import checkpoint
from quiltwork.pretrain.cheats import CHEATS
from quiltwork.pretrain.effects import Apply, Audit, Disclose, Finding, Load, Train
from quiltwork.pretrain.entries import Checkpointed, Committed
from quiltwork.pretrain.trainer import StateMissing, Trainer, data_fingerprint
from tests.pretrain import tiny

CPU = Kind(dtype="fp32", device="cpu")

NEEDS_MODELS = {"stale": 3, "very-stale": 8}
"""Rounds after which there is a model as old as these cheats want."""


def audited(judge: Trainer, author: Trainer, train: Train, body: Committed, before: bytes) -> Finding:
    """`judge` computes again what `author` committed to."""
    disclosed = author.disclose(Disclose(train.round, before, body.own))
    for blob in (body.payload, disclosed.disclosure):
        judge.blobs.put(author.blobs.get(blob.hex()))
    audit = Audit(b"", train.step, train.base, body, before, disclosed.disclosure)
    return judge.audit(audit, CPU)


def test_members_that_do_the_same_hold_the_same_and_the_model_moves(tmp_path: Path) -> None:
    one, other = (tiny.Alone(tiny.trainer(tmp_path / name)) for name in ("one", "other"))
    for _ in range(3):
        assert one.go_on() == other.go_on()
    assert one.models == other.models
    assert len(set(one.models)) == 4
    assert data_fingerprint(one.trainer) == data_fingerprint(other.trainer)


def test_a_round_in_which_nothing_was_accepted_leaves_the_model(tmp_path: Path) -> None:
    alone = tiny.Alone(tiny.trainer(tmp_path / "one"))
    alone.go_on()
    assert alone.trainer.apply(Apply(tiny.closed(2, []))).model == alone.models[-1]


def test_a_newcomer_that_loads_a_checkpoint_holds_the_same_model(tmp_path: Path) -> None:
    old = tiny.Alone(tiny.trainer(tmp_path / "old"))
    for _ in range(2):
        old.go_on()
    kept = old.trainer.keep(2)
    new = tiny.trainer(tmp_path / "new")
    body = Checkpointed(2, old.models[2], kept.manifest, kept.manifest_size, kept.size)
    manifest = checkpoint.read_manifest(old.trainer.blobs.get(kept.manifest.hex()))
    new.expect(manifest)
    assert manifest.size == kept.size
    assert new.load(Load(body, ()), old.trainer.blobs.get).model == old.models[2]
    train = Train(3, 3, 2, b"", (50, 51))
    assert new.train(train) == old.trainer.train(train), "from there on they are the same"


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    old = tiny.Alone(tiny.trainer(tmp_path / "old"))
    old.go_on()
    kept = old.trainer.keep(1)
    body = Checkpointed(1, old.models[0], kept.manifest, kept.manifest_size, kept.size)
    with pytest.raises(UserError, match="another model than the run agreed on"):
        tiny.trainer(tmp_path / "new").load(Load(body, ()), old.trainer.blobs.get)
    wider = tiny.trainer(tmp_path / "wider", wanted=tiny.config(model={"mlp_hidden": 96}))
    with pytest.raises(UserError, match="of another model or optimizer"):
        wider.expect(checkpoint.read_manifest(old.trainer.blobs.get(kept.manifest.hex())))


def test_optimizer_states_survive_a_restart(tmp_path: Path) -> None:
    before = tiny.Alone(tiny.trainer(tmp_path / "one"))
    before.go_on()
    train = before.next_train()
    expected = before.trainer.train(train)
    kept = before.trainer.keep(1)
    again = tiny.trainer(tmp_path / "one")
    assert {before.own, expected.own} <= again.known_states()
    body = Checkpointed(1, before.models[1], kept.manifest, kept.manifest_size, kept.size)
    again.load(Load(body, ()), again.blobs.get)
    assert again.train(train) == expected


def test_what_strangers_send_is_looked_at_before_it_is_used(tmp_path: Path) -> None:
    alone = tiny.Alone(tiny.trainer(tmp_path / "one"))
    trainer = alone.trainer
    _, body = alone.go_on()
    payload = trainer.blobs.get(body.payload.hex())
    assert trainer.check(payload, "payload") == ""
    disclosed = trainer.disclose(Disclose(1, b"", body.own))
    disclosure = trainer.blobs.get(disclosed.disclosure.hex())
    assert trainer.check(disclosure, "disclosure") == ""
    for garbage in (b"", b"\0" * 64, payload[:-1], payload + b"\0", disclosure):
        assert trainer.check(garbage, "payload"), garbage[:8]
    state = trainer.own(body.own, 0)
    name = next(iter(state))
    wrong = [
        {f"after/{name}": torch.full_like(state[name], float("nan"))},
        {f"after/{each}": torch.full_like(tensor, float("inf")) for each, tensor in state.items()},
        {f"after/{each}": tensor.double() for each, tensor in state.items()},
        {"elsewhere": torch.zeros(1)},
    ]
    for garbage in (b"", b"\xff" * 64, disclosure[:-1], payload, *(safetensors.torch.save(each) for each in wrong)):
        assert trainer.check(garbage, "disclosure"), garbage[:8]


def test_an_audit_of_honest_work_on_the_same_machine_finds_it_equal(tmp_path: Path) -> None:
    author, judge = (tiny.Alone(tiny.trainer(tmp_path / name)) for name in ("author", "judge"))
    before = b""
    for _ in range(3):
        train, body = author.go_on()
        judge.go_on()
        found = audited(judge.trainer, author.trainer, train, body, before)
        assert found.honest, found.why
        assert found.score == 1.0
        before = body.own


def test_states_that_were_not_committed_to_convict(tmp_path: Path) -> None:
    author, judge = (tiny.Alone(tiny.trainer(tmp_path / name)) for name in ("author", "judge"))
    _, first = author.go_on()
    _, second = author.go_on()
    for _ in range(2):
        judge.go_on()
    other = Committed(2, second.units, second.payload, second.size, second.model, first.own)
    judge.trainer.blobs.put(author.trainer.blobs.get(second.payload.hex()))
    disclosed = author.trainer.disclose(Disclose(2, first.own, second.own)).disclosure
    judge.trainer.blobs.put(author.trainer.blobs.get(disclosed.hex()))
    after = judge.trainer.audit(Audit(b"", 2, 1, other, first.own, disclosed), CPU)
    assert not after.honest
    assert "the state after" in after.why
    before = judge.trainer.audit(Audit(b"", 2, 1, second, second.own, disclosed), CPU)
    assert not before.honest
    assert "the state before" in before.why


@pytest.mark.parametrize("cheat", sorted(CHEATS))
def test_every_cheat_fails_its_audit(tmp_path: Path, cheat: str) -> None:
    """The honest carry the model on, and the cheat's momentum is its own for all that time."""
    cheating, honest = tiny.trainer(tmp_path / "cheat", CHEATS[cheat]), tiny.Alone(tiny.trainer(tmp_path / "honest"))
    theirs = tiny.Alone(cheating)
    before, units = b"", 1_000
    for _ in range(NEEDS_MODELS.get(cheat, 3)):
        train = Train(honest.round + 1, honest.round + 1, honest.round, before, (units, units + 1))
        body = tiny.committed(cheating.train(train), train)
        last, before, units = (train, body, before), body.own, units + 2
        _, applied = honest.go_on()
        cheating.blobs.put(honest.trainer.blobs.get(applied.payload.hex()))
        cheating.apply(Apply(tiny.closed(honest.round, [applied])))
    assert theirs.models[0] == honest.models[0]
    found = audited(honest.trainer, cheating, *last)
    assert not found.honest, found.why


def test_what_is_forgotten_is_gone_and_what_is_needed_stays(tmp_path: Path) -> None:
    alone = tiny.Alone(tiny.trainer(tmp_path / "one"))
    owns = [alone.go_on()[1].own for _ in range(4)]
    alone.trainer.forget(3, frozenset(owns[2:]))
    assert sorted(alone.trainer.models) == [3, 4]
    assert alone.trainer.known_states() == set(owns[2:])
    alone.go_on()
    with pytest.raises(StateMissing, match="is not there any more"):
        alone.trainer.own(owns[0], 4)
    with pytest.raises(StateMissing, match="model 2"):
        alone.trainer.train(Train(3, 3, 2, owns[2], (0,)))
    with pytest.raises(BlobMissing):
        alone.trainer.blobs.get("0" * 64)


def test_a_state_that_cannot_be_written_is_told_and_leaves_nothing_half_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = tiny.Alone(tiny.trainer(tmp_path / "one"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(safetensors.torch, "save_file", full)
        with pytest.raises(UserError, match=r"No space left.*the run goes on"):
            alone.trainer.train(alone.next_train())
    assert not alone.trainer.known_states()
    alone.next_unit = 0
    alone.go_on()


def test_data_with_more_tokens_than_the_model_knows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"256 different tokens.*model\.vocabulary is 100"):
        tiny.trainer(tmp_path / "one", wanted=tiny.config(model={"vocabulary": 100}))


def test_a_precision_that_there_is_not_is_refused(tmp_path: Path) -> None:
    config = tiny.config()
    tiny.data(tmp_path)
    with pytest.raises(UserError, match="fp7"):
        Trainer(config, unit_sequences=2, folder=tmp_path, blobs=FolderBlobs(tmp_path), precision="fp7", root=tmp_path)
