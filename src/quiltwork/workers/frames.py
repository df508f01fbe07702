"""One message: its length in four bytes, then msgpack. And what a call becomes when it is carried out."""

from __future__ import annotations

import importlib
import struct
import traceback
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import msgspec

from quiltwork.errors import UserError
from quiltwork.workers.base import WorkerError

HEAD: Final = struct.Struct("<I")
MAX_BYTES: Final = 1 << 30
"""Larger messages belong into the blob store."""


def pack(message: Any) -> bytes:
    """A message as bytes, head included. Raises TypeError for what msgpack cannot say, ValueError beyond MAX_BYTES."""
    body = msgspec.msgpack.encode(message)
    if len(body) > MAX_BYTES:
        raise ValueError(f"a message of {len(body)} bytes; at most {MAX_BYTES} can be sent to a worker")
    return HEAD.pack(len(body)) + body


def unpack(body: bytes | bytearray) -> Any:
    """The message in bytes without their head."""
    return msgspec.msgpack.decode(body)


def carry_out(function: str, payload: Any) -> dict[str, Any]:
    """Call a function by name; whatever comes of it is an answer."""
    try:
        return {"ok": resolve(function)(payload)}
    except UserError as error:
        kind = type(error)
        return {"user": str(error), "class": f"{kind.__module__}:{kind.__qualname__}"}
    except Exception:  # noqa: BLE001  it is carried to whoever asked, traceback and all
        return {"error": traceback.format_exc()}


def answer(function: str, payload: Any) -> bytes:
    """Call a function by name; the frame that says what came of it."""
    found = carry_out(function, payload)
    try:
        return pack(found)
    except (TypeError, ValueError, OverflowError) as error:
        return pack({"error": f"{function} returned what msgpack cannot say: {error}"})


def outcome(answer: dict[str, Any]) -> Any:
    """The result in an answer; raises what the function raised."""
    if "ok" in answer:
        return answer["ok"]
    if "user" in answer:
        raise _user_error(answer["class"], answer["user"])
    raise WorkerError(answer["error"])


@lru_cache(maxsize=64)
def resolve(function: str) -> Callable[[Any], Any]:
    """The function that "package.module:name" names. Raises LookupError or ImportError if there is none."""
    module, colon, name = function.partition(":")
    found = getattr(importlib.import_module(module), name, None) if colon else None
    if not callable(found):
        raise LookupError(f"{function!r} names no function; write 'package.module:function'")  # noqa: TRY004
    return found  # type: ignore[no-any-return]


def _user_error(name: str, text: str) -> UserError:
    """The same class with the same text, however its constructor is called."""
    module, _, path = name.partition(":")
    kind: Any = UserError
    try:
        found = getattr(importlib.import_module(module), path, UserError)
    except ImportError:
        found = UserError
    if isinstance(found, type) and issubclass(found, UserError):
        kind = found
    error: UserError = kind.__new__(kind, text)
    Exception.__init__(error, text)
    return error
