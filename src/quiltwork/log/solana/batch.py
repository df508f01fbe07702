"""A batch of entries as bytes. What the head that it is built on says already, `seq` and `prev`, is left out."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Annotated

import msgspec

from quiltwork.errors import UserError
from quiltwork.keys import AUTHOR_BYTES, SIGNATURE_BYTES
from quiltwork.log.entry import MAX_BODY_BYTES, Entry
from quiltwork.log.protocol import Broken, Head, chain_on

MAX_BATCH_BYTES = 16 * MAX_BODY_BYTES
"""Of a batch before deflation: room for all that a sequencer appends at once, 22,000 transactions if it is noise, and what a
stranger's memo can make a reader unpack."""

PLAIN, DEFLATED = b"\0", b"\1"

_Author = Annotated[bytes, msgspec.Meta(min_length=AUTHOR_BYTES, max_length=AUTHOR_BYTES)]
_Signature = Annotated[bytes, msgspec.Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]
_Said = tuple[int, _Author, str, bytes, _Signature]  # lengths are checked on the way: no list of millions of nothings
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[_Said])


class BatchTooLarge(UserError):
    """More than one append can hold."""


def pack(entries: Sequence[Entry]) -> bytes:
    """Write entries that follow one another as bytes. Raises BatchTooLarge."""
    plain = _ENCODER.encode([(e.time, e.author, e.kind, e.body, e.signature) for e in entries])
    if len(plain) > MAX_BATCH_BYTES:
        raise BatchTooLarge(
            f"{len(entries)} entries of {len(plain):,} bytes are too much for one append on Solana, which holds "
            f"{MAX_BATCH_BYTES:,}. Append them a few at a time, and put what is large into blobs."
        )
    deflate = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    deflated = deflate.compress(plain) + deflate.flush()
    return min(PLAIN + plain, DEFLATED + deflated, key=len)


def unpack(raw: bytes, base: Head) -> tuple[Entry, ...]:
    """Read what `pack` wrote, as entries that follow `base`; give none if these bytes are no batch of at least one."""
    try:
        said = _DECODER.decode(_inflated(raw))
        entries = []
        for time, author, kind, body, signature in said:
            entry = Entry(base.length, base.hash, time, author, kind, body, signature)
            base = chain_on((entry,), base)
            entries.append(entry)
    except (msgspec.MsgspecError, zlib.error, ValueError, Broken):
        return ()
    return tuple(entries)


def _inflated(raw: bytes) -> bytes:
    """Raises ValueError and zlib.error."""
    form, content = raw[:1], raw[1:]
    if form == DEFLATED:
        inflate = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
        content = inflate.decompress(content, MAX_BATCH_BYTES + 1)
        if not inflate.eof or inflate.unused_data:
            raise ValueError("cut short, too large, or followed by something")
    elif form != PLAIN:
        raise ValueError("neither plain nor deflated")
    if len(content) > MAX_BATCH_BYTES:
        raise ValueError("too large")
    return content
