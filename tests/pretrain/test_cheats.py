"""What becomes of one that cheats, in a run of real members. What each cheat's audit finds is in test_trainer.py."""

import asyncio
from pathlib import Path

import pytest

from quiltwork.pretrain.cheats import CHEATS
from quiltwork.pretrain.facts import Health
from tests.pretrain import tiny
from tests.pretrain.village import Village, lived, models


@pytest.mark.slow
def test_one_that_makes_its_gradients_up_is_ejected_and_the_honest_agree(tmp_path: Path) -> None:
    async def life(village: Village) -> None:
        honest = [await village.member(name) for name in "abc"]
        liar = await village.member("liar", CHEATS["random-gradient"])
        ends = await asyncio.gather(liar.run(), *(member.run() for member in honest))
        assert ends == ["ejected", "finished", "finished", "finished"]
        state = honest[0].node.state
        assert state.members[village.keys["liar"].author].health is Health.EJECTED
        assert state.members[village.keys["liar"].author].accepted_units == 0
        assert all(state.members[village.keys[name].author].health is Health.HEALTHY for name in "abc")
        assert len(models(*honest)) == 1

    rules = {"verifier_after": 2, "ejection_at": 50}
    lived(tmp_path, tiny.config(total_steps=40, init_min_clients=4, verification_percent=60.0, audit=rules), life)
