"""Members join a run by its log alone, without a server: they tell the time themselves, and fetch from each other."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from quiltwork.blobs import MemoryBlobs
from quiltwork.blobs.exchange import Exchange, Fetched
from quiltwork.errors import UserError
from quiltwork.keys import Identity
from quiltwork.log import Log, decode
from quiltwork.log.open import open_log
from quiltwork.log.solana import Payer
from quiltwork.pretrain import meeting
from quiltwork.pretrain.entries import Joined, Ticked
from quiltwork.pretrain.facts import Health, Phase, RunState
from quiltwork.pretrain.join import join, transports
from quiltwork.pretrain.loop import Member
from quiltwork.pretrain.serve import Coordinator, create
from quiltwork.pretrain.state import apply
from tests.log.postgres_server import PostgresServer, made
from tests.log.solana.conftest import PACE, PAYER, RICH, ask
from tests.log.solana.rpc import cluster
from tests.pretrain import tiny
from tests.pretrain.village import Village, lived, models, until

PATIENCE_S = 240


def together(place: str, folder: Path, names: str, reaches: Sequence[str] = ()) -> list[str]:
    """Let members take part until each of them ends, in one process; give why they ended."""

    async def all_of_them() -> list[str]:
        async with asyncio.timeout(PATIENCE_S):
            return await asyncio.gather(
                *(
                    join(place, folder / name, name=name, transport=reach, threads=1, data=folder)
                    for name, reach in zip(names, reaches or ["tcp"] * len(names), strict=True)
                )
            )

    tiny.data(folder)
    return asyncio.run(all_of_them())


def folded(log: Log) -> RunState:
    state = RunState()
    for entry in log.read():
        apply(state, entry)
    return state


def check_that_all_have_one_model(log: Log, members: int, steps: int) -> RunState:
    state = folded(log)
    assert state.phase is Phase.FINISHED
    assert state.step == steps
    assert len(state.members) == members
    for member in state.members.values():
        assert member.health is Health.HEALTHY
        assert member.hashed == state.last, "each has said the hash of the last model"
        assert not member.diverged
    assert state.agreed[state.last]
    assert sum(member.accepted_units for member in state.members.values()) == state.accepted_units >= 2 * steps
    return state


def test_three_members_meet_in_an_sqlite_file_and_end_with_one_model(tmp_path: Path) -> None:
    place = str(tmp_path / "meeting.db")
    meeting.create(tiny.config(total_steps=4), place, Identity.generate())
    assert together(place, tmp_path, "abc") == ["finished"] * 3
    with closing(open_log(place)) as log:
        state = check_that_all_have_one_model(log, members=3, steps=4)
        said = [decode(entry) for entry in log.read()]
    assert state.owner not in state.members
    assert any(isinstance(body, Ticked) for body in said)
    assert all(address.startswith("tcp://") for body in said if isinstance(body, Joined) for address in body.addresses)


# --- other logs ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    server = made()
    yield server
    server.stop()
    shutil.rmtree(server.folder)


@pytest.mark.slow
def test_two_members_meet_in_postgres_and_end_with_one_model(tmp_path: Path, postgres: PostgresServer) -> None:
    place = f"{postgres.url}#tiny"
    meeting.create(tiny.config(total_steps=4, init_min_clients=2), place, Identity.generate())
    assert together(place, tmp_path, "ab") == ["finished"] * 2
    with closing(open_log(place)) as log:
        check_that_all_have_one_model(log, members=2, steps=4)


@pytest.mark.slow
def test_a_database_that_is_started_again_in_the_middle_of_a_run_ends_nobody(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    place = f"{postgres.url}#restarted"
    meeting.create(tiny.config(total_steps=12, init_min_clients=2), place, Identity.generate())

    async def life() -> list[str]:
        restarted = asyncio.Event()

        def watch(state: RunState) -> None:
            if state.last >= 2 and not restarted.is_set():
                restarted.set()
                postgres.stop()
                postgres.start()

        async with asyncio.timeout(PATIENCE_S):
            running = [join(place, tmp_path / name, name=name, threads=1, data=tmp_path, watch=watch) for name in "ab"]
            ended = await asyncio.gather(*running)
        assert restarted.is_set()
        return ended

    tiny.data(tmp_path)
    assert asyncio.run(life()) == ["finished"] * 2
    with closing(open_log(place)) as log:
        check_that_all_have_one_model(log, members=2, steps=12)


def keypair(place: Path, payer: Payer) -> Path:
    """Write who pays into a file, as Solana's tools do."""
    place.touch(mode=0o600)
    place.write_text(json.dumps(list(bytes(payer.keypair))))
    return place


