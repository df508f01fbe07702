"""What goes over the wire to an OpenAI-compatible server, and how its answers are read. No input or output."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import msgspec

from quiltwork.models.base import ModelError, ModelUnavailable, Reply, Request, RequestRefused

BYTES_PER_TOKEN = 3
"""For estimates: English has about 4 bytes per token, code about 3; rather too many tokens than too few."""

SEEDS = 2**31
"""Seeds are sent modulo this: llama.cpp keeps 32 bits, others a signed integer."""

LEAST_SECRET = 16
"""A key of fewer characters is a placeholder such as "none" or "EMPTY": blotting it out of answers would spoil them."""

SHOWN = 300
"""Characters of a server's own message that an error shows."""

ADAPTABLE = {"max_tokens": "max_completion_tokens", "temperature": "", "top_p": "", "seed": ""}
"""Parameters that some models refuse by name, and what they are renamed to; nothing: they are left out.

OpenAI's reasoning models answer 400 with code "unsupported_parameter" or "unsupported_value" and the parameter's name.
"""


class Trouble(Exception):
    """An attempt that failed. `passing`: another attempt may fare better; else `final` is what to raise."""

    def __init__(
        self,
        text: str,
        *,
        passing: bool = False,
        garbled: bool = False,
        after_s: float = 0.0,
        unsupported: str = "",
        final: type[ModelError] = ModelUnavailable,
    ) -> None:
        super().__init__(text)
        self.passing = passing or garbled
        self.garbled = garbled
        self.after_s = after_s
        self.unsupported = unsupported
        self.final = final


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    text: str | None = None
    message: _Message | None = None
    finish_reason: str | None = None


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int = 0
    prompt_tokens_details: _Details | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: Any = None


class _Delta(msgspec.Struct):
    text: str | None = None
    delta: _Message | None = None


class _Event(msgspec.Struct):
    choices: list[_Delta] = []
    error: Any = None


def path(request: Request) -> str:
    """Where below the server's base a request goes."""
    return "/chat/completions" if request.messages else "/completions"


def body(request: Request, model: str, *, stream: bool = False, unsupported: frozenset[str] = frozenset()) -> bytes:
    """A request as JSON, without the parameters that the model is known to refuse."""
    said: dict[str, Any] = {
        "model": model,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "max_tokens": request.max_tokens,
        "seed": request.seed % SEEDS,
    }
    if request.messages:
        said["messages"] = request.messages
    else:
        said["prompt"] = request.prompt
    if request.n > 1:
        said["n"] = request.n
    if request.stop:
        said["stop"] = request.stop
    if request.schema is not None:
        schema = {"name": "answer", "schema": request.schema, "strict": True}
        said["response_format"] = {"type": "json_schema", "json_schema": schema}
    if stream:
        said["stream"] = True
    for name in unsupported:
        value = said.pop(name)
        if renamed := ADAPTABLE[name]:
            said[renamed] = value
    return msgspec.json.encode(said)


def prefill(request: Request) -> str:
    """What the answer begins with already, by the request: a last message of the assistant."""
    return request.messages[-1].content if request.messages and request.messages[-1].role == "assistant" else ""


def without_prefill(text: str, begun: str) -> str:
    """Cut off what a server repeats of the prefill; chat templates may have trimmed its ends."""
    for repeated in (begun, begun.rstrip()):
        if repeated and text.startswith(repeated):
            return text[len(repeated) :]
    return text


def prompt_bytes(request: Request) -> int:
    """Bytes of all that the request says, roles and schema included."""
    said = len(request.prompt.encode()) + sum(len(m.role) + len(m.content.encode()) for m in request.messages)
    return said + (len(json.dumps(request.schema)) if request.schema is not None else 0)


