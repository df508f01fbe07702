"""A hundred runs of six machines, with crashes, partitions, slow links and liars: what must hold holds in all of them."""

from __future__ import annotations

import pytest

from quiltwork.pretrain.simulator import Scenario
from tests.pretrain.simulator.seeds import hold


@pytest.mark.parametrize("start", range(0, 15, 5))
def test_six_machines_hold(start: int) -> None:
    hold(range(start, start + 5), Scenario())


@pytest.mark.slow
@pytest.mark.parametrize("start", range(15, 100, 5))
def test_six_machines_hold_in_eighty_five_more(start: int) -> None:
    hold(range(start, start + 5), Scenario())
