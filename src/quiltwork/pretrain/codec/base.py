"""The frame around every payload: version, kind of optimizer, total length. Shapes are not sent: all members know them."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from enum import IntEnum

VERSION = 1
HEADER = struct.Struct("<BBQ")
"""Version, kind, bytes in all (the header's own included)."""


class Malformed(Exception):
    """A payload that no honest member sends; the text says what is wrong with it."""


class Kind(IntEnum):
    """Whose payload it is. The numbers are on the wire: they never change."""

    ADAMW = 1
    DEMO = 2
    DISTRO = 3
    DEMO_EXACT = 4
    DILOCO = 5
    SPARSELOCO = 6


def frame(kind: Kind, parts: Iterable[bytes]) -> bytes:
    """Join the parts of a body and put the header before them."""
    body = b"".join(parts)
    return HEADER.pack(VERSION, kind, HEADER.size + len(body)) + body


def unframe(kind: Kind, payload: bytes, body_bytes: int) -> memoryview:
    """Give the body, which must have this many bytes. Raises Malformed."""
    expected = HEADER.size + body_bytes
    if len(payload) != expected:
        raise Malformed(f"the payload has {len(payload):,} bytes; for these parameters it has {expected:,}")
    version, sender, length = HEADER.unpack_from(payload)
    if version != VERSION:
        raise Malformed(f"the payload is of version {version}; this is version {VERSION}")
    if sender != kind:
        raise Malformed(f"the payload's kind is {sender}; {kind.name.lower()} has {kind.value}")
    if length != expected:
        raise Malformed(f"the header says {length:,} bytes, and there are {expected:,}")
    return memoryview(payload)[HEADER.size :]
