"""Blobs over HTTP: routes for a relay, to be mounted by who has a server.

    GET, HEAD /ID          the bytes, with Range; HEAD of a blob that is being put tells `upload-offset`
    GET /ID/outline        the chaining values of its chunks (see `tree`)
    PUT /ID                the bytes, which must have this id; with `content-range: bytes FIRST-LAST/SIZE` from `upload-offset` on

Who may do what is said by a bearer token. What strangers put is bounded by blob, in sum and at once.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import Flag
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from quiltwork.blobs.protocol import BlobCorrupt, BlobMissing, BlobStore, BlobUnavailable, is_blob_id
from quiltwork.blobs.serving import REMEMBERED_REMOTES, REQUEST_COST, Bucket
from quiltwork.blobs.sources import Source, Sources
from quiltwork.blobs.tree import CHUNK_BYTES
from quiltwork.blobs.uploads import Upload, UploadError, Uploads

PIECE_BYTES = 4 * CHUNK_BYTES

PIECE_S = 60.0
"""Who sends nothing for so long while putting a blob is hung up on; what came is kept for another try."""

LONGEST_WAIT_S = 30.0
"""Who would have to wait longer than this for his bytes per second is told to come back."""

_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")
_CONTENT_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})")


class BlobRights(Flag):
    """What a token allows."""

    NONE = 0
    GET = 1
    PUT = 2
    BOTH = 3


@dataclass(frozen=True)
class BlobLimits:
    """What strangers may cost.

    `blob_bytes` bounds one blob that is put, `put_bytes` the sum of what each token has put since the server began (what was
    there before costs nothing), `bytes_per_s` what each token, or each address without one, gets and puts; None is no limit.
    """

    blob_bytes: int = 4 << 30
    put_bytes: int = 64 << 30
    bytes_per_s: float | None = None


@dataclass(frozen=True)
class _Caller:
    name: str
    rights: BlobRights


def blob_routes(
    store: BlobStore,
    tokens: Mapping[str, BlobRights],
    *,
    anyone: BlobRights = BlobRights.NONE,
    limits: BlobLimits | None = None,
    uploads: Path | None = None,
) -> list[Route]:
    """Routes that serve a store to those with a token, and with `anyone`'s rights to everybody else.

    `uploads` is the folder in which blobs grow while they are put; None lets the store's own folder, or the system's
    temporary one, have them.
    """
    relay = _Relay(store, tokens, anyone, limits or BlobLimits(), Uploads(store, uploads))
    return [
        Route("/{id}", relay.give, methods=["GET", "HEAD"]),
        Route("/{id}/outline", relay.give_outline, methods=["GET"]),
        Route("/{id}", relay.take, methods=["PUT"]),
    ]


class _Relay:
    def __init__(
        self,
        store: BlobStore,
        tokens: Mapping[str, BlobRights],
        anyone: BlobRights,
        limits: BlobLimits,
        uploads: Uploads,
    ) -> None:
        self._store, self._sources = store, Sources(store)
        # by digest, so that comparing tells nothing about a token
        self._callers = {_digest(token): _Caller(_digest(token), rights) for token, rights in tokens.items()}
        self._anyone, self._limits, self._uploads = anyone, limits, uploads
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    async def give(self, request: Request) -> Response:
        caller, id = self._admit(request, BlobRights.GET)
        headers = {"accept-ranges": "bytes", "etag": f'"{id}"', "cache-control": "public, max-age=31536000, immutable"}
        try:
            source = await self._sources.open(id)
        except (BlobMissing, BlobCorrupt) as error:
            offset = {"upload-offset": str(self._uploads.offset(caller.name, id))}
            raise HTTPException(404, str(error).split(" in ")[0], headers=offset) from None
        except BlobUnavailable as error:
            raise HTTPException(503, "The store cannot be read now.") from error
        start, stop = 0, source.size
        if (asked := request.headers.get("range")) is not None:
            found = parse_range(asked, source.size)
            if found is None:
                raise HTTPException(416, headers={"content-range": f"bytes */{source.size}"})
            start, stop = found
            headers["content-range"] = f"bytes {start}-{stop - 1}/{source.size}"
        headers["content-length"] = str(stop - start)
        status = 206 if asked is not None else 200
        if request.method == "HEAD":
            return Response(status_code=status, headers=headers)
        await self._pace(caller, 0)
        pieces = self._pieces(caller, source, start, stop)
        return StreamingResponse(pieces, status, headers, media_type="application/octet-stream")

    async def give_outline(self, request: Request) -> Response:
        caller, id = self._admit(request, BlobRights.GET)
        try:
            outline = await (await self._sources.open(id)).outline()
        except (BlobMissing, BlobCorrupt) as error:
            raise HTTPException(404, str(error).split(" in ")[0]) from None
        except BlobUnavailable as error:
            raise HTTPException(503, "The store cannot be read now.") from error
        await self._pace(caller, len(outline))
        return Response(outline, media_type="application/octet-stream")

    async def take(self, request: Request) -> Response:
        caller, id = self._admit(request, BlobRights.PUT)
        if await asyncio.to_thread(self._store.has, id):
            return Response(status_code=200)
        start, size = _put_range(request)
        if size > self._limits.blob_bytes:
            raise HTTPException(413, f"At most {self._limits.blob_bytes:,} bytes for a blob, please.")
        if self._uploads.put_bytes[caller.name] + size - start > self._limits.put_bytes:
            raise HTTPException(507, f"You may put {self._limits.put_bytes:,} bytes here, and this would be more.")
        try:
            with self._uploads.begin(caller.name, id, start, size) as upload:
                await self._receive(request, caller, upload)
                if upload.offset < size:
                    return Response(status_code=202, headers={"upload-offset": str(upload.offset)})
                await asyncio.to_thread(upload.finish)
        except UploadError as error:
            headers = {} if error.offset is None else {"upload-offset": str(error.offset)}
            raise HTTPException(error.status, str(error), headers=headers) from None
        except BlobUnavailable as error:
            raise HTTPException(507, "The disk of this server is full, or cannot be written to.") from error
        except (ClientDisconnect, TimeoutError):
            raise HTTPException(408, "You broke off; what came is kept for another try.") from None
        return Response(status_code=201)

    async def _receive(self, request: Request, caller: _Caller, upload: Upload) -> None:
        pieces = aiter(request.stream())
        while True:
            async with asyncio.timeout(PIECE_S):
                piece = await anext(pieces, None)
            if piece is None:
                return
            upload.write(piece)
            await self._pace(caller, len(piece))

    async def _pieces(self, caller: _Caller, source: Source, start: int, stop: int) -> AsyncIterator[bytes]:
        for place in range(start, stop, PIECE_BYTES):
            piece = source.read(place, min(place + PIECE_BYTES, stop))
            await self._pace(caller, len(piece), refuse=False)
            yield piece

    def _admit(self, request: Request, right: BlobRights) -> tuple[_Caller, str]:
        said = request.headers.get("authorization", "")
        if not said:
            host = request.client.host if request.client else "somebody"
            caller = _Caller(f"anyone at {host}", self._anyone)
        else:
            scheme, _, token = said.partition(" ")
            known = self._callers.get(_digest(token)) if scheme.lower() == "bearer" else None
            if known is None:
                raise HTTPException(401, "This token is not known here.", headers={"www-authenticate": "Bearer"})
            caller = known
        if right not in caller.rights:
            raise HTTPException(403 if said else 401, "You may not do this here. Ask for a token that allows it.")
        id = request.path_params["id"]
        if not is_blob_id(id):
            raise HTTPException(404, "That is not the id of a blob: 64 hexadecimal digits in lower case.")
        return caller, id

    async def _pace(self, caller: _Caller, size: int, *, refuse: bool = True) -> None:
        per_s = self._limits.bytes_per_s
        if per_s is None:
            return
        now = time.monotonic()
        bucket = self._buckets.pop(caller.name, None) or Bucket(per_s, now)
        self._buckets[caller.name] = bucket
        while len(self._buckets) > REMEMBERED_REMOTES:
            self._buckets.popitem(last=False)
        cost = max(size, REQUEST_COST)
        wait_s = bucket.wait_s(cost, now)
        if refuse and wait_s > LONGEST_WAIT_S:
            bucket.give_back(cost)
            raise HTTPException(429, "You ask for more than your share.", headers={"retry-after": str(round(wait_s))})
        await asyncio.sleep(wait_s)


def parse_range(text: str, size: int) -> tuple[int, int] | None:
    """`bytes=2-5` -> (2, 6), as RFC 9110 (section 14.1.2) says; None for what cannot be satisfied, or is several ranges."""
    found = _RANGE.fullmatch(text.strip())
    if found is None:
        return None
    first, last = found.groups()
    if first:
        start, stop = int(first), min(int(last) + 1 if last else size, size)
    elif last:
        start, stop = max(0, size - int(last)), size
    else:
        return None
    return (start, stop) if start < stop else None


def _put_range(request: Request) -> tuple[int, int]:
    """Where a PUT begins, and how large its blob is in the end."""
    length = request.headers.get("content-length", "")
    if not (length.isascii() and length.isdigit() and len(length) <= 15):
        raise HTTPException(411, "Say how long it is: content-length.")
    if (said := request.headers.get("content-range")) is None:
        return 0, int(length)
    found = _CONTENT_RANGE.fullmatch(said.strip())
    if found is not None:
        first, last, size = map(int, found.groups())
        if first <= last < size and last - first + 1 == int(length):
            return first, size
    raise HTTPException(400, "That content-range makes no sense: bytes FIRST-LAST/SIZE, as long as the content.")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
