import asyncio
import string
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.models import Message, ModelConfig, ModelError, ModelUnavailable, Reply, Request
from quiltwork.models.base import Bound
from quiltwork.models.cassette import Cassette, CassetteError, CassetteModels, Recorder, save
from quiltwork.models.gateway import open_models

CONFIGS = (ModelConfig(name="m", url="https://example.org/v1"),)

texts = st.text(max_size=40)
requests = st.one_of(
    st.builds(
        Request,
        model=st.sampled_from(["m", "other"]),
        messages=st.lists(st.builds(Message, st.sampled_from(["system", "user"]), texts), min_size=1, max_size=3).map(
            tuple
        ),
        temperature=st.floats(0, 2),
        seed=st.integers(0, 2**63 - 1),
        schema=st.none() | st.dictionaries(texts, st.integers() | texts, max_size=3),
    ),
    st.builds(Request, model=st.just("m"), prompt=st.text(min_size=1, max_size=60), n=st.integers(1, 5)),
)
replies = st.builds(
    Reply,
    texts=st.lists(texts, min_size=1, max_size=4).map(tuple),
    prompt_tokens=st.integers(0, 10**6),
    usd=st.floats(0, 100),
    wall_s=st.floats(0, 1e4),
    estimated=st.booleans(),
)
recordings = st.dictionaries(requests.map(Request.encode), replies, max_size=8).map(
    lambda found: [(msgspec.json.decode(request, type=Request), reply) for request, reply in found.items()]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cassettes")


@given(recordings)
def test_a_cassette_gives_back_what_was_recorded_in_its_order(folder: Path, pairs: list[tuple[Request, Reply]]) -> None:
    path = folder / "tape.jsonl"
    assert save(path, pairs) == len(pairs)
    assert list(Cassette.load(path)) == pairs
    again = path.read_bytes()
    save(path, Cassette.load(path))
    assert path.read_bytes() == again
    models = open_models(CONFIGS, cassette=path)
    for request, reply in pairs:
        assert asyncio.run(models.ask(request)) == reply


@given(recordings.filter(bool), st.data())
def test_a_file_torn_at_any_byte_keeps_its_whole_lines(
    folder: Path, pairs: list[tuple[Request, Reply]], data: st.DataObject
) -> None:
    path = folder / "torn.jsonl"
    save(path, pairs)
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    cassette = Cassette.load(path)
    assert list(cassette) == pairs[: whole[:cut].count(b"\n")]
    assert bool(cassette.note) == (cut > 0 and whole[cut - 1 : cut] != b"\n")


def ask(models: CassetteModels, **fields: object) -> Reply:
    return asyncio.run(models.ask(Request(model="m", **fields)))  # type: ignore[arg-type]


def test_what_is_not_recorded_names_the_file_the_model_and_the_difference(tmp_path: Path) -> None:
    recorded = Request(model="m", messages=(Message("system", "s"), Message("user", "Red or blue?")), seed=3)
    other = Request(model="m", prompt="quite another", seed=4, temperature=0.1)
    save(tmp_path / "tape.jsonl", [(other, Reply(texts=("x",))), (recorded, Reply(texts=("Red.",)))])
    models = CassetteModels(Cassette.load(tmp_path / "tape.jsonl"), CONFIGS)
    with pytest.raises(ModelUnavailable) as caught:
        ask(models, messages=(Message("system", "s"), Message("user", "Red or green?")), seed=4)
    assert "tape.jsonl" in str(caught.value)
    assert "'m'" in str(caught.value)
    assert "differs in messages.1.content, seed" in str(caught.value)
    with pytest.raises(ModelUnavailable, match="only of: m"):
        asyncio.run(models.ask(Request(model="n", prompt="x")))


def test_a_line_that_is_no_reply_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl"
    save(path, [(Request(model="m", prompt="a"), Reply(texts=("b",)))])
    path.write_bytes(path.read_bytes() + b'{"request": {"model": "m"}}\n')
    with pytest.raises(CassetteError, match=r"tape\.jsonl:2: not a recorded reply"):
        Cassette.load(path)


def test_two_replies_to_one_request_are_refused(tmp_path: Path) -> None:
    request = Request(model="m", prompt="a")
    save(tmp_path / "tape.jsonl", [(request, Reply(texts=("b",))), (request, Reply(texts=("c",)))])
    with pytest.raises(CassetteError, match=r"tape\.jsonl:2: this request has another reply"):
        open_models(CONFIGS, cassette=tmp_path / "tape.jsonl")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CassetteError, match=r"none\.jsonl: cannot be read"):
        open_models(CONFIGS, cassette=tmp_path / "none.jsonl")


def test_a_bound_is_the_same_with_and_without_a_cassette(tmp_path: Path) -> None:
    save(tmp_path / "tape.jsonl", [])
    configs = (*CONFIGS, ModelConfig(name="l", local="smollm2-135m"))
    live, replayed = open_models(configs), open_models(configs, cassette=tmp_path / "tape.jsonl")
    for name in ("m", "l"):
        request = Request(model=name, prompt="x" * string.printable.index("z"), n=9)
        assert live.bound(request) == replayed.bound(request)
    for models in (live, replayed):
        with pytest.raises(ModelError, match="there are: m, l"):
            models.bound(Request(model="x", prompt="y"))


class Counting:
    """Models that answer with how often they were asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def ask(self, request: Request) -> Reply:
        self.asked += 1
        said = str(self.asked)
        await asyncio.sleep(0)
        return Reply(texts=(said,))

    def bound(self, request: Request) -> Bound:
        return Bound(tokens=1, usd=0.0)

    async def close(self) -> None:
        self.asked = -1


def test_a_recorder_writes_every_reply_before_it_gives_it(tmp_path: Path) -> None:
    async def run() -> None:
        models = Counting()
        recorder = Recorder(models, tmp_path / "tape.jsonl")
        for number in range(3):
            reply = await recorder.ask(Request(model="m", prompt=f"question {number}"))
            assert list(Cassette.load(tmp_path / "tape.jsonl"))[number][1] == reply
        await recorder.close()
        assert models.asked == -1

    asyncio.run(run())


def test_a_recorder_goes_on_after_a_kill_and_asks_nothing_twice(tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl"
    first, second, third = (Request(model="m", prompt=text) for text in "abc")
    save(path, [(first, Reply(texts=("old",))), (second, Reply(texts=("lost",)))])
    path.write_bytes(path.read_bytes()[:-5])

    async def run() -> None:
        models = Counting()
        recorder = Recorder(models, path)
        assert (await recorder.ask(first)).texts == ("old",)
        assert models.asked == 0
        replies = await asyncio.gather(recorder.ask(second), recorder.ask(second), recorder.ask(third))
        assert replies[0] == replies[1]
        await recorder.close()

    asyncio.run(run())
    assert [request for request, _ in Cassette.load(path)] == [first, second, third]
    assert not Cassette.load(path).note
