from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from quiltwork.log import MemoryLog, SqliteLog
from tests.log.conformance import LogConformance


class TestMemoryLog(LogConformance):
    @pytest.fixture
    def new_log(self) -> Callable[[], MemoryLog]:
        return MemoryLog


class TestSqliteLog(LogConformance):
    @pytest.fixture
    def new_log(self, tmp_path: Path) -> Callable[[], SqliteLog]:
        numbers = count()
        return lambda: SqliteLog(tmp_path / f"{next(numbers)}.db")
