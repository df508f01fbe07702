"""The client against a real server that misbehaves."""

import asyncio
import json
import logging
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from quiltwork.models import Message, ModelUnavailable, Request, RequestRefused
from quiltwork.models.server import Server
from tests.models.misbehaving import (
    KEY,
    FakeTime,
    Rig,
    Seen,
    answer,
    ask,
    config,
    echo,
    error,
    hang,
    question,
    raw,
    reset,
    truncated,
)


def test_a_chat_is_answered_with_what_it_used() -> None:
    done = ask(echo, usd_per_mtok_in=2, usd_per_mtok_out=10)
    assert done.reply is not None
    assert done.reply.texts == ("What?",)
    assert (done.reply.prompt_tokens, done.reply.completion_tokens, done.reply.estimated) == (5, 5, False)
    assert done.reply.usd == pytest.approx(60e-6)
    assert done.rig.seen[0].path == "/v1/chat/completions"


def test_a_completion_has_a_prompt_and_no_messages() -> None:
    done = ask(echo, request=Request(model="m", prompt="def f(", n=2, stop=("\n",), seed=2**40 + 7))
    assert done.reply is not None
    assert done.reply.texts == ("def f(", "def f(")
    sent = done.rig.seen[0]
    assert sent.path == "/v1/completions"
    assert "messages" not in sent.body
    assert (sent.body["n"], sent.body["stop"], sent.body["seed"]) == (2, ["\n"], 7)


def test_a_schema_goes_as_a_response_format() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    sent = ask(echo, request=question(schema=schema)).rig.seen[0].body
    assert sent["response_format"]["json_schema"]["schema"] == schema


@pytest.mark.parametrize("repeated", ["def f():\n    return 1", "return 1"])
def test_a_prefill_is_not_part_of_the_answer_whether_the_server_repeats_it_or_not(repeated: str) -> None:
    request = Request(model="m", messages=(Message("user", "f?"), Message("assistant", "def f():\n    ")))
    done = ask(answer(repeated), request=request)
    assert done.reply is not None
    assert done.reply.texts == ("return 1",)


def test_missing_usage_is_estimated_and_marked() -> None:
    done = ask(answer("x" * 300), request=question("y" * 3000))
    assert done.reply is not None
    assert done.reply.estimated
    assert 1000 <= done.reply.prompt_tokens <= 1010
    assert done.reply.completion_tokens == 100


def test_fewer_answers_than_asked_for_are_given_as_they_are_and_more_are_cut() -> None:
    assert ask(answer("a"), request=question(n=3)).reply.texts == ("a",)  # type: ignore[union-attr]
    assert ask(answer("a", "b", "c"), request=question(n=2)).reply.texts == ("a", "b")  # type: ignore[union-attr]


def test_an_answer_without_words_is_an_empty_one() -> None:
    thought = {"choices": [{"message": {"content": None, "reasoning_content": "hm"}, "finish_reason": "length"}]}
    done = ask(raw(200, json.dumps(thought)))
    assert done.reply is not None
    assert (done.reply.texts, done.reply.finish) == (("",), ("length",))


@pytest.mark.parametrize("behaviour", [error(500), error(503), error(408), error(409), reset, truncated])
def test_what_may_pass_is_tried_again(behaviour: object) -> None:
    done = ask(behaviour, behaviour, echo)  # type: ignore[arg-type]
    assert done.reply is not None, done.error
    assert done.reply.attempts == 3
    assert done.time.slept == [0.5, 1.0]
    assert len(done.heard) == 2
    assert "trying again" in done.heard[0]


def test_a_server_that_hangs_is_left_after_the_timeout() -> None:
    done = ask(hang, echo, timeout_s=0.2)
    assert done.reply is not None
    assert done.reply.attempts == 2
    assert "no answer in time" in done.heard[0]


def test_nobody_there_at_all_is_unavailable_and_named() -> None:
    done = _ask_nobody()
    assert isinstance(done, ModelUnavailable)
    assert "model 'm' at http://127.0.0.1:9/v1" in str(done)
    assert "patience_s = 20" in str(done)


def _ask_nobody() -> Exception:
    async def run() -> Exception:
        server = Server(config("http://127.0.0.1:9/v1", patience_s=20), clock=FakeTime().clock)
        with pytest.raises(ModelUnavailable) as caught:
            await server.ask(question())
        await server.close()
        return caught.value

    return asyncio.run(run())


def test_patience_ends_in_unavailable() -> None:
    done = ask(error(500, "down for maintenance"), patience_s=100)
    assert isinstance(done.error, ModelUnavailable)
    assert "HTTP 500: down for maintenance" in str(done.error)
    assert 70 < done.time.now <= 100
    assert max(done.time.slept) == 30


