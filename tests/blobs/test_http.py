from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from quiltwork.blobs import BlobCorrupt, BlobMissing, BlobUnavailable, FolderBlobs, MemoryBlobs, blob_id
from quiltwork.blobs.http import BlobRefused, HttpBlobs
from quiltwork.blobs.server import BlobLimits, BlobRights, parse_range
from quiltwork.blobs.tree import CHUNK_BYTES, outline
from tests.blobs.relay import READER, TOKEN, WRITER, CutLine, relay, served

LARGE = random.Random(1).randbytes(3_000_000)
LARGE_ID = blob_id(LARGE)
SMALL = b"a small blob"


@pytest.fixture(scope="module")
def store() -> MemoryBlobs:
    made = MemoryBlobs()
    made.put(LARGE)
    made.put(SMALL)
    return made


@pytest.fixture(scope="module")
def url(store: MemoryBlobs) -> Iterator[str]:
    with relay(store) as where:
        yield where


def get(url: str, token: str | None = TOKEN, **headers: str) -> httpx.Response:
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    return httpx.get(url, headers=headers, trust_env=False)


def put(url: str, content: bytes, token: str | None = TOKEN, **headers: str) -> httpx.Response:
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    return httpx.put(
        url, content=content, headers={k.replace("_", "-"): v for k, v in headers.items()}, trust_env=False
    )


# The routes


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-99", 10, 100),
        ("bytes=2999990-", 2_999_990, 3_000_000),
        ("bytes=-5", 2_999_995, 3_000_000),
    ],
)
def test_a_range_gives_that_part(url: str, asked: str, start: int, stop: int) -> None:
    answer = get(f"{url}/{LARGE_ID}", range=asked)
    assert answer.status_code == 206
    assert answer.content == LARGE[start:stop]
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/3000000"


@pytest.mark.parametrize("asked", ["bytes=3000000-", "bytes=5-2", "bytes=-", "bytes=0-1,4-5", "chunks=1-2", "bytes=-0"])
def test_a_range_that_cannot_be_given_is_said(url: str, asked: str) -> None:
    answer = get(f"{url}/{LARGE_ID}", range=asked)
    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */3000000"


@given(st.text(), st.integers(0, 10**16))
def test_any_text_as_a_range_is_a_part_or_nothing(text: str, size: int) -> None:
    found = parse_range(text, size)
    assert found is None or 0 <= found[0] < found[1] <= size


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 10**6))
def test_ranges_are_those_of_the_standard(first: int, last: int, size: int) -> None:
    wanted = (first, min(last + 1, size)) if first <= last and first < size else None
    assert parse_range(f"bytes={first}-{last}", size) == wanted


def test_head_tells_the_size_and_sends_nothing(url: str) -> None:
    answer = httpx.head(f"{url}/{LARGE_ID}", headers={"authorization": f"Bearer {TOKEN}"}, trust_env=False)
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, "3000000", b"")
    assert answer.headers["etag"] == f'"{LARGE_ID}"'


def test_the_outline_is_given(url: str) -> None:
    assert get(f"{url}/{LARGE_ID}/outline").content == outline(LARGE)


def test_rights_are_those_of_the_token(url: str) -> None:
    new = b"something that nobody has put"
    assert get(f"{url}/{LARGE_ID}", token=None).status_code == 401
    assert get(f"{url}/{LARGE_ID}", token="wrong").status_code == 401
    assert get(f"{url}/{LARGE_ID}", token=WRITER).status_code == 403
    assert get(f"{url}/{LARGE_ID}", token=READER).status_code == 200
    assert put(f"{url}/{blob_id(new)}", new, token=READER).status_code == 403
    assert put(f"{url}/{blob_id(new)}", new, token=None).status_code == 401
    assert put(f"{url}/{blob_id(new)}", new, token=WRITER).status_code == 201


def test_everybody_has_the_rights_that_are_given_to_anyone() -> None:
    with relay(MemoryBlobs(), anyone=BlobRights.BOTH) as url:
        assert HttpBlobs(url).put(SMALL) == blob_id(SMALL)
        assert HttpBlobs(url).get(blob_id(SMALL)) == SMALL


def test_bytes_that_do_not_match_the_id_are_refused_and_forgotten(tmp_path: Path) -> None:
    store = FolderBlobs(tmp_path)
    with relay(store) as url:
        answer = put(f"{url}/{LARGE_ID}", LARGE[:-1] + b"x")
        assert answer.status_code == 422
        assert not store.has(LARGE_ID)
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
        assert put(f"{url}/{LARGE_ID}", LARGE).status_code == 201


