"""The real SmolLM2, served by llama.cpp in this process."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from quiltwork.models import Message, ModelConfig, ModelError, Reply, Request, RequestRefused
from quiltwork.models.gateway import Gateway
from quiltwork.models.local import LocalModelError, LocalServer, threads
from quiltwork.models.server import Server

SMALL = {"context_tokens": 1024, "in_flight": 3, "threads": 1}
Result = TypeVar("Result")


@pytest.fixture(scope="module")
def served(smollm2: Path) -> Iterator[ModelConfig]:
    """One server for the tests of this file."""
    server = LocalServer(ModelConfig(name="m", local=str(smollm2), **SMALL))  # type: ignore[arg-type]
    yield server.config
    server.close()


def with_server(config: ModelConfig, use: Callable[[Server], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        server = Server(config, llama=True)
        try:
            return await use(server)
        finally:
            await server.close()

    return asyncio.run(run())


def chat(text: str, *begun: str, **fields: object) -> Request:
    messages = (Message("user", text), *(Message("assistant", said) for said in begun))
    return Request(model="m", messages=messages, **{"max_tokens": 12, **fields})  # type: ignore[arg-type]


def ask(config: ModelConfig, request: Request) -> Reply:
    return with_server(config, lambda server: server.ask(request))


def test_a_model_answers_with_what_it_used(served: ModelConfig) -> None:
    reply = ask(served, chat("Name a colour."))
    assert reply.texts[0].strip()
    assert 1 <= reply.completion_tokens <= 12
    assert reply.prompt_tokens > 5
    assert (reply.usd, reply.estimated, reply.attempts) == (0.0, False, 1)


def test_equal_seeds_give_equal_answers(served: ModelConfig) -> None:
    first, again, other = (ask(served, chat("Tell a story.", seed=seed, max_tokens=20)) for seed in (5, 5, 6))
    assert first.texts == again.texts
    assert first.texts != other.texts


def test_more_answers_than_slots_come_in_several_calls_and_differ(served: ModelConfig) -> None:
    reply = ask(served, chat("Tell a story.", n=5, temperature=1.5))
    assert len(reply.texts) == 5
    assert len(set(reply.texts)) >= 4
    assert reply.attempts == 2


def test_a_prefill_is_gone_on_from_and_not_repeated(served: ModelConfig) -> None:
    reply = ask(served, chat("Count from one to five.", "1, 2, 3,", temperature=0.0))
    assert not reply.texts[0].startswith("1, 2, 3,")
    assert "4" in reply.texts[0]


def test_a_prompt_is_gone_on_from(served: ModelConfig) -> None:
    reply = ask(served, Request(model="m", prompt="1, 2, 3, 4, 5, 6,", temperature=0.0, max_tokens=12, stop=("9",)))
    assert "7" in reply.texts[0]
    assert "9" not in reply.texts[0]
    assert reply.finish == ("stop",)


def test_a_schema_is_kept_to(served: ModelConfig) -> None:
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
    reply = ask(served, chat("How old is a cat?", schema=schema, max_tokens=40))
    assert isinstance(json.loads(reply.texts[0])["age"], int)


@pytest.mark.slow
def test_a_prompt_with_a_known_beginning_is_not_read_again(served: ModelConfig) -> None:
    long = "A list of words: " + "one two three four " * 50
    ask(served, chat(long + "First?", max_tokens=1))
    reply = ask(served, chat(long + "Second?", max_tokens=1))
    assert reply.cached_tokens > 0.8 * reply.prompt_tokens


def test_a_prompt_beyond_the_context_is_refused_and_others_go_on(served: ModelConfig) -> None:
    with pytest.raises(RequestRefused, match="context"):
        ask(served, chat("word " * 3000))
    assert ask(served, chat("Hello?")).texts


def test_a_stream_gives_the_same_text_as_a_reply(served: ModelConfig) -> None:
    request = chat("Name a colour.", temperature=0.0)

    async def streamed(server: Server) -> str:
        return "".join([piece async for piece in server.stream(request)])

    assert with_server(served, streamed).strip() == ask(served, request).texts[0].strip()


@pytest.mark.slow
def test_many_requests_share_the_slots(served: ModelConfig) -> None:
    async def many(server: Server) -> list[Reply]:
        return await asyncio.gather(*(server.ask(chat(f"{number}?", max_tokens=4)) for number in range(8)))

    assert len(with_server(served, many)) == 8


def test_no_web_page_may_read_from_it(served: ModelConfig) -> None:
    answer = httpx.get(f"{served.url}/models", headers={"origin": "http://evil.example"}, trust_env=False, timeout=60)
    assert answer.headers.get("access-control-allow-origin", "") not in ("*", "http://evil.example")


@pytest.mark.slow
def test_a_gateway_starts_a_local_model_when_it_is_asked_first(smollm2: Path) -> None:
    async def run() -> None:
        gateway = Gateway([ModelConfig(name="m", local="smollm2-135m", **SMALL)])  # type: ignore[arg-type]
        assert not gateway._started
        first, second = await asyncio.gather(gateway.ask(chat("A?")), gateway.ask(chat("B?")))
        assert first.texts
        assert second.texts
        assert len(gateway._started) == 1
        with pytest.raises(ModelError, match="no model 'x' here; there are: m"):
            await gateway.ask(Request(model="x", prompt="y"))
        await gateway.close()

    asyncio.run(run())


def test_a_model_that_was_not_fetched_says_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUILTWORK_CACHE", str(tmp_path))
    with pytest.raises(LocalModelError, match="quiltwork models fetch smollm2-135m"):
        LocalServer(ModelConfig(name="m", local="smollm2-135m"))


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(LocalModelError, match=r"nowhere\.gguf.*qwen2\.5-coder"):
        LocalServer(ModelConfig(name="m", local="/nowhere.gguf"))


def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"GGUF" + bytes(1000))
    with pytest.raises(LocalModelError, match=r"bad\.gguf"):
        LocalServer(ModelConfig(name="m", local=str(tmp_path / "bad.gguf")))


def test_without_the_extra_it_says_what_to_install(smollm2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(LocalModelError, match=r"pip install 'quiltwork\[local\]'"):
        LocalServer(ModelConfig(name="m", local=str(smollm2)))


def test_threads_are_one_less_than_the_cores_and_at_least_one() -> None:
    assert threads(ModelConfig(name="m", local="x.gguf", threads=5)) == 5
    assert threads(ModelConfig(name="m", local="x.gguf")) >= 1