def test_no_patience_is_one_attempt() -> None:
    assert len(ask(error(500), patience_s=0).rig.seen) == 1


def test_retry_after_is_honoured_in_seconds() -> None:
    done = ask(error(429, retry_after="7"), echo, patience_s=10_000)
    assert done.reply is not None
    assert sum(done.time.slept) == pytest.approx(7, abs=2)


def test_retry_after_is_honoured_as_a_date() -> None:
    in_an_hour = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    done = ask(error(429, retry_after=in_an_hour), echo, patience_s=10_000)
    assert done.reply is not None
    assert sum(done.time.slept) == pytest.approx(3600, abs=200)


def test_a_server_that_asks_for_more_patience_than_there_is_is_not_waited_for() -> None:
    done = ask(error(429, retry_after="86400"))
    assert isinstance(done.error, ModelUnavailable)
    assert done.time.slept == []


def test_one_request_told_to_wait_holds_the_others_back() -> None:
    async def run() -> float:
        time = FakeTime()
        async with Rig(error(429, retry_after="40"), echo) as rig:
            server = Server(config(rig.url), clock=time.clock)
            await server.ask(question("first"))
            before = time.now
            server._pace.pause(25)
            await server.ask(question("second"))
            await server.close()
        return time.now - before

    assert asyncio.run(run()) == pytest.approx(25)


@pytest.mark.parametrize(("status", "said"), [(401, "key_env"), (403, "key_env"), (404, "/v1"), (402, "credit")])
def test_what_only_the_user_can_mend_is_unavailable_at_once(status: int, said: str) -> None:
    done = ask(error(status, "because"))
    assert isinstance(done.error, ModelUnavailable)
    assert f"HTTP {status}: because" in str(done.error)
    assert said in str(done.error)
    assert len(done.rig.seen) == 1


