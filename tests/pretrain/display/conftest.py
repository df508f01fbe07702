"""Runs to show."""

from __future__ import annotations

import pytest

from quiltwork.pretrain.views import RunView, snapshot
from tests.pretrain import simulated
from tests.pretrain.simulated import Simulated, watched

HOSTILE = "\x1b[2J[bold]x[/]\u202e\n"


def view_of(run: Simulated, share: float = 1.0) -> RunView:
    """One moment of a run."""
    watch = watched(run, share)
    return snapshot(watch.state, watch.story)


@pytest.fixture(scope="session")
def eventful() -> Simulated:
    """A run in which a liar was ejected, others crashed, and units were lost."""
    return simulated.eventful()
