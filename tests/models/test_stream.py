"""Streams: pieces as they come, from a real server and cut in any way."""

import asyncio
from contextlib import aclosing
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.models import Message, ModelUnavailable, Request, RequestRefused
from quiltwork.models.server import Server
from quiltwork.models.wire import Pieces
from tests.models.misbehaving import KEY, Behaviour, FakeTime, Rig, config, delta, error, events, question, reset


def streamed(*behaviours: Behaviour, request: Request | None = None, **fields: object) -> list[str]:
    async def run() -> list[str]:
        async with Rig(*behaviours) as rig:
            server = Server(config(rig.url, **fields), clock=FakeTime().clock)
            try:
                async with aclosing(server.stream(request or question())) as pieces:
                    return [piece async for piece in pieces]
            finally:
                await server.close()

    return asyncio.run(run())


def test_pieces_come_one_by_one() -> None:
    assert streamed(events(delta("Hel"), ": a comment\n\n", delta("lo"), delta(""), delta(" world"))) == [
        "Hel",
        "lo",
        " world",
    ]


def test_a_stream_of_a_completion_has_its_text_elsewhere() -> None:
    line = 'data: {"choices": [{"text": "x = 1"}]}\n\n'
    assert streamed(events(line), request=Request(model="m", prompt="p")) == ["x = 1"]


def test_a_stream_is_tried_again_until_it_begins() -> None:
    assert streamed(error(503), reset, events(delta("yes"))) == ["yes"]


def test_a_stream_that_ends_without_saying_so_is_given_as_far_as_it_came() -> None:
    assert streamed(events(delta("half"), end="")) == ["half"]


@pytest.mark.parametrize("midway", ["data: nonsense\n\n", 'data: {"error": {"message": "boom"}}\n\n'])
def test_a_stream_with_nonsense_in_it_is_unavailable(midway: str) -> None:
    with pytest.raises(ModelUnavailable, match=r"not what the protocol says|boom"):
        streamed(events(delta("half"), midway))


def test_a_stream_that_is_refused_says_why() -> None:
    with pytest.raises(RequestRefused, match="too long"):
        streamed(error(400, "too long"))


def test_a_stream_that_never_ends_is_cut() -> None:
    with pytest.raises(ModelUnavailable, match="larger than"):
        streamed(events(*[delta("x" * 60_000)] * 40), request=question(max_tokens=1))


def test_an_abandoned_stream_leaves_its_place_to_others() -> None:
    async def run() -> None:
        async with Rig(events(delta("a"), delta("b"))) as rig:
            server = Server(config(rig.url, in_flight=1))
            for _ in range(3):
                async with aclosing(server.stream(question())) as pieces:
                    assert await anext(pieces) == "a"
            await server.close()

    asyncio.run(run())


def fed(text: str, cuts: list[int], *, begun: str = "", key: str = "") -> str:
    """What comes out of a stream of this text, cut into packets at any bytes and into events at any characters."""
    messages = (Message("user", "?"),) + ((Message("assistant", begun),) if begun else ())
    pieces = Pieces(Request(model="m", messages=messages), key)
    half = len(text) // 2
    stream = (delta(text[:half]) + delta(text[half : half + 1]) + delta(text[half + 1 :])).encode()
    places = sorted({0, len(stream), *(cut % len(stream) for cut in cuts)})
    out = [p for a, b in pairwise(places) for p in pieces.feed(stream[a:b])]
    return "".join([*out, *pieces.flush()])


@given(st.text(max_size=50), st.lists(st.integers(0, 1000), max_size=8))
def test_however_a_stream_is_cut_the_text_is_the_same(text: str, cuts: list[int]) -> None:
    assert fed(text, cuts) == text


@given(st.text(max_size=30), st.text(max_size=30), st.lists(st.integers(0, 1000), max_size=8))
def test_the_key_never_comes_through_a_stream(before: str, after: str, cuts: list[int]) -> None:
    assert KEY not in fed(before + KEY + after, cuts, key=KEY)
    assert fed(before + KEY + after, cuts, key=KEY) == before + "[key]" + after


@given(st.text(min_size=1, max_size=20), st.text(max_size=30), st.lists(st.integers(0, 1000), max_size=8))
def test_a_repeated_prefill_is_taken_off_a_stream(begun: str, text: str, cuts: list[int]) -> None:
    assert fed(begun + text, cuts, begun=begun) == text