@pytest.mark.slow
def test_two_members_meet_on_solana_and_end_with_one_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quiltwork.log.solana.log.Pace", lambda: PACE)  # a slot is a request there
    monkeypatch.setattr(meeting, "CHAIN_TICK_S", 1.0)
    key = keypair(tmp_path / "payer.json", PAYER)
    with cluster() as chain:
        ask(chain, "requestAirdrop", PAYER.address, RICH)
        place = f"solana+{chain.url_of()}#tiny?payer={key}"
        meeting.create(tiny.config(total_steps=2, init_min_clients=2), place, Identity.generate())
        assert together(place, tmp_path, "ab") == ["finished"] * 2
        with closing(open_log(place)) as log:
            state = check_that_all_have_one_model(log, members=2, steps=2)
        assert state.entries < len(chain.chain.rows) < 4 * state.entries, "one transaction each, and those that lost"


@pytest.mark.slow
def test_who_cannot_pay_on_solana_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quiltwork.log.solana.log.Pace", lambda: PACE)
    monkeypatch.setattr("quiltwork.pretrain.join.TELL_EVERY_S", 0.1)
    tiny.data(tmp_path)
    poor = keypair(tmp_path / "poor.json", Payer.from_seed(b"q" * 32))

    async def life(place: str) -> str:
        told: asyncio.Queue[str] = asyncio.Queue()
        joining = asyncio.create_task(join(place, tmp_path / "a", data=tmp_path, threads=1, tell=told.put_nowait))
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await told.get()
        finally:
            joining.cancel()
            await asyncio.gather(joining, return_exceptions=True)

    with cluster() as chain:
        ask(chain, "requestAirdrop", PAYER.address, RICH)
        place = f"solana+{chain.url_of()}#tiny"
        rich = keypair(tmp_path / "rich.json", PAYER)
        meeting.create(tiny.config(), f"{place}?payer={rich}", Identity.generate())
        assert "cannot pay for a transaction: give it some SOL" in asyncio.run(life(f"{place}?payer={poor}"))


# --- how members reach each other ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reaches", "schemes"),
    [(("iroh", "iroh"), (["iroh"], ["iroh"])), (("iroh", "both"), (["iroh"], ["tcp", "iroh"]))],
)
def test_two_members_fetch_from_each_other_over_iroh(
    tmp_path: Path, reaches: tuple[str, str], schemes: tuple[list[str], list[str]]
) -> None:
    place = str(tmp_path / "meeting.db")
    meeting.create(tiny.config(total_steps=4, init_min_clients=2), place, Identity.generate())
    assert together(place, tmp_path, "ab", reaches) == ["finished"] * 2
    with closing(open_log(place)) as log:
        state = check_that_all_have_one_model(log, members=2, steps=4)
    said = sorted((member.said.name, member.said.addresses) for member in state.members.values())
    assert [[address.partition("://")[0] for address in addresses] for _, addresses in said] == list(schemes)
    assert all(member.accepted_units for member in state.members.values())


def test_without_the_extra_iroh_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "iroh", None)
    with pytest.raises(UserError, match=r"transport 'iroh': .*pip install 'quiltwork\[p2p\]'.*tcp"):
        transports("iroh", host="127.0.0.1", port=0)
    with pytest.raises(UserError, match="none of tcp, iroh, both"):
        transports("pigeon", host="127.0.0.1", port=0)
    assert [each.scheme for each in transports("tcp", host="127.0.0.1", port=0)] == ["tcp"]


def test_an_address_that_reaches_nobody_is_refused_and_one_that_is_forwarded_can_be_said() -> None:
    with pytest.raises(UserError, match=r"--host 0\.0\.0\.0 is no address at which others reach"):
        transports("tcp", host="0.0.0.0", port=0)

    async def addresses() -> list[str]:
        async with Exchange(
            MemoryBlobs(), transports("both", host="192.0.2.7", port=0, listen="127.0.0.1")
        ) as exchange:
            return list(exchange.addresses)

    tcp, iroh = asyncio.run(addresses())
    assert re.fullmatch(r"tcp://192\.0\.2\.7:\d+", tcp)
    assert re.fullmatch(r"iroh://[0-9a-f]{64}@192\.0\.2\.7:\d+", iroh)


