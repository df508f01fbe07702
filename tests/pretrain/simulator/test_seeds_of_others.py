"""A hundred runs of one to sixteen machines, likewise."""

from __future__ import annotations

import pytest

from quiltwork.pretrain.simulator import Scenario
from tests.pretrain.simulator.seeds import hold


@pytest.mark.parametrize("start", range(0, 10, 5))
def test_a_machine_alone_holds(start: int) -> None:
    hold(range(start, start + 5), Scenario(nodes=1))


@pytest.mark.parametrize("start", range(0, 10, 5))
def test_two_machines_hold(start: int) -> None:
    hold(range(start, start + 5), Scenario(nodes=2))


@pytest.mark.parametrize("start", range(0, 10, 5))
def test_three_machines_hold(start: int) -> None:
    hold(range(start, start + 5), Scenario(nodes=3))


@pytest.mark.slow
@pytest.mark.parametrize("start", range(10, 80, 5))
def test_three_machines_hold_in_seventy_more(start: int) -> None:
    hold(range(start, start + 5), Scenario(nodes=3))


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, 16, 4))
def test_nine_machines_hold(start: int) -> None:
    hold(range(start, start + 4), Scenario(nodes=9))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_sixteen_machines_hold(seed: int) -> None:
    hold(range(seed, seed + 1), Scenario(nodes=16))
