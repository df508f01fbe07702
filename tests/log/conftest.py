"""Assertions in the conformance suite explain themselves as those in tests do; and a Postgres server for those who ask."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.log.postgres_server import PostgresServer, made

pytest.register_assert_rewrite("tests.log.conformance")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    server = made()
    yield server
    server.stop()
    shutil.rmtree(server.folder)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exchange may take a tenth of a second."""
    monkeypatch.setattr("quiltwork.log.http.errand.ANSWER_S", 0.1)
    monkeypatch.setattr("quiltwork.log.http.errand.SILENCE_S", 0.1)
    monkeypatch.setattr("quiltwork.log.http.errand.SLOWEST_BYTES_PER_S", 1 << 30)
