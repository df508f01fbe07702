from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.blobs.tree import CHUNK_BYTES, chunk_bytes, chunk_count
from quiltwork.blobs.wire import (
    LARGEST_BYTES,
    OUTLINE,
    REPLY_BYTES,
    REQUEST_BYTES,
    Request,
    Status,
    WireError,
    decode_reply,
    decode_request,
    encode_reply,
    encode_request,
)

IDS = st.binary(min_size=32, max_size=32).map(bytes.hex)


@given(IDS, st.integers(0, LARGEST_BYTES), st.integers(OUTLINE, LARGEST_BYTES // CHUNK_BYTES))
def test_requests_come_back_as_they_were(id: str, size: int, index: int) -> None:
    request = Request(id, size, min(index, chunk_count(size) - 1))
    encoded = encode_request(request)
    assert len(encoded) == REQUEST_BYTES
    assert decode_request(encoded) == request


@given(st.binary(min_size=REQUEST_BYTES, max_size=REQUEST_BYTES))
def test_any_bytes_are_a_request_that_can_be_answered_or_an_error(data: bytes) -> None:
    try:
        request = decode_request(data)
    except WireError:
        return
    assert 0 <= request.answer_bytes <= max(CHUNK_BYTES, 32 * chunk_count(LARGEST_BYTES))


@given(st.binary(min_size=REPLY_BYTES, max_size=REPLY_BYTES), st.integers(0, 10**7), st.integers(OUTLINE, 100))
def test_no_reply_makes_us_read_more_than_was_asked_for(data: bytes, size: int, index: int) -> None:
    request = Request("0" * 64, size, min(index, chunk_count(size) - 1))
    try:
        status, length = decode_reply(data, request)
    except WireError:
        return
    assert length == (request.answer_bytes if status is Status.HERE else 0)


@pytest.mark.parametrize("status", list(Status))
def test_replies_come_back_as_they_were(status: Status) -> None:
    request = Request("0" * 64, 3 * CHUNK_BYTES + 5, 3)
    length = chunk_bytes(request.size, 3) if status is Status.HERE else 0
    assert decode_reply(encode_reply(status, length), request) == (status, length)
