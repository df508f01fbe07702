"""What is asked of a model and what it answers: values, with no input or output."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import blake3
import msgspec

from quiltwork.errors import UserError


class ModelError(UserError):
    """Asking a model failed. The text names the model and its server, never a key."""


class ModelUnavailable(ModelError):
    """No answer after all retries: the network or the server is down, or the key was refused. Whoever asked may wait."""


class RequestRefused(ModelError):
    """The server will never answer this request: it is too long, say. Another request may fare better."""


class Message(msgspec.Struct, frozen=True):
    """One turn of a chat. A last turn of the assistant is a prefill: the model goes on from there."""

    role: Literal["system", "user", "assistant"]
    content: str


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A question to a model: a chat (`messages`) or a raw completion (`prompt`), exactly one of the two.

    `model` is the name in the user's configuration, `seed` makes equal questions differ where another answer is wanted,
    `n` asks for several answers at once, and `schema` is a JSON schema that the answers must satisfy.
    """

    model: str
    messages: tuple[Message, ...] = ()
    prompt: str = ""
    temperature: float = 0.8
    top_p: float = 0.95
    max_tokens: int = 2_048
    stop: tuple[str, ...] = ()
    seed: int = 0
    n: int = 1
    schema: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if bool(self.messages) == bool(self.prompt):
            raise ValueError("a request has messages or a prompt, and not both")

    def encode(self) -> bytes:
        """Canonical JSON: what is recorded, and what the id is the hash of."""
        return msgspec.json.encode(self, order="deterministic")

    @property
    def id(self) -> str:
        """BLAKE3 of `encode()`, 64 hex digits: the id of its blob."""
        return blake3.blake3(self.encode()).hexdigest()


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The answers to a request, with what they used.

    `texts` are the `n` answers (fewer where a server gives only one at a time) without a prefill that the server repeats;
    `finish` says of each why it ended: "stop" or "length", or the server's own word. Tokens are the server's count, or
    `estimated` from the length of the text where it sends none; `usd` is nothing where the price is not known; `wall_s` is
    the last attempt's.
    """

    texts: tuple[str, ...]
    finish: tuple[str, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    estimated: bool = False
    usd: float = 0.0
    wall_s: float = 0.0
    attempts: int = 1

    def encode(self) -> bytes:
        """Canonical JSON: what is recorded."""
        return msgspec.json.encode(self, order="deterministic")


def decode_request(encoded: bytes) -> Request:
    """Read `Request.encode()`'s bytes. Raises `msgspec.DecodeError` for anything else."""
    return msgspec.json.decode(encoded, type=Request)


def decode_reply(encoded: bytes) -> Reply:
    """Read `Reply.encode()`'s bytes. Raises `msgspec.DecodeError` for anything else."""
    return msgspec.json.decode(encoded, type=Reply)


class Bound(msgspec.Struct, frozen=True):
    """The most that a request can use, attempts that fail not counted: servers do not bill them."""

    tokens: int
    usd: float


class Models(Protocol):
    """The models of one run. One object serves any number of requests at once."""

    async def ask(self, request: Request) -> Reply:
        """Answer a request. Raises `ModelUnavailable` after all retries, `RequestRefused` for what will never be answered."""
        ...

    def bound(self, request: Request) -> Bound:
        """What to reserve before asking."""
        ...

    async def close(self) -> None:
        """Hang up, and end what was started."""
        ...
