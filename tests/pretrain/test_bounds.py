"""What members may use of a run's server together."""

from pathlib import Path
from typing import NamedTuple

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, Router
from starlette.testclient import TestClient

from quiltwork.pretrain import bounds
from quiltwork.pretrain.bounds import Reserved, blob_limits, log_limits
from quiltwork.pretrain.config import Coordinator
from quiltwork.pretrain.recipe import RunConfig, load


def created(config: RunConfig) -> object:
    return config.created(seed=bytes(32), version="0")


def test_the_members_of_a_large_run_can_all_follow_it() -> None:
    few, many = log_limits(Coordinator(max_clients=4)), log_limits(Coordinator(max_clients=2_048))
    assert many.followers_per_token > 2_048
    assert many.token_requests.per_s == 32 * few.token_requests.per_s
    assert many.author_statements == few.author_statements, "what one may say does not depend on how many there are"


def test_every_honest_blob_may_be_put() -> None:
    demo, large = load("demo"), load("consilience-40b")
    assert blob_limits(created(demo), demo.rules).blob_bytes == bounds.LEAST_BLOB_BYTES
    limit = blob_limits(created(large), large.rules).blob_bytes
    assert limit > 2 * 4 * 40e9 * 0.9, "an audit discloses the states before and after"


def test_what_is_left_of_a_disk_is_for_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Disk(NamedTuple):
        total: int
        used: int
        free: int

    async def take(request: Request) -> Response:
        await request.body()
        return Response(status_code=201)

    routes = [Route("/{id}", take, methods=["GET", "PUT"])]
    client = TestClient(Starlette(routes=[Mount("/blobs", Reserved(Router(routes), tmp_path))]))
    monkeypatch.setattr("shutil.disk_usage", lambda _: Disk(100 << 30, 0, 2 << 30))
    assert client.put("/blobs/x", content=b"1").status_code == 201
    monkeypatch.setattr("shutil.disk_usage", lambda _: Disk(100 << 30, 0, 1 << 29))
    refused = client.put("/blobs/x", content=b"1")
    assert refused.status_code == 507
    assert "nearly full" in refused.text
    assert client.get("/blobs/x").status_code == 201, "what is there is given as before"
