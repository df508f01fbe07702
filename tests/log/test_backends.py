from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from quiltwork.log import Log, MemoryLog, SqliteLog
from quiltwork.log.http import HttpLog, Right, Tokens
from quiltwork.log.http.server import log_routes
from quiltwork.log.postgres import PostgresLog
from tests.log.conformance import LogConformance
from tests.log.postgres_server import PostgresServer
from tests.log.serving import TOKEN, running


class TestMemoryLog(LogConformance):
    @pytest.fixture
    def new_log(self) -> Callable[[], MemoryLog]:
        return MemoryLog


class TestSqliteLog(LogConformance):
    @pytest.fixture
    def new_log(self, tmp_path: Path) -> Callable[[], SqliteLog]:
        numbers = count()
        return lambda: SqliteLog(tmp_path / f"{next(numbers)}.db")


Host = Callable[[Log], HttpLog]


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """One server for many logs: starting and ending one for each test would take longer than the tests."""
    app = Starlette()
    with running(app) as served:

        def serve(log: Log) -> HttpLog:
            name = f"/{len(app.routes)}"
            app.routes.append(Mount(name, routes=log_routes(log, Tokens({TOKEN: set(Right)}))))
            return HttpLog(served.url + name, TOKEN)

        yield serve


class TestHttpLogOverMemory(LogConformance):
    @pytest.fixture
    def new_log(self, host: Host) -> Callable[[], HttpLog]:
        return lambda: host(MemoryLog())


class TestHttpLogOverSqlite(LogConformance):
    @pytest.fixture
    def new_log(self, host: Host, tmp_path: Path) -> Callable[[], HttpLog]:
        numbers = count()
        return lambda: host(SqliteLog(tmp_path / f"{next(numbers)}.db"))


class TestPostgresLog(LogConformance):
    @pytest.fixture
    def new_log(self, postgres: PostgresServer) -> Iterator[Callable[[], PostgresLog]]:
        with ExitStack() as stack:
            yield lambda: stack.enter_context(closing(PostgresLog(postgres.dsn, f"conformance {next(NUMBERS)}")))


NUMBERS = count()