@pytest.mark.parametrize("id", ["nonsense", "A" * 64, "..%2f..%2fetc%2fpasswd", "0" * 63])
def test_nothing_is_stored_under_what_is_no_id(url: str, id: str) -> None:
    assert put(f"{url}/{id}", b"x").status_code == 404
    assert get(f"{url}/{id}").status_code == 404


def test_a_blob_beyond_the_limit_is_refused_before_it_is_read() -> None:
    with relay(MemoryBlobs(), limits=BlobLimits(blob_bytes=1_000)) as url:
        store = HttpBlobs(url, TOKEN, patience_s=5)
        store.put(bytes(1_000))
        with pytest.raises(BlobRefused, match=r"413.*At most 1,000 bytes"):
            store.put(bytes(1_001))


def test_a_token_may_put_its_quota_and_no_more() -> None:
    with relay(MemoryBlobs(), limits=BlobLimits(put_bytes=1_000)) as url:
        store = HttpBlobs(url, TOKEN, patience_s=5)
        store.put(b"a" * 600)
        store.put(b"a" * 600)  # is there, and costs nothing
        with pytest.raises(BlobRefused, match=r"507.*1,000 bytes"):
            store.put(b"b" * 600)
        put(f"{url}/{blob_id(b'x')}", b"c" * 300)  # refused for its id: given back
        store.put(b"d" * 400)
        HttpBlobs(url, WRITER).put(b"e" * 1_000)


