"""What peers say to each other about blobs, as bytes: fixed records, so that no stranger chooses how much is read.

    request  kind u8 | id 32 bytes | size u64 | chunk u32                                  (big-endian, 45 bytes)
    reply    status u8 | length u32 | body                                                 the body only with HERE

Requests may follow each other without waiting; replies come in their order. The size belongs to the question: a holder whose
blob has another size says so instead of sending what the asker would have to call wrong.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from quiltwork.blobs.transport import TransportError
from quiltwork.blobs.tree import VALUE_BYTES, chunk_bytes, chunk_count

PROTOCOL = "quiltwork-blobs/1"

OUTLINE = -1
"""Stands for the outline where else the number of a chunk stands."""

LARGEST_BYTES = 1 << 40
"""Blobs beyond 1 TiB are refused: their outline alone is 512 MiB."""

_REQUEST = struct.Struct("!B32sQI")
_REPLY = struct.Struct("!BI")
REQUEST_BYTES, REPLY_BYTES = _REQUEST.size, _REPLY.size
_KIND_OUTLINE, _KIND_CHUNK = 1, 2


class WireError(TransportError):
    """The other side said what makes no sense."""


class Status(IntEnum):
    """How a holder answers."""

    HERE = 0
    MISSING = 1
    OTHER_SIZE = 2
    REFUSED = 3
    BUSY = 4


@dataclass(frozen=True, slots=True)
class Request:
    """Ask for chunk `index` of the blob, or with `OUTLINE` for its outline."""

    id: str
    size: int
    index: int

    @property
    def answer_bytes(self) -> int:
        """How long the body of a reply must be."""
        if self.index == OUTLINE:
            return VALUE_BYTES * chunk_count(self.size)
        return chunk_bytes(self.size, self.index)


def encode_request(request: Request) -> bytes:
    """As 45 bytes."""
    kind, index = (_KIND_OUTLINE, 0) if request.index == OUTLINE else (_KIND_CHUNK, request.index)
    return _REQUEST.pack(kind, bytes.fromhex(request.id), request.size, index)


def decode_request(data: bytes) -> Request:
    """Raises WireError for one that nobody honest sends."""
    kind, id, size, index = _REQUEST.unpack(data)
    if kind not in (_KIND_OUTLINE, _KIND_CHUNK) or size > LARGEST_BYTES or index >= chunk_count(size):
        raise WireError("a request that makes no sense")
    return Request(id.hex(), size, OUTLINE if kind == _KIND_OUTLINE else index)


def encode_reply(status: Status, body_bytes: int = 0) -> bytes:
    """What comes before the body."""
    return _REPLY.pack(status, body_bytes)


def decode_reply(data: bytes, request: Request) -> tuple[Status, int]:
    """The status and the length of the body. Raises WireError unless that is what the request must bring."""
    code, length = _REPLY.unpack(data)
    try:
        status = Status(code)
    except ValueError:
        raise WireError(f"a reply of the unknown kind {code}") from None
    wanted = request.answer_bytes if status is Status.HERE else 0
    if length != wanted:
        raise WireError(f"a reply of {length:,} bytes where {wanted:,} were due")
    return status, length