def estimate(text_bytes: int) -> int:
    """About how many tokens so many bytes are; see `BYTES_PER_TOKEN`."""
    return -(-text_bytes // BYTES_PER_TOKEN)


def read_reply(content: bytes, request: Request, key: str) -> Reply:
    """Read a 200's body. Raises `Trouble` for what is no answer. Price, time and attempts are for the caller to add."""
    try:
        answer = msgspec.json.decode(content, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Trouble(redact(f"its answer is not what the protocol says: {error}", key), garbled=True) from None
    if answer.error and not answer.choices:
        raise _inner_failure(answer.error, content, key)
    texts = [_text(choice) for choice in answer.choices[: request.n]]
    if not texts or any(text is None for text in texts):
        raise Trouble("its answer holds no text: no choices, or neither message nor text in them", garbled=True)
    begun = prefill(request)
    kept = tuple(without_prefill(redact_answer(text or "", key), begun) for text in texts)
    finish = tuple(redact_answer(choice.finish_reason or "stop", key) for choice in answer.choices[: request.n])
    usage = answer.usage
    if usage is None:
        written = sum(len(text.encode()) for text in kept)
        tokens = {"prompt_tokens": estimate(prompt_bytes(request)), "completion_tokens": estimate(written)}
        return Reply(texts=kept, finish=finish, estimated=True, **tokens)
    details = usage.prompt_tokens_details
    return Reply(
        texts=kept,
        finish=finish,
        prompt_tokens=max(0, usage.prompt_tokens),
        completion_tokens=max(0, usage.completion_tokens),
        cached_tokens=max(0, details.cached_tokens or 0) if details else 0,
    )


def _text(choice: _Choice) -> str | None:
    if choice.message is not None:
        return choice.message.content or ""  # null: a model that thought until its length ran out
    return choice.text


def failure(status: int, headers: Mapping[str, str], content: bytes, key: str) -> Trouble:
    """What a status other than 200 means for whoever asked."""
    message, code, parameter = _server_says(content)
    said = redact(message, key)[:SHOWN]
    text = f"HTTP {status}" + (f": {said}" if said else "")
    if code in ("unsupported_parameter", "unsupported_value") and parameter in ADAPTABLE:
        return Trouble(text, unsupported=parameter, final=RequestRefused)
    if code == "insufficient_quota" or status == 402:
        return Trouble(f"{text}. The account has no credit: top it up, or use another model")
    if status in (408, 409, 429) or status >= 500:
        return Trouble(text, passing=True, after_s=_retry_after(headers))
    if status in (401, 403):
        return Trouble(f"{text}. The key was refused: see that key_env names the variable that holds this server's key")
    if status == 404:
        return Trouble(f"{text}. See that url is the server's base (it often ends in /v1) and id a model that it has")
    if status < 400:
        return Trouble(f"{text}. The server sends us elsewhere: write the url that it answers at")
    return Trouble(text, final=RequestRefused)


def _inner_failure(error: object, content: bytes, key: str) -> Trouble:
    """An error inside a 200, as brokers of several providers send it: its code is the status, where it has one."""
    code = error.get("code") if isinstance(error, dict) else None
    return failure(code if isinstance(code, int) and 300 <= code < 600 else 502, {}, content, key)


def _server_says(content: bytes) -> tuple[str, str, str]:
    """Message, code and parameter of an error's body; the body as it is where it is not the usual JSON."""
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        return content.decode("utf-8", "replace").strip(), "", ""
    error = said.get("error", said) if isinstance(said, dict) else said
    if not isinstance(error, dict):
        return str(error), "", ""
    message = error.get("message") or error.get("detail") or error
    return str(message), str(error.get("code") or ""), str(error.get("param") or "")


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that the server asks us to wait: a number or a date (RFC 9110, 10.2.3); 0 where it says nothing."""
    said = headers.get("retry-after", "").strip()
    if not said:
        return 0.0
    if said.isdecimal() and len(said) < 10:
        return float(said)
    try:
        return max(0.0, (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # no date, or one without a time zone
        return 0.0


def redact(text: str, key: str) -> str:
    """Blot the key out, in the ways in which a server may have written it."""
    if not key:
        return text
    for shape in (key, quote(key, safe=""), key.replace("/", "\\/")):
        text = text.replace(shape, "[key]")
    return text


def redact_answer(text: str, key: str) -> str:
    """Blot the key out of a model's own words, unless it is a placeholder; see `LEAST_SECRET`."""
    return redact(text, key) if len(key) >= LEAST_SECRET else text


class Pieces:
    """The text of a stream (server-sent events, WHATWG HTML 9.2), fed with bytes as they come.

    Text is held back while it may be the prefill repeated or the beginning of the key.
    """

    def __init__(self, request: Request, key: str) -> None:
        self._begun = prefill(request)
        self._key = key if len(key) >= LEAST_SECRET else ""
        self._unread = b""
        self._held = ""
        self._started = not self._begun
        self.ended = False

    def feed(self, chunk: bytes) -> Iterator[str]:
        """Text that is complete. Raises `Trouble` for an error that the server sends midway."""
        *lines, self._unread = (self._unread + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                self._held += self._event(line[5:].strip())
                yield from filter(None, [self._release()])

    def flush(self) -> Iterator[str]:
        """What was still held back when the stream ended."""
        held = redact(self._held if self._started else without_prefill(self._held, self._begun), self._key)
        self._held = ""
        yield from filter(None, [held])

    def _event(self, data: bytes) -> str:
        if data == b"[DONE]":
            self.ended = True
            return ""
        try:
            event = msgspec.json.decode(data, type=_Event)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Trouble(redact(f"its stream is not what the protocol says: {error}", self._key)) from None
        if event.error:
            raise _inner_failure(event.error, data, self._key)
        choice = event.choices[0] if event.choices else None
        if choice is None:
            return ""
        return (choice.delta.content if choice.delta else choice.text) or ""

    def _release(self) -> str:
        if not self._started:
            if len(self._held) < len(self._begun) and self._begun.startswith(self._held):
                return ""
            self._held = without_prefill(self._held, self._begun)
            self._started = True
        text = redact(self._held, self._key)
        suspect = max((n for n in range(1, len(self._key)) if text.endswith(self._key[:n])), default=0)
        self._held = text[len(text) - suspect :]
        return text[: len(text) - suspect]
