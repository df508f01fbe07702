"""Who is let in, and what a page may do."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from quiltwork.web.security import Door, Guard, loopback_names
from tests.evolve.helpers import quiltwork

TOKEN = "a" * 32
HOME = "http://127.0.0.1:8377"


async def secret(request: Request) -> PlainTextResponse:
    return PlainTextResponse("secret")


def client(*, any_address: bool = False, base: str = HOME) -> TestClient:
    app = Starlette(routes=[Route("/{rest:path}", secret, methods=["GET", "POST"])])
    door = Door(8377, TOKEN, loopback_names(), any_address)
    return TestClient(Guard(app, door), base_url=base, follow_redirects=False)


def let_in() -> TestClient:
    found = client()
    assert found.get(f"/?token={TOKEN}").status_code == 303
    return found


def test_without_a_token_nothing_is_said() -> None:
    answer = client().get("/")
    assert answer.status_code == 401
    assert "secret" not in answer.text


@pytest.mark.parametrize("given", ["", "b" * 32, TOKEN[:-1], TOKEN + "a", "\u00e4" * 32])
def test_a_wrong_token_opens_nothing_wherever_it_is_given(given: str) -> None:
    assert client().get("/", params={"token": given}).status_code == 401
    assert client().get("/", headers={"authorization": f"Bearer {given}".encode()}).status_code == 401
    assert client().get("/", headers={"cookie": f"quiltwork-8377={given}".encode()}).status_code == 401


def test_two_tokens_in_one_address_are_none() -> None:
    assert client().get(f"/?token={TOKEN}&token={TOKEN}").status_code == 401


def test_the_token_is_changed_for_a_cookie_that_scripts_and_other_sites_do_not_have() -> None:
    answer = client().get(f"/runs/one?token={TOKEN}&show=all")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/runs/one?show=all"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert let_in().get("/runs/one").text == "secret"


@pytest.mark.parametrize("path", ["//elsewhere.example/", "/\\elsewhere.example/", "///elsewhere.example"])
def test_the_way_from_the_token_leads_to_no_other_host(path: str) -> None:
    answer = client().get(f"{HOME}{path}?token={TOKEN}")
    assert answer.headers["location"].startswith("/elsewhere.example")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8377",
        "127.0.0.1",
        "127.0.0.1:80",
        "127.0.0.1:8377.evil.example",
        "localhost:1",
        "",
    ],
)
def test_a_strange_host_is_refused_even_with_the_token(host: str) -> None:
    answer = client().get("/", headers={"host": host, "authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 421
    assert "secret" not in answer.text


@pytest.mark.parametrize("host", ["localhost:8377", "LOCALHOST:8377", "127.0.0.1:8377", "[::1]:8377"])
def test_the_names_of_this_machine_are_known(host: str) -> None:
    assert client().get("/", headers={"host": host, "authorization": f"Bearer {TOKEN}"}).text == "secret"


def test_an_exposed_server_answers_to_addresses_and_not_to_names() -> None:
    def ask(host: str) -> int:
        headers = {"host": host, "authorization": f"Bearer {TOKEN}"}
        return client(any_address=True).get("/", headers=headers).status_code

    assert ask("192.0.2.7:8377") == 200
    assert ask("rebound.example:8377") == 421


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "https://127.0.0.1:8377"},
        {"origin": HOME, "sec-fetch-site": "cross-site"},
        {"origin": HOME, "sec-fetch-site": "same-site"},
    ],
)
def test_an_order_from_another_site_is_refused_though_the_cookie_came_along(headers: dict[str, str]) -> None:
    assert let_in().post("/api/runs", json={}, headers=headers).status_code == 403


def test_an_order_from_our_own_page_passes() -> None:
    headers = {"origin": HOME, "sec-fetch-site": "same-origin"}
    assert let_in().post("/api/runs", json={}, headers=headers).text == "secret"


def test_a_script_with_the_token_in_a_header_needs_no_origin() -> None:
    assert client().post("/api/runs", json={}, headers={"authorization": f"Bearer {TOKEN}"}).text == "secret"


@pytest.mark.parametrize("path", ["/", "/missing"])
def test_every_answer_is_strict_also_the_refusals(path: str) -> None:
    for answer in (client().get(path), let_in().get(path)):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"


def test_other_machines_are_let_in_only_by_those_who_say_that_they_know() -> None:
    done = quiltwork("web", "--host", "0.0.0.0", "--port", "0", check=False)
    assert done.returncode == 2
    assert "--i-know" in done.stderr
    assert "Traceback" not in done.stderr
