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
