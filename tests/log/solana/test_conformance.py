from __future__ import annotations

from collections.abc import Callable

import pytest

from quiltwork.log.solana import Rule, SolanaLog
from tests.log.conformance import LogConformance
from tests.log.solana.conftest import Open
from tests.log.solana.rpc import Cluster

pytestmark = pytest.mark.slow


class TestSolanaLog(LogConformance):
    """Unsigned, since the suite wants a wrong signature to be `verify`'s business; `test_log.py` has signed ones."""

    @pytest.fixture
    def new_log(self, shared: Cluster, opened: Open, new_name: Callable[[], str]) -> Callable[[], SolanaLog]:
        return lambda: opened(shared, Rule(new_name(), signed=False))
