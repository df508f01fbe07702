from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from quiltwork.pretrain.data.http import LONGEST_WAIT_S, TRIES, Http
from quiltwork.pretrain.data.tokens import DataError

URL = "http://data.test/a.bin"
Answer = httpx.Response | Exception


def client(*answers: Answer | Callable[[httpx.Request], Answer]) -> tuple[Http, list[float]]:
    """One that is given these answers in turn, the last one for ever, and the list of its waits."""
    left, waits = list(answers), []

    def answer(request: httpx.Request) -> httpx.Response:
        each = left.pop(0) if len(left) > 1 else left[0]
        found = each if isinstance(each, httpx.Response | Exception) else each(request)
        if isinstance(found, Exception):
            raise found
        return found

    return Http(httpx.Client(transport=httpx.MockTransport(answer)), waits.append), waits


def part(content: bytes = b"abcd", range: str = "bytes 0-3/9", status: int = 206, **headers: str) -> httpx.Response:
    return httpx.Response(status, headers={"Content-Range": range, **headers}, content=content)


def test_a_part_comes_with_the_files_size_and_version() -> None:
    http, waits = client(part(ETag='"1"'))
    assert http.part(URL, 0, 4) == (type(http.part(URL, 0, 4)))(b"abcd", 9, '"1"')
    assert waits == []


def test_a_range_beyond_the_end_gives_what_there_is() -> None:
    http, _ = client(part(b"ab", "bytes 0-1/2"))
    assert http.part(URL, 0, 32).data == b"ab"


def test_a_busy_server_and_a_broken_line_are_asked_again_after_longer_and_longer_waits() -> None:
    http, waits = client(
        httpx.Response(503), httpx.ConnectError("refused"), part(b"ab"), httpx.ReadTimeout("slow"), part()
    )
    assert http.part(URL, 0, 4).data == b"abcd"
    assert waits == [0.5, 1.0, 2.0, 4.0]


def test_a_server_may_say_how_long_to_wait_within_bounds() -> None:
    http, waits = client(
        httpx.Response(429, headers={"Retry-After": "7"}), httpx.Response(429, headers={"Retry-After": "9999"}), part()
    )
    http.part(URL, 0, 4)
    assert waits == [7.0, LONGEST_WAIT_S]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (httpx.Response(503), "the server answered 503 Service Unavailable"),
        (httpx.ConnectError("refused"), "refused"),
        (httpx.ReadTimeout(""), "ReadTimeout"),
    ],
)
def test_it_gives_up_after_a_bounded_number_of_tries(answer: Answer, reason: str) -> None:
    http, waits = client(answer)
    with pytest.raises(DataError, match=f"{URL}: {reason}, {TRIES} times in a row"):
        http.part(URL, 0, 4)
    assert len(waits) == TRIES - 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (httpx.Response(404), "the server answered 404 Not Found"),
        (httpx.Response(200, content=b"all of it"), "must support range requests"),
        (httpx.Response(206, content=b"abcd"), "Content-Range is None"),
        (part(range="bytes 1-4/9"), "asked for bytes 0 to 3, the server sent 1 to 4 of 9"),
        (part(range="bytes 0-2/9", content=b"abc"), "asked for bytes 0 to 3, the server sent 0 to 2 of 9"),
        (part(content=b"abcdef"), "sends more than 4 bytes"),
    ],
)
def test_what_no_waiting_mends_is_said_at_once(answer: Answer, reason: str) -> None:
    http, waits = client(answer)
    with pytest.raises(DataError, match=reason):
        http.part(URL, 0, 4)
    assert waits == []


def test_the_bytes_are_asked_for_as_they_are() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["Range"] == "bytes=4-7"
        assert request.headers["Accept-Encoding"] == "identity"
        return part(range="bytes 4-7/9")

    assert client(answer)[0].part(URL, 4, 8).data == b"abcd"


def test_a_whole_file_has_a_largest_size_and_a_url_must_be_one() -> None:
    http, _ = client(httpx.Response(200, content=b"x" * 10))
    assert http.whole(URL, 10) == b"x" * 10
    with pytest.raises(DataError, match="more than 9 bytes"):
        http.whole(URL, 9)
    with pytest.raises(DataError, match="Invalid port"):
        http.whole("http://data.test:port/", 10)
    http.close()