@pytest.mark.slow
def test_members_of_a_server_may_meet_over_iroh(tmp_path: Path) -> None:
    create(tmp_path / "run", tiny.config(total_steps=3, init_min_clients=2))
    coordinator = Coordinator(tmp_path / "run", host="127.0.0.1", port=0)
    serving = threading.Thread(target=lambda: asyncio.run(coordinator.serve()))
    serving.start()
    try:
        assert together(coordinator.invitation, tmp_path, "ab", ("iroh", "tcp")) == ["finished"] * 2
        check_that_all_have_one_model(coordinator.run.log, members=2, steps=3)
    finally:
        coordinator.stop()
        serving.join()
        coordinator.close()


@pytest.mark.slow
def test_iroh_is_imported_by_those_only_who_use_it() -> None:
    code = "import sys; import quiltwork.pretrain.join; sys.exit('iroh' in sys.modules or 'solders' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# --- when members fail --------------------------------------------------------------------------------------------------


async def killed(running: asyncio.Task[str], member: Member) -> None:
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await member.exchange.aclose()


@pytest.mark.slow
def test_without_one_of_three_the_others_go_on(tmp_path: Path) -> None:
    config = tiny.config(total_steps=8, clock="members", max_round_train_time=3.0, round_witness_time=3.0)

    async def life(village: Village) -> None:
        staying = [await village.member(name) for name in "ab"]
        others = [asyncio.create_task(member.run()) for member in staying]
        failing = await village.member("c")
        running = asyncio.create_task(failing.run())
        await until(lambda: failing.node.state.last >= 2, running)
        await killed(running, failing)
        assert await asyncio.gather(*others) == ["finished"] * 2
        assert len(models(*staying)) == 1
        assert staying[0].node.state.members[village.keys["c"].author].health is Health.DROPPED

    lived(tmp_path, config, life)


@pytest.mark.slow
def test_without_one_of_two_the_time_stands_still_until_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meeting, "STALLED_NS", 3 * 10**9)
    config = tiny.config(total_steps=6, init_min_clients=2, clock="members", max_misses=50)

    async def life(village: Village) -> None:
        staying, failing = [await village.member(name) for name in "ab"]
        other, running = asyncio.create_task(staying.run()), asyncio.create_task(failing.run())
        await until(lambda: failing.node.state.last >= 2, running)
        await killed(running, failing)
        await until(lambda: bool(meeting.standstill(staying.node.state, staying.node.author)), other)
        assert "1 of the 2 members" in meeting.standstill(staying.node.state, staying.node.author)
        again = await village.member("b")
        assert await asyncio.gather(again.run(), other) == ["finished"] * 2
        assert len(models(staying, again)) == 1

    lived(tmp_path, config, life)


# --- the end ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_who_is_done_serves_those_who_are_not(tmp_path: Path) -> None:
    steps = 3
    config = tiny.config(total_steps=steps, round_witness_time=2.0, clock="members", verification_percent=0)

    async def life(village: Village) -> None:
        quick, also_quick, slow = [await village.member(name) for name in "abc"]
        fetch = slow.exchange.fetch

        async def late(*asked: Any, **options: Any) -> Fetched:
            """Get nothing of the last round before the run has been over for a while."""
            state = slow.node.state
            if state.step >= steps - 1:
                while state.phase is not Phase.FINISHED:
                    await asyncio.sleep(0.05)
                await asyncio.sleep(2)
            return await fetch(*asked, **options)

        async def lives(member: Member) -> str:
            why = await member.run()
            await member.exchange.aclose()
            return why

        slow.exchange.fetch = late  # type: ignore[method-assign]
        assert await asyncio.gather(lives(quick), lives(also_quick), lives(slow)) == ["finished"] * 3
        assert len(models(quick, also_quick, slow)) == 1
        assert slow.node.mine.loaded.round == slow.node.state.last

    lived(tmp_path, config, life)
