"""What a run's server lets its members use: more than any honest one needs, and less than would harm the others.

All members speak with one token, so what a token may use is what they may use together. What one author may say is bounded by
the log's own limits.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from pydantic import ValidationError
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from quiltwork.blobs.server import BlobLimits
from quiltwork.log.http.rate import DEFAULT_LIMITS, Limits, Rate
from quiltwork.pretrain.architectures import shapes
from quiltwork.pretrain.architectures.config import OwnConfig
from quiltwork.pretrain.config import Coordinator
from quiltwork.pretrain.entries import Created
from quiltwork.pretrain.footprint import footprint
from quiltwork.pretrain.recipe import Recipe

MEMBERS_OF_DEFAULT = 64
"""For as many the log's own limits are made."""

FOLLOWERS_OF_MEMBER = 2
"""One that has just died is not known to be gone yet when it comes back."""

OTHER_FOLLOWERS = 64
"""Those who only look."""

LEAST_BLOB_BYTES = 64 << 20
"""Pieces of checkpoints have 16 MiB; and a manifest, or what `doctor` sends, less than this."""

FRAMING = 1.05
"""What a disclosure has beside its tensors: their names."""

RESERVE_BYTES, RESERVE_SHARE = 1 << 30, 0.05
"""Of the disk, the smaller of both: kept for the log, which stops where nothing can be written."""

FULL = (
    "The disk of this server is nearly full, and what is left is for the run's log. Its owner has to free some space."
)


def log_limits(config: Coordinator) -> Limits:
    """What the members of a run may use of its log together."""
    times = max(1.0, config.max_clients / MEMBERS_OF_DEFAULT)
    requests, size = DEFAULT_LIMITS.token_requests, DEFAULT_LIMITS.token_bytes
    return Limits(
        token_requests=Rate(times * requests.per_s, times * requests.burst),
        token_bytes=Rate(times * size.per_s, times * size.burst),
        followers_per_token=FOLLOWERS_OF_MEMBER * config.max_clients + OTHER_FOLLOWERS,
    )


def blob_limits(created: Created, config: Coordinator) -> BlobLimits:
    """What they may put: no blob larger than an honest one.

    Their sum is bounded by `Reserved` alone: a run may last, and its owner keeps what its replay needs.
    """
    least = max(LEAST_BLOB_BYTES, config.max_payload_bytes)
    return BlobLimits(blob_bytes=max(least, _disclosure_bytes(created)), put_bytes=1 << 62)


def _disclosure_bytes(created: Created) -> int:
    try:
        recipe = Recipe.model_validate_json(created.work)
    except ValidationError:
        return BlobLimits().blob_bytes
    if isinstance(recipe.model, OwnConfig):
        return BlobLimits().blob_bytes  # its shapes are known to its owner's code
    return round(FRAMING * 2 * footprint(recipe.optimizer, shapes(recipe.model)).own_bytes)


class Reserved:
    """Takes nothing more to be stored, for `app`, when the disk of `folder` is nearly full."""

    def __init__(self, app: ASGIApp, folder: Path) -> None:
        self._app, self._folder = app, folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "http" and scope["method"] == "PUT" and self._is_full():
            await PlainTextResponse(FULL, 507)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_full(self) -> bool:
        disk = shutil.disk_usage(self._folder)
        return disk.free < min(RESERVE_BYTES, RESERVE_SHARE * disk.total)