def test_who_asks_for_more_than_his_share_is_told_to_come_back(store: MemoryBlobs) -> None:
    with relay(store, limits=BlobLimits(bytes_per_s=20)) as url:
        answers = [get(f"{url}/{LARGE_ID}/outline") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [429] * 3  # 1,472 bytes at 20 a second
        assert {40 < int(answer.headers["retry-after"]) < 80 for answer in answers} == {
            True
        }  # being told costs nothing


def test_a_put_must_say_how_long_it_is(url: str) -> None:
    answer = httpx.put(
        f"{url}/{blob_id(b'xy')}",
        content=iter([b"x", b"y"]),
        headers={"authorization": f"Bearer {TOKEN}"},
        trust_env=False,
    )
    assert answer.status_code == 411


@pytest.mark.parametrize("said", ["bytes 0-9/5", "bytes 3-2/9", "bytes 0-5/100", "0-1/2", "bytes 0-1/*"])
def test_a_part_that_makes_no_sense_is_refused(url: str, said: str) -> None:
    assert put(f"{url}/{blob_id(b'part')}", b"xy", content_range=said).status_code == 400


def test_a_blob_can_be_put_in_parts_and_not_out_of_order(tmp_path: Path) -> None:
    with relay(FolderBlobs(tmp_path)) as url:
        place = f"{url}/{LARGE_ID}"
        assert put(place, LARGE[:1_000], content_range="bytes 0-999/3000000").status_code == 202
        out_of_order = put(place, LARGE[2_000:3_000], content_range="bytes 2000-2999/3000000")
        assert (out_of_order.status_code, out_of_order.headers["upload-offset"]) == (409, "1000")
        other = httpx.head(place, headers={"authorization": f"Bearer {READER}"}, trust_env=False)
        assert other.headers["upload-offset"] == "0"  # what others put is theirs
        assert get(place).headers["upload-offset"] == "1000"
        assert put(place, LARGE[1_000:], content_range="bytes 1000-2999999/3000000").status_code == 201
        assert get(place).content == LARGE


def test_a_full_disk_of_the_server_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with relay(FolderBlobs(tmp_path)) as url:
        monkeypatch.setattr("quiltwork.blobs.uploads.os.pwrite", no_space)
        with pytest.raises(BlobRefused, match=r"507.*disk of this server is full"):
            HttpBlobs(url, TOKEN, patience_s=5).put(SMALL)


def test_a_blob_that_decayed_on_the_server_is_missing_not_wrong(tmp_path: Path) -> None:
    store = FolderBlobs(tmp_path)
    id = store.put(SMALL)
    (tmp_path / id[:2] / id[2:]).write_bytes(b"A small blob")
    with relay(store) as url, pytest.raises(BlobMissing):
        HttpBlobs(url, TOKEN).get(id)


# The store


def test_a_download_goes_on_where_the_line_was_cut(url: str) -> None:
    line = CutLine(urlsplit(url).port or 0, after_bytes=1_200_000, cuts=2)
    try:
        store = HttpBlobs(f"http://127.0.0.1:{line.port}/blobs", TOKEN)
        assert store.get(LARGE_ID) == LARGE
        assert line.connections >= 3
        store.close()
    finally:
        line.close()


def test_an_upload_goes_on_where_the_line_was_cut(tmp_path: Path) -> None:
    data = random.Random(2).randbytes(6_000_000)
    with relay(FolderBlobs(tmp_path)) as url:
        line = CutLine(urlsplit(url).port or 0, after_bytes=2_500_000, cuts=2)
        try:
            store = HttpBlobs(f"http://127.0.0.1:{line.port}/blobs", TOKEN)
            assert store.put(data) == blob_id(data)
            assert line.connections >= 3
            assert HttpBlobs(url, TOKEN).get(blob_id(data)) == data
            store.close()
        finally:
            line.close()


def test_nobody_at_the_address_is_said_when_the_patience_is_over() -> None:
    store = HttpBlobs("http://127.0.0.1:9/blobs", patience_s=0.3)
    with pytest.raises(BlobUnavailable, match="cannot be reached"):
        store.get(LARGE_ID)
    with pytest.raises(BlobUnavailable, match="cannot be reached"):
        store.put(SMALL)
    with pytest.raises(BlobUnavailable, match="cannot be reached"):
        store.has(LARGE_ID)


def test_a_wrong_token_is_refused_at_once(url: str) -> None:
    with pytest.raises(BlobRefused, match=r"401.*not known there"):
        HttpBlobs(url, "wrong").put(b"new" * 50_000)


def lying(**bodies: Any) -> Starlette:
    """A server that gives whatever it is told to as a blob and as an outline."""

    async def blob(request: Request) -> Response:
        body = bodies["blob"]
        if callable(body):
            return StreamingResponse(body(), headers=bodies.get("headers"))
        return Response(body)

    async def its_outline(request: Request) -> Response:
        body = bodies.get("outline")
        return Response(status_code=404) if body is None else Response(body)

    return Starlette(routes=[Route("/{id}/outline", its_outline), Route("/{id}", blob)])


def endless() -> Iterator[bytes]:
    while True:
        yield bytes(CHUNK_BYTES)


@pytest.mark.parametrize(
    ("server", "error", "said"),
    [
        ({"blob": b"x" * 300_000}, BlobCorrupt, "something else"),
        ({"blob": b"x"}, BlobCorrupt, "something else"),
        ({"blob": b"x" * 3_000_000, "outline": outline(LARGE)}, BlobCorrupt, "wrong bytes .* from 0 on"),
        ({"blob": LARGE, "outline": outline(LARGE[:-1] + b"x")}, BlobCorrupt, "wrong outline"),
        ({"blob": LARGE, "outline": b"x" * 10}, BlobCorrupt, "wrong outline"),
        ({"blob": endless}, BlobUnavailable, "does not say how long"),
        ({"blob": endless, "headers": {"content-length": str(1 << 40)}}, BlobUnavailable, "more than"),
    ],
)
def test_a_lying_server_is_found_out(server: dict[str, Any], error: type[Exception], said: str) -> None:
    with served(lying(**server)) as url, pytest.raises(error, match=said):
        HttpBlobs(url, patience_s=1.0).get(LARGE_ID)


def test_a_wrong_chunk_is_found_before_the_rest_has_come() -> None:
    sent = []

    def wrong_from_the_beginning() -> Iterator[bytes]:
        for start in range(0, 40_000_000, CHUNK_BYTES):
            sent.append(start)
            yield bytes(min(CHUNK_BYTES, 40_000_000 - start))

    data = random.Random(5).randbytes(40_000_000)
    server = lying(blob=wrong_from_the_beginning, outline=outline(data), headers={"content-length": "40000000"})
    with served(server) as url, pytest.raises(BlobCorrupt, match="wrong bytes"):
        HttpBlobs(url).get(blob_id(data))
    assert sent[-1] < 35_000_000


def test_files_on_a_plain_web_server_can_be_got() -> None:
    with served(lying(blob=LARGE)) as url:
        assert HttpBlobs(url).get(LARGE_ID) == LARGE
