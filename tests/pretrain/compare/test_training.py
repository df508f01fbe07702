"""Contestants are trained, stopped at any moment, and gone on with."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import torch

from quiltwork.errors import UserError
from quiltwork.pretrain.compare.comparison import Comparison, Link
from quiltwork.pretrain.compare.contestants import NAMES, Contestant
from quiltwork.pretrain.compare.folder import Folder, key_of, settings_in
from quiltwork.pretrain.compare.loop import carry_out, ctrl_c
from quiltwork.pretrain.compare.page import Findings
from quiltwork.pretrain.compare.told import Silent
from quiltwork.pretrain.compare.training import Ground, Standing, begin, due_steps, train
from quiltwork.pretrain.footprint import footprint
from quiltwork.pretrain.optimizers.base import Batch, Tensors, root
from tests.pretrain.compare import made


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    made.file(folder)
    return folder


def tiny(place: Path, **given: object) -> Comparison:
    return made.compared(config=str(place / "tiny.toml"), steps=4, every=2, **given)


class Counting(Silent):
    """Counts what it is told, and interrupts after so many points."""

    def __init__(self, most: int = 10**9) -> None:
        self.points, self.most = 0, most
        self.resumed: dict[str, int] = {}

    def begins(self, contestant: Contestant, resumed: int) -> None:
        self.resumed[contestant.name] = resumed

    def looks(self, contestant: Contestant, standing: Standing) -> None:
        self.points += 1
        if self.points == self.most:
            raise KeyboardInterrupt


def carried_out(comparison: Comparison, path: Path, place: Path, watcher: Silent | None = None) -> Findings:
    folder = Folder(path)
    try:
        return carry_out(comparison, folder, watcher or Silent(), root=place)
    finally:
        folder.close()


def numbers(found: Findings) -> dict[str, list[tuple[int, int, float, int]]]:
    """All of the points but the times."""
    return {curve.contestant.name: [tuple(point[:4]) for point in curve.points] for curve in found.curves}


@pytest.fixture(scope="module")
def undisturbed(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Findings:
    return carried_out(tiny(place), tmp_path_factory.mktemp("undisturbed") / "out", place)


def test_all_learn_the_same_data_from_the_same_parameters_and_send_what_is_foretold(
    place: Path, undisturbed: Findings
) -> None:
    assert [curve.contestant.name for curve in undisturbed.curves] == list(NAMES)
    assert len({curve.points[0] for curve in undisturbed.curves}) == 1
    shapes = {name: tuple(value.shape) for name, value in Ground(tiny(place), place).first.items()}
    for curve in undisturbed.curves:
        assert curve.last.step == 4
        assert curve.last.loss < curve.points[0].loss
        assert curve.last.rounds == 4 // curve.contestant.every
        assert curve.last.sent == curve.last.rounds * footprint(curve.contestant.optimizer, shapes).payload_bytes
        assert [point.compute_s for point in curve.points] == sorted(point.compute_s for point in curve.points)


FOUR = "adamw,distro,diloco,sparseloco_muon"
"""Between them they have every kind of state: shared, a member's own, and updates that wait."""


@pytest.mark.parametrize(
    "points", [9, pytest.param(2, marks=pytest.mark.slow), pytest.param(14, marks=pytest.mark.slow)]
)
def test_whenever_it_is_interrupted_it_comes_out_the_same(
    place: Path, undisturbed: Findings, tmp_path: Path, points: int
) -> None:
    watcher = Counting(points)
    with pytest.raises(KeyboardInterrupt):
        carried_out(tiny(place, optimizers=FOUR), tmp_path / "out", place, watcher)
    again = Counting()
    found = carried_out(tiny(place, optimizers=FOUR), tmp_path / "out", place, again)
    assert numbers(found) == {name: numbers(undisturbed)[name] for name in FOUR.split(",")}
    assert watcher.points + again.points == sum(len(curve.points) for curve in found.curves)


