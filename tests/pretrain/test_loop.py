"""The hands of a member: what it does when others come and go, when disks fail, and when it is wrong itself."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from quiltwork.blobs import BlobUnavailable
from quiltwork.blobs.exchange import Fetched
from quiltwork.blobs.report import FetchReport
from quiltwork.errors import UserError
from quiltwork.pretrain.effects import Load
from quiltwork.pretrain.entries import Checkpointed, Committed, Joined, Left
from quiltwork.pretrain.facts import Health
from quiltwork.pretrain.facts import Member as Participant
from tests.pretrain import tiny
from tests.pretrain.village import Village, lived, models, until


def test_three_members_train_six_rounds_and_end_with_one_model(tmp_path: Path) -> None:
    async def life(village: Village) -> None:
        members = [await village.member(name) for name in "abc"]
        assert await asyncio.gather(*(member.run() for member in members)) == ["finished"] * 3
        state = members[0].node.state
        assert state.step == 6
        assert len(models(*members)) == 1
        assert members[0].node.mine.loaded.round == state.last
        earned = sum(each.accepted_units for each in state.members.values())
        assert earned == state.accepted_units
        assert (
            6 <= earned <= 18
        )  # three units a round; on a busy machine one may come too late, and goes to another round
        assert all(each.health is Health.HEALTHY for each in state.members.values())

    lived(tmp_path, tiny.config(), life)


@pytest.mark.slow
def test_who_is_interrupted_and_comes_back_goes_on_as_the_same(tmp_path: Path) -> None:
    async def life(village: Village) -> None:
        others = [asyncio.create_task((await village.member(name)).run()) for name in "ab"]
        first = await village.member("c")
        running = asyncio.create_task(first.run())
        await until(lambda: first.node.state.last >= 2, running)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        again = await village.member("c")
        assert await asyncio.gather(again.run(), *others) == ["finished"] * 3
        state = again.node.state
        assert len(state.members) == 3
        me = state.members[village.keys["c"].author]
        assert me.health is Health.HEALTHY
        assert again.node.mine.loaded.model == state.agreed[state.last]
        before, after = village.said("c", Joined)
        assert after == replace(before, addresses=after.addresses, own=after.own), "only where it is found has changed"
        assert after.own, "what it had was there still: it had no need to begin with another's"

    lived(tmp_path, tiny.config(total_steps=8, max_misses=50), life)


@pytest.mark.slow
def test_who_comes_late_loads_a_checkpoint_and_replays_the_rest(tmp_path: Path) -> None:
    async def life(village: Village) -> None:
        early = [await village.member(name) for name in "ab"]
        tasks = [asyncio.create_task(member.run()) for member in early]
        await until(lambda: bool(early[0].node.state.checkpoints) and 1 not in early[0].node.state.closed, tasks[0])
        late = await village.member("c")
        loads = []
        load = late.trainer.load
        late.trainer.load = lambda effect, get: (loads.append(effect.checkpoint), load(effect, get))[1]
        assert await asyncio.gather(late.run(), *tasks) == ["finished"] * 3
        assert loads[0] is not None
        assert len(models(late, *early)) == 1

    lived(tmp_path, tiny.config(total_steps=30, init_min_clients=2, checkpoint_rounds=4), life)


@pytest.mark.slow
def test_updates_that_nobody_needs_are_let_go_of_and_those_of_late_rounds_are_kept(tmp_path: Path) -> None:
    async def life(village: Village) -> None:
        members = [await village.member(name) for name in "ab"]
        assert await asyncio.gather(*(member.run() for member in members)) == ["finished"] * 2
        state, blobs = members[0].node.state, members[0].home.blobs
        here = {commit.body.payload.hex() for closed in state.closed.values() for commit in closed.updates}
        assert min(state.closed) > 1
        assert all(blobs.has(id) for id in here)
        everything = {path.parent.name + path.name for path in blobs.path.glob("??/*")}
        made = [body.payload.hex() for name in "ab" for body in village.said(name, Committed)]
        assert len(everything & set(made)) < len(made)
        assert not blobs.has(made[0])

    lived(
        tmp_path,
        tiny.config(total_steps=20, init_min_clients=2, checkpoint_rounds=2, audit={"case_rounds": 6}),
        life,
    )


@pytest.mark.slow
def test_who_leaves_says_so_and_the_others_go_on(tmp_path: Path) -> None:
    async def life(village: Village) -> None:
        others = [asyncio.create_task((await village.member(name)).run()) for name in "ab"]
        guest = await village.member("c")
        running = asyncio.create_task(guest.run())
        await until(lambda: guest.node.state.last >= 1, running)
        guest.leave()
        assert await running == "left"
        assert len(village.said("c", Left)) == 1
        assert await asyncio.gather(*others) == ["finished"] * 2

    lived(tmp_path, tiny.config(), life)


def test_a_disk_that_fails_is_reported_and_tried_again(tmp_path: Path) -> None:
    async def life(village: Village) -> None:
        members = [await village.member(name) for name in "abc"]
        sick = members[0]
        put, failures = sick.shelf.put, iter(range(2))

        def sometimes(blob: bytes) -> str:
            if next(failures, None) is not None:
                raise BlobUnavailable("Cannot write the blob x: No space left on device. Nothing was stored.")
            return put(blob)

        sick.trainer.blobs.put = sometimes
        assert await asyncio.gather(*(member.run() for member in members)) == ["finished"] * 3
        assert "No space left" in sick.trouble
        assert next(failures, None) is None, "it was tried again"
        assert len(models(*members)) == 1
        assert sick.node.state.members[village.keys["a"].author].accepted_units > 0

    lived(tmp_path, tiny.config(), life)


@pytest.mark.parametrize("place", ["train", "apply", "load"])
def test_a_defect_ends_the_member_and_is_not_hidden(tmp_path: Path, place: str) -> None:
    async def life(village: Village) -> None:
        member = await village.member("a")

        def broken(*_: object) -> None:
            raise ZeroDivisionError("a defect")

        setattr(member.trainer, place, broken)
        with pytest.raises(ZeroDivisionError, match="a defect"):
            await member.run()

    lived(tmp_path, tiny.config(init_min_clients=1), life)


def test_a_lying_manifest_is_found_out_before_its_pieces_are_fetched(tmp_path: Path) -> None:
    async def life(village: Village) -> None:
        member = await village.member("a")
        alone = tiny.Alone(tiny.trainer(tmp_path / "other", wanted=village.config))
        kept = alone.trainer.keep(0)
        member.home.blobs.put(alone.trainer.blobs.get(kept.manifest.hex()))
        body = Checkpointed(0, alone.models[0], kept.manifest, kept.manifest_size, kept.size + 1)
        with pytest.raises(UserError, match="and the log"):
            await member._load(Load(body, ()))

    lived(tmp_path, tiny.config(), life)


@pytest.mark.slow
def test_who_can_do_nothing_for_long_goes_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quiltwork.pretrain.loop.VAIN_S", 0.5)

    async def life(village: Village) -> None:
        sick, *others = [await village.member(name) for name in "abc"]

        def full(blob: bytes) -> str:
            raise BlobUnavailable("Cannot write the blob x: No space left on device. Nothing was stored.")

        sick.trainer.blobs.put = full
        ends = await asyncio.gather(*(member.run() for member in (sick, *others)), return_exceptions=True)
        assert isinstance(ends[0], UserError)
        assert "Left the run, since this member cannot do its part: Cannot write the blob x" in str(ends[0])
        assert ends[1:] == ["finished"] * 2
        assert others[0].node.state.members[village.keys["a"].author].health is Health.WITHDRAWN

    lived(tmp_path, tiny.config(), life)


@pytest.mark.slow
def test_what_is_small_is_asked_for_at_one_member_and_the_server_and_only_then_at_all(tmp_path: Path) -> None:
    async def life(village: Village) -> None:
        member = await village.member("me")
        member.relay = "http://relay"
        asked: list[tuple[int, list[str]]] = []

        async def fetch(id: str, size: int, addresses: list[str], *, deadline_s: float) -> Fetched:
            asked.append((size, addresses))
            return Fetched(b"", FetchReport(id, size, 0.0))

        member.exchange.fetch = fetch
        members = member.node.state.members
        for number in (1, 2):
            said = replace(member.node.mine.joining, addresses=(f"tcp://{number}",))
            members[bytes([number])] = Participant(bytes([number]), said, since=1)
        for size, again in ((10, False), (10, True), (64 << 20, False)):
            await member._get(bytes(32), size, (b"\1", b"\2"), again=again)
        everybody = ["tcp://1", "tcp://2", "http://relay"]
        assert asked == [(10, ["tcp://1", "http://relay"]), (10, everybody), (64 << 20, everybody)]
        member.relay = ""
        await member._get(bytes(32), 10, (b"\1", b"\2"), again=False)
        assert asked[-1] == (10, everybody[:2]), "without a server there is nobody else who has it"

    lived(tmp_path, tiny.config(), life)