def test_a_quota_that_is_used_up_is_not_waited_for() -> None:
    body = json.dumps({"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}})
    done = ask(raw(429, body))
    assert isinstance(done.error, ModelUnavailable)
    assert len(done.rig.seen) == 1


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_that_will_never_do_is_refused_at_once(status: int) -> None:
    done = ask(error(status, "context length exceeded"))
    assert isinstance(done.error, RequestRefused)
    assert "context length exceeded" in str(done.error)
    assert len(done.rig.seen) == 1


def test_a_redirect_is_not_followed_with_the_key() -> None:
    done = ask(error(302, location="http://127.0.0.1:9/elsewhere"))
    assert isinstance(done.error, ModelUnavailable)
    assert len(done.rig.seen) == 1


@pytest.mark.parametrize(
    "body",
    ["<html>welcome</html>", "[]", "{}", '{"choices": []}', '{"choices": [{"x": 1}]}', '{"choices": "no"}', "\xff"],
)
def test_nonsense_is_asked_for_three_times_and_no_more(body: str) -> None:
    done = ask(raw(200, body.encode("latin-1")))
    assert isinstance(done.error, ModelUnavailable)
    assert len(done.rig.seen) == 3


def test_an_error_inside_a_success_counts_as_what_it_says() -> None:
    busy = raw(200, json.dumps({"error": {"message": "upstream is busy", "code": 429}}))
    assert ask(busy, echo).reply is not None
    refused = raw(200, json.dumps({"error": {"message": "too long", "code": 400}}))
    assert isinstance(ask(refused).error, RequestRefused)


def test_a_huge_answer_is_not_read_to_its_end() -> None:
    sent = 0

    async def flood(seen: Seen, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" " * 65536)
            sent += 65536
            await writer.drain()

    done = ask(flood)
    assert isinstance(done.error, RequestRefused)
    assert "larger than" in str(done.error)
    assert sent < 64 * 2**20


def test_a_huge_error_page_is_not_read_to_its_end() -> None:
    done = ask(raw(400, b"x" * 10_000_000))
    assert isinstance(done.error, RequestRefused)
    assert len(str(done.error)) < 500


def test_a_parameter_that_a_model_refuses_is_renamed_or_left_out_and_said() -> None:
    def refuse(name: str, code: str) -> object:
        return raw(400, json.dumps({"error": {"message": f"Unsupported: {name}", "param": name, "code": code}}))

    done = ask(refuse("max_tokens", "unsupported_parameter"), refuse("temperature", "unsupported_value"), echo)  # type: ignore[arg-type]
    assert done.reply is not None
    last = done.rig.seen[-1].body
    assert last["max_completion_tokens"] == 64
    assert "max_tokens" not in last
    assert "temperature" not in last
    assert len(done.heard) == 2
    stubborn = ask(refuse("max_tokens", "unsupported_parameter"))  # type: ignore[arg-type]
    assert isinstance(stubborn.error, RequestRefused)


def test_sixty_four_requests_are_in_flight_and_no_more() -> None:
    async def run() -> Rig:
        everybody = asyncio.Event()

        async def wait_for_all(seen: Seen, writer: asyncio.StreamWriter) -> None:
            if rig.open == 64:
                everybody.set()
            await everybody.wait()
            await echo(seen, writer)

        async with Rig(wait_for_all) as rig:
            server = Server(config(rig.url, in_flight=64))
            replies = await asyncio.gather(*(server.ask(question(str(number))) for number in range(130)))
            await server.close()
        assert [reply.texts[0] for reply in replies] == [str(number) for number in range(130)]
        return rig

    assert asyncio.run(run()).most_open == 64


def test_a_cancelled_request_leaves_its_place_to_others() -> None:
    async def run() -> None:
        async with Rig(hang, echo) as rig:
            server = Server(config(rig.url, in_flight=1))
            first = asyncio.create_task(server.ask(question()))
            while not rig.seen:
                await asyncio.sleep(0.01)
            first.cancel()
            assert (await server.ask(question("next"))).texts == ("next",)
            await server.close()

    asyncio.run(run())


async def tell_the_key(seen: Seen, writer: asyncio.StreamWriter) -> None:
    """A server that repeats the Authorization header wherever it can."""
    said = seen.headers["authorization"]
    await raw(400, json.dumps({"error": {"message": f"bad header {said}; " * 200, "code": said}}))(seen, writer)


async def tell_the_key_as_it_is(seen: Seen, writer: asyncio.StreamWriter) -> None:
    await raw(401, "x" * 290 + seen.headers["authorization"])(seen, writer)


async def answer_with_the_key(seen: Seen, writer: asyncio.StreamWriter) -> None:
    await answer("your key is " + seen.headers["authorization"])(seen, writer)


async def garble_with_the_key(seen: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 " + seen.headers["authorization"].encode() + b"\r\n\r\n")
    await writer.drain()
    writer.close()


@pytest.mark.parametrize("behaviour", [tell_the_key, tell_the_key_as_it_is, answer_with_the_key, garble_with_the_key])
def test_the_key_is_sent_and_stands_nowhere_else(
    behaviour: object, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("A_KEY", KEY)
    caplog.set_level(logging.INFO)
    done = ask(behaviour, key_env="A_KEY", patience_s=1)  # type: ignore[arg-type]
    assert done.rig.seen[0].headers["authorization"] == f"Bearer {KEY}"
    shown = repr(done.reply) + "".join(traceback.format_exception(done.error)) if done.error else repr(done.reply)
    for text in (shown, caplog.text, *done.heard, str(question().encode())):
        assert KEY not in text
        assert KEY[:-1] not in text
    assert done.error is None or "[key]" in str(done.error) or "x" * 250 in str(done.error)


def test_no_repr_shows_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", KEY)
    server = Server(config("http://127.0.0.1:9/v1", key_env="A_KEY"))
    assert KEY not in repr(server) + repr(vars(server))


@pytest.mark.parametrize("value", ["", "   ", "two\nlines", "schlüssel"])
def test_a_variable_without_a_key_is_named_and_nothing_is_sent(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", value)
    done = ask(echo, key_env="A_KEY")
    assert isinstance(done.error, ModelUnavailable)
    assert "A_KEY" in str(done.error)
    assert "schl" not in str(done.error)
    assert not done.rig.seen


def test_the_key_is_read_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> list[str]:
        async with Rig() as rig:
            server = Server(config(rig.url, key_env="A_KEY"))
            for key in ("first-key", "second-key"):
                monkeypatch.setenv("A_KEY", key)
                await server.ask(question())
            await server.close()
            return [seen.headers["authorization"] for seen in rig.seen]

    assert asyncio.run(run()) == ["Bearer first-key", "Bearer second-key"]


def test_llama_gives_as_many_answers_as_it_has_slots_and_the_seeds_follow_on() -> None:
    done = ask(echo, request=question(n=7, seed=100), llama=True, in_flight=3)
    assert done.reply is not None
    assert len(done.reply.texts) == 7
    assert [seen.body.get("n", 1) for seen in done.rig.seen] == [3, 3, 1]
    assert [seen.body["seed"] for seen in done.rig.seen] == [100, 103, 106]
    assert done.reply.prompt_tokens == 15


def test_what_llama_does_not_count_is_estimated_by_length() -> None:
    usage = {"prompt_tokens": 4, "completion_tokens": 10}
    done = ask(answer("x" * 40, "y" * 80, usage=usage), request=question(n=2), llama=True, in_flight=2)
    assert done.reply is not None
    assert done.reply.completion_tokens == 30
    assert done.reply.estimated
