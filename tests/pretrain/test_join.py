"""Members join a run by its log alone, without a server: they tell the time themselves, and fetch from each other."""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from quiltwork.errors import UserError
from quiltwork.keys import Identity
from quiltwork.log import Log, MemoryLog, SqliteLog, Writer, decode
from quiltwork.log.open import open_log
from quiltwork.pretrain import meeting
from quiltwork.pretrain.entries import Joined, Left, Ticked
from quiltwork.pretrain.facts import Health, Phase, RunState
from quiltwork.pretrain.join import Way, join
from quiltwork.pretrain.state import apply
from tests.pretrain import tiny

PATIENCE_S = 240


def together(where: str | Way, folder: Path, names: Sequence[str] = "abc", transport: str = "tcp") -> list[str]:
    """Let members take part until each of them ends, in one process."""

    async def all_of_them() -> list[str]:
        async with asyncio.timeout(PATIENCE_S):
            return await asyncio.gather(
                *(
                    join(where, folder / name, name=name, transport=transport, threads=1, data=folder)
                    for name in names
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
    assert together(place, tmp_path) == ["finished"] * 3
    with_all = open_log(place)
    state = check_that_all_have_one_model(with_all, members=3, steps=4)
    said = [decode(entry) for entry in with_all.read()]
    with_all.close()
    assert state.owner not in state.members
    assert any(isinstance(body, Ticked) for body in said)
    assert all(address.startswith("tcp://") for body in said if isinstance(body, Joined) for address in body.addresses)
