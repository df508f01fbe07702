"""A batch in parts, each the text of one memo. A part names the hash of the next, so that no stranger's can take its place.

From the last part to the first, a *link* is the hash of the link after it and the part's payload; the link after the last
part, the *foot*, is the hash of the log, the head that the batch is built on and the number of parts. The first link names
the batch. So whoever has part i knows which bytes part i+1 must have, and the whole fits one head of one log only.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from typing import NamedTuple

from blake3 import blake3

from quiltwork.log.entry import MAX_INTEGER
from quiltwork.log.protocol import Head
from quiltwork.log.solana.rule import DOMAIN, TAG_BYTES

PREFIX = "qw1:"
"""Tells a person, and a reader before any decoding, whose memo this is."""

LINK_BYTES = 16
"""A stranger would need a second preimage, 2^128 hashes, to slip a part in; a collision of one's own parts gains nothing."""

MAX_PARTS = 1 << 15
"""A batch of `MAX_BATCH_BYTES` in the smallest parts that fees leave room for, and some to spare."""

_HEADER = struct.Struct(f">{TAG_BYTES}sQ{LINK_BYTES}sHH{LINK_BYTES}s")
HEADER_BYTES = _HEADER.size


class Part(NamedTuple):
    """Part `index` of `number` of the batch called `batch`, built on a head of length `base`; `next` is the link after it."""

    tag: bytes
    base: int
    batch: bytes
    index: int  # type: ignore[assignment]  # a NamedTuple hides tuple.index
    number: int
    next: bytes
    payload: bytes

    @property
    def link(self) -> bytes:
        """What the part before this one names as its next."""
        return link(self.next, self.payload)

    @property
    def memo(self) -> str:
        """The text that is posted."""
        return PREFIX + base64.b85encode(_HEADER.pack(*self[:6]) + self.payload).decode("ascii")


def payload_bytes(memo_characters: int) -> int:
    """How much of a batch fits into a memo of this length."""
    groups, rest = divmod(memo_characters - len(PREFIX), 5)  # five characters hold four bytes, n+1 of them hold n
    return 4 * groups + max(0, rest - 1) - HEADER_BYTES


def link(after: bytes, payload: bytes) -> bytes:
    """BLAKE3, cut to 16 bytes, of the link after a part and its payload."""
    return blake3(after + payload).digest(length=LINK_BYTES)


def foot(log: bytes, base: Head, number: int) -> bytes:
    """Give the link after the last of `number` parts of a batch built on the head `base` of the log with this id."""
    return blake3(DOMAIN + struct.pack(">32sQ32sH", log, base.length, base.hash, number)).digest(length=LINK_BYTES)


def split(raw: bytes, log: bytes, base: Head, payload: int) -> Sequence[Part]:
    """Cut a batch into parts of at most `payload` bytes, first part first."""
    payloads = [raw[start : start + payload] for start in range(0, len(raw), payload)]
    assert len(payloads) <= MAX_PARTS, "the largest batch fits"
    links = [foot(log, base, len(payloads))]
    for each in reversed(payloads):
        links.append(link(links[-1], each))
    links.reverse()
    return [
        Part(log[:TAG_BYTES], base.length, links[0], index, len(payloads), links[index + 1], each)
        for index, each in enumerate(payloads)
    ]


def parse(memo: str) -> Part | None:
    """Read a memo; None for one that is no part of anything."""
    if not memo.startswith(PREFIX):
        return None
    try:
        raw = base64.b85decode(memo[len(PREFIX) :])
    except ValueError:
        return None
    if len(raw) <= HEADER_BYTES:
        return None
    tag, base, batch, index, number, after = _HEADER.unpack_from(raw)
    if base > MAX_INTEGER or not index < number <= MAX_PARTS:
        return None
    return Part(tag, base, batch, index, number, after, raw[HEADER_BYTES:])
