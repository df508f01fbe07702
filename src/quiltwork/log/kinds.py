"""What entries say: bodies as typed structs, registered under a kind, in one canonical encoding.

Canonical means that a body has one encoding only: MessagePack with every field written, keys in order, the shortest
integers and 64-bit floats. `encode` makes nothing else and `decode` takes nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Protocol, TypeVar

import msgspec

from quiltwork.log.entry import MAX_BODY_BYTES, is_kind

_ENCODER = msgspec.msgpack.Encoder(order="sorted")
_ANYTHING = msgspec.msgpack.Decoder()
_UNREADABLE = (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError)


class Links(msgspec.Struct, frozen=True):
    """What an entry is about and what it rests on, for `explain`.

    `about` names its subject, such as "step 12"; `rests_on` maps the names of other subjects to the part that they
    play, such as {"step 3": "parent"}; `blobs` maps the part that a blob plays to its id.
    """

    about: str = ""
    rests_on: Mapping[str, str] = {}
    blobs: Mapping[str, str] = {}


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base of what entries say. Fields are plain data: numbers, text, bytes, tuples, and dicts with text keys."""

    def links(self) -> Links:
        """Say what this is about and rests on. Entries about the same subject rest on the earlier ones."""
        return Links()


class Encoded(Protocol):
    """What holds a body that can be read: an entry, or a statement in one."""

    @property
    def kind(self) -> str:
        """What sort of thing is said."""
        ...

    @property
    def body(self) -> bytes:
        """What is said, encoded."""
        ...


class Unknown(msgspec.Struct, frozen=True):
    """A body of a kind that nobody here has registered."""

    kind: str
    raw: bytes

    def __str__(self) -> str:
        return f"{self.kind} is not a known kind"


class Malformed(msgspec.Struct, frozen=True):
    """A body that does not fit its kind, or is not in the canonical encoding; `why` says which."""

    kind: str
    raw: bytes
    why: str

    def __str__(self) -> str:
        return f"the body is not a canonical {self.kind}: {self.why}"


class InvalidBody(ValueError):
    """A body that this program made cannot be encoded: an unregistered class, a wrong type, or too large."""


_CLASSES: dict[str, type[Body]] = {}
_KINDS: dict[type[Body], str] = {}

B = TypeVar("B", bound=type[Body])


def kind(name: str, version: int) -> Callable[[B], B]:
    """Register a class for the kind `name/version`. A changed set of fields is a new version beside the old class."""
    full = f"{name}/{version}"
    if not is_kind(full):
        raise ValueError(f"{full!r} is not of the form room.event/version, in lower case")

    def register(cls: B) -> B:
        known = _CLASSES.get(full)
        if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ValueError(f"{full} is registered for {known.__module__}.{known.__qualname__} already")
        _CLASSES[full] = cls
        _KINDS[cls] = full
        return cls

    return register


def encode(body: Body) -> tuple[str, bytes]:
    """Give a body's kind and canonical bytes. Raises InvalidBody for what `decode` would not take."""
    full = _KINDS.get(type(body))
    if full is None:
        raise InvalidBody(f"{type(body).__qualname__} is not registered: decorate it with @kind(name, version)")
    try:
        # There and back: a whole number in a field of floats becomes a float, and wrong types show here, not in a year.
        raw = _ENCODER.encode(_decoder(type(body)).decode(_ENCODER.encode(body)))
    except _UNREADABLE as error:
        raise InvalidBody(f"{full}: {error}") from error
    if len(raw) > MAX_BODY_BYTES:
        raise InvalidBody(f"{full}: {len(raw)} bytes are more than {MAX_BODY_BYTES}; put the large part into a blob")
    return full, raw


def decode(said: Encoded) -> Body | Unknown | Malformed:
    """Read the body of an entry or a statement.

    Never raises: what cannot be read comes back as Unknown or Malformed, since folds are total.
    """
    cls = _CLASSES.get(said.kind)
    if cls is None:
        return Unknown(said.kind, said.body)
    try:
        body = _decoder(cls).decode(said.body)
        again = _ENCODER.encode(body)
    except _UNREADABLE as error:
        return Malformed(said.kind, said.body, str(error))
    if again != said.body:
        return Malformed(said.kind, said.body, "the same content has another, canonical encoding")
    return body


def plain(raw: bytes) -> object:
    """Read a body of any kind as plain data, for people and JSON; None if it is not MessagePack."""
    try:
        return _ANYTHING.decode(raw)
    except _UNREADABLE:
        return None


@cache
def _decoder(cls: type[Body]) -> msgspec.msgpack.Decoder[Body]:
    return msgspec.msgpack.Decoder(cls)  # made at first use, when all names in the class's module are known
