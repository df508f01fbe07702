"""One fact: an entry, its signed bytes and its hash. `docs/log.md` tells the same, byte for byte."""

from __future__ import annotations

import re
import struct
from functools import lru_cache

import msgspec
from blake3 import blake3

from quiltwork.keys import AUTHOR_BYTES, SIGNATURE_BYTES

HASH_BYTES = 32
GENESIS = bytes(HASH_BYTES)
"""The `prev` of entry 0."""

MAX_BODY_BYTES = 1 << 20
"""What is larger goes into a blob, named by its hash: entries are read by the thousand, blobs one at a time."""

MAX_KIND_BYTES = 64

KINDS_REMEMBERED = 1_024
"""More kinds than a log has, so that each is looked at once; a stranger who invents others fills no memory."""

MAX_INTEGER = 2**63 - 1
"""Of `seq` and `time`: what SQLite, Postgres and most languages hold in a signed 64-bit integer."""

_PREFIX = b"quiltwork.entry/1\n"  # so that no signature made for something else can pass for an entry's
_HEADER = struct.Struct(f">{len(_PREFIX)}sQ{HASH_BYTES}sQ{AUTHOR_BYTES}sI")
_KIND = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+/[1-9][0-9]*")


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A signed fact at place `seq`, counted from 0. `time` is in nanoseconds since 1970, by the author's clock."""

    seq: int
    prev: bytes
    time: int
    author: bytes
    kind: str
    body: bytes
    signature: bytes

    @property
    def hash(self) -> bytes:
        """BLAKE3-256 of the signed bytes: what the signature signs and the next entry's `prev`."""
        return blake3(signed_bytes(self.seq, self.prev, self.time, self.author, self.kind, self.body)).digest()


def signed_bytes(seq: int, prev: bytes, time: int, author: bytes, kind: str, body: bytes) -> bytes:
    """Lay an entry out as it is hashed: all but the signature, every field at a fixed place or with its length."""
    name = kind.encode()
    return _HEADER.pack(_PREFIX, seq, prev, time, author, len(name)) + name + body


@lru_cache(maxsize=KINDS_REMEMBERED)
def is_kind(text: str) -> bool:
    """Tell whether a text names a kind: `room.event/version`."""
    return len(text) <= MAX_KIND_BYTES and _KIND.fullmatch(text) is not None


def fault(
    seq: object, prev: object, time: object, author: object, kind: object, body: object, signature: object
) -> str:
    """Say what keeps these fields from being an entry, or nothing. Types are looked at, since storage may hold any."""
    for name, value in (("seq", seq), ("time", time)):
        if type(value) is not int or not 0 <= value <= MAX_INTEGER:
            return f"its {name} is not a whole number from 0 to 2^63-1"
    for name, value, length in (
        ("prev", prev, HASH_BYTES),
        ("author", author, AUTHOR_BYTES),
        ("signature", signature, SIGNATURE_BYTES),
    ):
        if type(value) is not bytes or len(value) != length:
            return f"its {name} is not {length} bytes"
    if type(kind) is not str or not is_kind(kind):
        return "its kind is not of the form room.event/version"
    if type(body) is not bytes or len(body) > MAX_BODY_BYTES:
        return f"its body is not bytes, at most {MAX_BODY_BYTES} of them"
    return ""