def test_asked_to_stop_it_keeps_what_came_after_the_last_point(place: Path, tmp_path: Path) -> None:
    comparison = made.compared(config=str(place / "tiny.toml"), steps=30, optimizers="adamw")
    asked: list[int] = []

    def stop() -> bool:
        asked.append(0)
        return len(asked) == 20

    folder = Folder(tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        carry_out(comparison, folder, Silent(), root=place, stop=stop)
    key = key_of(comparison, comparison.contestants[0], Ground(comparison, place).data.fingerprint())
    kept = folder.load(key)
    folder.close()
    assert kept is not None
    assert (kept.step, kept.points[-1].step) == (19, 18)  # the first time it was asked was before the first step


def test_pressed_twice_ctrl_c_does_not_wait() -> None:
    with ctrl_c() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_what_was_trained_is_not_trained_again_whatever_the_link_and_the_company(place: Path, tmp_path: Path) -> None:
    first = carried_out(tiny(place, optimizers="demo"), tmp_path / "out", place)
    watcher = Counting()
    other = tiny(place, optimizers="demo,adamw").model_copy(update={"link": Link(mbit=1.0)})
    found = carried_out(other, tmp_path / "out", place, watcher)
    assert watcher.resumed == {"adamw": 0, "demo": 4}
    assert found.curves[1] == first.curves[0]
    assert found.summaries[1].seconds > first.summaries[0].seconds


@pytest.mark.parametrize(
    "other",
    [{"steps": 7}, {"seed": 9}, {"members": 2}, {"rates": ("demo=0.001",)}],
    ids=lambda given: next(iter(given)),
)
def test_what_depends_on_something_else_is_something_else(place: Path, other: dict[str, object]) -> None:
    one = tiny(place, optimizers="demo")
    two = made.compared(**{"config": str(place / "tiny.toml"), "steps": 4, "every": 2, "optimizers": "demo", **other})
    keys = {key_of(each, each.contestants[0], b"data") for each in (one, two)}
    assert len(keys | {key_of(one, one.contestants[0], b"other data")}) == 3


def test_late_updates_are_applied_a_round_later(place: Path) -> None:
    comparison = tiny(place, optimizers="distro")
    ground, contestant = Ground(comparison, place), comparison.contestants[0]
    losses = [ground.loss(standing.values) for standing in train(ground, contestant, begin(ground, contestant))]
    assert losses[0] == losses[1] != losses[2]


def test_one_member_that_exchanges_in_each_step_is_plain_training(place: Path) -> None:
    comparison = tiny(place, optimizers="adamw", members=1)
    ground, contestant = Ground(comparison, place), comparison.contestants[0]
    assert contestant.optimizer.kind == "adamw"
    standing = begin(ground, contestant)
    for _ in train(ground, contestant, standing):
        pass
    plain = {name: value.clone() for name, value in ground.first.items()}
    first, second = ({name: torch.zeros_like(value) for name, value in plain.items()} for _ in range(2))
    for step in range(4):
        gradients, _ = ground.gradient(plain, ground.batch(step, 0))
        length = torch.cat([gradient.flatten() for gradient in gradients.values()]).norm()
        lr = comparison.schedule(contestant).rate(step)
        for name, value in plain.items():
            g = gradients[name] * min(1.0, contestant.optimizer.clip / length)
            first[name] = 0.9 * first[name] + 0.1 * g
            second[name] = 0.9 * second[name] + 0.1 * g * g
            unseen = 1 - 0.9 ** (step + 1)
            direction = first[name] / unseen / ((second[name] / unseen).sqrt() + 1e-8)
            plain[name] = value * (1 - lr * 0.1 * (value.ndim > 1)) - lr * direction
    for name, value in plain.items():
        assert torch.allclose(standing.values[name], value, rtol=1e-3, atol=1e-5), name


def test_one_that_diverges_is_told_of_and_the_others_go_on(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, calls = Ground.__init__, []

    def made_badly(ground: Ground, comparison: Comparison, root: Path | None = None) -> None:
        make(ground, comparison, root)
        sound = ground.gradient

        def bad(values: Tensors, batch: Batch) -> tuple[Tensors, float]:
            calls.append(0)
            gradients, loss = sound(values, batch)
            return gradients, float("nan") if len(calls) == 6 else loss  # a first one for the clock, then three members

        ground.gradient = bad

    monkeypatch.setattr(Ground, "__init__", made_badly)
    found = carried_out(tiny(place, optimizers="adamw,demo"), tmp_path / "out", place)
    lost, sound = found.curves
    assert lost.diverged.startswith("Training diverged: the loss is nan")
    assert (lost.last.step, sound.last.step, sound.diverged) == (1, 4, "")
    watcher = Counting()
    assert carried_out(tiny(place, optimizers="adamw,demo"), tmp_path / "out", place, watcher).curves == found.curves
    assert watcher.points == 0


def test_a_kept_standing_holds_every_bit(place: Path, tmp_path: Path) -> None:
    comparison = tiny(place, optimizers="sparseloco_muon")
    ground, contestant = Ground(comparison, place), comparison.contestants[0]
    folder = Folder(tmp_path / "out")
    for standing in train(ground, contestant, begin(ground, contestant)):
        folder.keep("it", standing, over=False)
        kept = folder.load("it")
        assert kept is not None
        assert root(kept.values) == root(standing.values)
        assert [root(own) for own in kept.owns] == [root(own) for own in standing.owns]
        assert kept.points == standing.points
    folder.close()


def test_a_broken_standing_is_named_with_what_to_do(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "out")
    (tmp_path / "out" / "standings" / "demo-1").write_bytes(b"no standing")
    with pytest.raises(UserError, match=r"standings/demo-1 cannot be read. Delete it"):
        folder.load("demo-1")
    folder.close()


def test_settings_that_cannot_be_read_are_named_with_what_to_do(tmp_path: Path) -> None:
    assert settings_in(tmp_path) is None
    (tmp_path / "settings.json").write_text('{"steps": 0}')
    with pytest.raises(UserError, match=r"settings.json is not what this version writes. Delete it"):
        settings_in(tmp_path)


def test_two_do_not_train_in_one_folder(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "out")
    with pytest.raises(UserError, match="is being driven by process"):
        Folder(tmp_path / "out")
    folder.close()


@pytest.mark.parametrize("steps", [25, 200, 100_000])
def test_a_curve_is_looked_at_at_its_end_and_more_often_at_its_beginning(steps: int) -> None:
    due = due_steps(steps)
    assert due[-1] == steps
    assert len(due) <= 25
    assert due_steps(1) == [1]
    assert sum(step <= steps / 4 for step in due) >= len(due) // 3
