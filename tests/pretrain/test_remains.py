"""What lies on a member's shelf is let go of when nobody needs it, also what a crash has left there."""

import asyncio
from pathlib import Path

import pytest

from quiltwork.blobs import MemoryBlobs, blob_id
from quiltwork.errors import UserError
from quiltwork.pretrain.effects import Disclose, Disclosed, Forget
from quiltwork.pretrain.entries import Responded
from quiltwork.pretrain.home import Home
from quiltwork.pretrain.remains import Made, Remains
from quiltwork.pretrain.trainer import Trainer
from tests.pretrain import tiny
from tests.pretrain.village import Village, lived, until

ONE, TWO, THREE = (blob_id(bytes([number])) for number in range(3))


def forget(rounds: int) -> Forget:
    return Forget(rounds, rounds, frozenset(), ())


def test_what_is_made_is_listed_before_it_is_stored(tmp_path: Path) -> None:
    home = Home(tmp_path)
    shelf = home.shelf
    id = shelf.put(b"update")
    assert home.shelf.made.ids() == [id]
    (tmp_path / "blobs").rename(tmp_path / "elsewhere")
    (tmp_path / "blobs").write_text("in the way")
    with pytest.raises(UserError):
        shelf.put(b"another")
    assert home.shelf.made.ids() == [id, blob_id(b"another")]


def test_a_line_that_a_crash_cut_short_spoils_no_other(tmp_path: Path) -> None:
    made = Made(tmp_path / "made.txt")
    assert made.ids() == []
    made.add(ONE)
    (tmp_path / "made.txt").write_text(f"\n{ONE}\n\n{TWO[:20]}")
    made.add(THREE)
    assert made.ids() == [ONE, THREE]
    made.cross_out({ONE, TWO})
    assert made.ids() == [THREE]


def test_a_list_that_cannot_be_written_is_a_trouble_of_the_disk(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"Cannot write .*made\.txt: File exists\. Free some space"):
        Made(tmp_path / "file" / "made.txt").add(ONE)


def test_what_an_earlier_life_has_left_is_due_when_the_round_of_the_return_is_old(tmp_path: Path) -> None:
    made, store, remains = Made(tmp_path / "made.txt"), MemoryBlobs(), Remains()
    left = store.put(b"left")
    for id in (left, ONE):
        made.add(id)
    remains.resume(7, made, store)
    assert made.ids() == [left], "what was not stored is not listed any more"
    assert remains.due(forget(6), ()) == (set(), set())
    assert remains.due(forget(7), ()) == ({bytes.fromhex(left)}, set())


def test_what_is_named_again_in_a_later_round_is_not_due_with_the_earlier() -> None:
    remains, blob = Remains(), bytes.fromhex(ONE)
    remains.note(3, blob)
    remains.note(5, blob)
    assert remains.due(forget(4), ()) == (set(), set())
    assert remains.due(forget(5), ()) == ({blob}, set())


@pytest.mark.slow
def test_disclosures_that_a_crash_leaves_behind_are_found_and_deleted(tmp_path: Path) -> None:
    disclosed: list[str] = []

    class Frank(Trainer):
        def disclose(self, disclose: Disclose) -> Disclosed:
            found = super().disclose(disclose)
            disclosed.append(found.disclosure.hex())
            return found

    async def life(village: Village) -> None:
        others = [asyncio.create_task((await village.member(name)).run()) for name in "ab"]
        first = await village.member("c", Frank)
        running = asyncio.create_task(first.run())
        await until(lambda: len(disclosed) >= 2 and first.node.state.last >= 4, running)
        running.cancel()  # as if it were killed: nothing is put in order
        await asyncio.gather(running, return_exceptions=True)
        left = {id for id in disclosed if first.home.blobs.has(id)}
        assert left
        again = await village.member("c", Frank)
        assert await asyncio.gather(again.run(), *others) == ["finished"] * 3
        assert min(again.node.state.closed) > 5, "the rounds of the first life are let go of"
        assert not {id for id in left if again.home.blobs.has(id)}
        named = {body.disclosure.hex() for name in "abc" for body in village.said(name, Responded)}
        there = {path.parent.name + path.name for path in again.home.blobs.path.glob("??/*")}
        assert len(there & named) < len(named)
        assert not left.intersection(again.home.shelf.made.ids())

    lived(
        tmp_path,
        tiny.config(
            total_steps=30, checkpoint_rounds=2, max_misses=50, verification_percent=100.0, audit={"case_rounds": 6}
        ),
        life,
    )
